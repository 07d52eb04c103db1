"""A monitor with stores and sites for tests of pages, and its pages as lines of text."""

import zlib
from collections.abc import Callable, Iterable
from typing import Any

from fleet.model import Miss, Sighting
from simulators.panasonic import Camera
from tests import workbooks
from tests.home import Home
from tests.web.browser import Element

Make = Callable[..., Home]
Stores = dict[str, list[str]]
STORES: Stores = {
    "Aachen": ["A-1", "A-2", "A-10"],
    "Bergen": ["B-1"],
    "Cork": ["C-1", "C-2", "C-3"],
    "": ["Depot"],
}
SILENT = ("C-3",)
UNASKED = ("A-10", "C-2")


def sites_of(stores: Stores) -> list[str]:
    return [site for sites in stores.values() for site in sites]


def open_stores(make: Make, stores: Stores, *cameras: Camera, **changes: Any) -> Home:
    """A monitor with a workbook of such stores; nobody was asked yet."""
    home = make(*cameras, **changes)
    write_rows(home, stores)
    return home


def write_rows(home: Home, stores: Stores) -> None:
    """The workbook with the recorders of these stores; a site has the same serial always."""
    rows = [
        (f"SIM{zlib.crc32(site.encode()):010}", site, store)
        for store, sites in stores.items()
        for site in sites
    ]
    workbooks.write(home.settings.p2p_workbook, rows)
    home.monitor.workbooks.sync()


def ask_all(home: Home, sites: Iterable[str], silent: Iterable[str] = ()) -> None:
    """Every recorder of these sites answers but for the silent ones."""
    home.clock.forward(seconds=5)
    now, quiet = home.clock(), set(silent)
    home.monitor.tracker.apply(
        [
            Miss(f"row:{site}", "easy4ip", now, "does not answer", site, now)
            if site in quiet
            else Sighting(site, (f"row:{site}",), "easy4ip", now, kind="recorder", asked=now)
            for site in sites
        ],
        now,
    )


def lines(page: Element) -> list[list[str]]:
    """The table as text, line by line."""
    rows = [row for body in page.find("tbody") for row in body.find("tr")]
    return [[cell.text for cell in row.children if isinstance(cell, Element)] for row in rows]


def names(page: Element) -> list[str]:
    return [line[0] for line in lines(page)]


def line(page: Element, name: str) -> list[str]:
    (cells,) = [cells for cells in lines(page) if cells[0] == name]
    return cells[1:]


def group(page: Element, name: str) -> Element:
    """The part of the table that begins with this store or site."""
    (tbody,) = [tbody for tbody in page.find("tbody") if tbody.find("th")[0].text == name]
    return tbody


def head(page: Element) -> str:
    return page.find_one("div", **{"class": "places-head"}).text


def listed(page: Element) -> list[str]:
    """The names of the rows of the fleet page."""
    return [
        row.find("td")[1].find("a")[0].text
        for body in page.find("tbody")
        for row in body.find("tr")
    ]
