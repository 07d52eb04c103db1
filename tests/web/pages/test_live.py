"""Open pages: their head and changed rows come with the events, made once for all of them."""

import html
import re
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from flask import g, template_rendered
from jinja2 import Template
from playwright.sync_api import Page, Request, expect

from fleet.attention import Attention
from fleet.model import Device, Event
from tests.fleet.reports import NOON
from tests.home import Clock, Home, Running
from tests.web.chromium import Tab, rows
from tests.web.closed import OTHER, OWN, body_of, follow, monitor_of_two, read_until, traces_in
from tests.web.roles import Ask
from web.http.authentication import THIS_MACHINE
from web.http.broadcaster import StreamMessage
from web.http.selection import current_attention
from web.http.visible_fleet import VisibleFleet
from web.pages.header_cache import MAX_AGE, MIN_AGE, HeaderCache
from web.pages.live import MAX_CHANGED_ROWS, FleetPageFeed
from web.pages.rendered_rows import AGE, RenderedRows, RowSource


@pytest.fixture(scope="module")
def home_and_ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, Ask]]:
    home, ask = monitor_of_two(tmp_path_factory.mktemp("live"), Clock())
    yield home, ask
    home.close()


def messages(text: str, kind: str) -> list[Any]:
    """The bodies of the messages of a kind."""
    bodies = re.findall(rf"^event: {kind}\ndata: (.*)$", text, re.MULTILINE)
    return [orjson.loads(body) for body in bodies]


def shown(html: str) -> list[int]:
    return [int(number) for number in re.findall(r'<tr data-id="(\d+)"', html)]


def rename(ask: Ask, device: int, name: str) -> None:
    body_of(ask["Ada"].ask("PATCH", f"/api/camera/{device}", json={"name": name}))


def test_the_stream_of_a_page_brings_its_head_and_the_row_that_changed(
    home_and_ask: tuple[Home, Ask],
) -> None:
    _home, ask = home_and_ask
    answer, pieces = follow(ask["Ada"], "page=")
    first = messages(read_until(pieces, "event: head"), "head")
    assert 'id="filters"' in first[0]["html"]
    assert ask["Ada"].get("/parts/top").text.count("<section") == first[0]["html"].count("<section")
    rename(ask, OWN, "Portcullis")
    row = messages(read_until(pieces, "event: rows"), "rows")[0]
    answer.close()
    assert row["ids"] == [OWN]
    assert shown(row["html"]) == [OWN]
    assert row["html"].strip() == ask["Ada"].get(f"/parts/rows?ids={OWN}").text.strip()
    assert "Portcullis" in row["html"]


def test_a_page_gets_what_its_own_filter_shows(home_and_ask: tuple[Home, Ask]) -> None:
    home, ask = home_and_ask
    answer, pieces = follow(ask["Ada"], "page=%3Fstatus%3Dunreachable%26sort%3Dname")
    head = messages(read_until(pieces, "event: head"), "head")[0]["html"]
    assert "sort=name" in head
    assert re.search(r'aria-current="true">.*?Unreachable <b>1</b>', head)
    for device, ids in ((2, [2]), (OWN, [])):
        rename(ask, device, f"Name {device}")
        row = messages(read_until(pieces, "event: rows"), "rows")[-1]
        assert (row["ids"], shown(row["html"])) == ([device], ids)
    answer.close()
    assert home.status("2") == "UNREACHABLE"


@pytest.mark.parametrize("name", ["Lea", "Gus", "camera token", "token of Nia"])
def test_who_sees_less_is_sent_nothing_of_the_rest(
    home_and_ask: tuple[Home, Ask], name: str
) -> None:
    _home, ask = home_and_ask
    everybody, others = follow(ask["Ada"], "page=")
    read_until(others, "event: head")
    answer, pieces = follow(ask[name], "page=")
    text = read_until(pieces, "event: head")
    # The same name once more would be no change, of which no event comes.
    rename(ask, OTHER, f"Treasure of {name}")
    rename(ask, OWN, f"Drawbridge of {name}")
    text += read_until(pieces, f"Drawbridge of {name}")
    answer.close()
    everybody.close()
    assert not traces_in(text)
    assert "Treasure" not in text
    head = messages(text, "head")[0]["html"]
    count = re.search(r"All <b>(\d+)</b>", head)
    listed = body_of(ask[name].get("/api/cameras"))["count"]
    assert count
    assert int(count[1]) == listed < 4


def test_of_very_many_changes_only_the_numbers_come(home_and_ask: tuple[Home, Ask]) -> None:
    home, ask = home_and_ask
    person = home.monitor.authenticator.accounts.by_password(1)
    assert person is not None
    eyes = VisibleFleet(home.monitor, person)
    feed = FleetPageFeed(home.app, eyes, "")
    frames = [
        StreamMessage(n, Event(n, NOON, "device.offline", n, ""), b"")
        for n in range(1, MAX_CHANGED_ROWS + 2)
    ]
    body = messages(feed.news(frames).decode(), "rows")[0]
    assert body == {"ids": list(range(1, MAX_CHANGED_ROWS + 2)), "html": None}


def test_a_changed_row_does_not_wait_for_the_head(home_and_ask: tuple[Home, Ask]) -> None:
    home, ask = home_and_ask
    person = home.monitor.authenticator.accounts.by_password(1)
    assert person is not None
    feed = FleetPageFeed(home.app, VisibleFleet(home.monitor, person), "?sort=id")
    broadcaster = home.monitor.broadcaster
    pieces = broadcaster.follow(
        broadcaster.position(), time.monotonic() + 60, lambda: lambda _event: True, feed=feed
    )
    rename(ask, OWN, "Gatehouse")
    kinds = [re.findall(rb"^event: (\w+)$", next(pieces), re.MULTILINE) for _ in range(2)]
    assert kinds == [[b"status", b"rows"], [b"head"]]
    pieces.close()


# -- made once ---------------------------------------------------------------------------------


def test_a_head_is_made_once_for_all_and_at_most_once_a_second() -> None:
    heads, now, made = HeaderCache(), [100.0], list[float]()
    heads.clock = lambda: now[0]

    def ask(kind: str, place: int) -> bytes:
        def make() -> tuple[int, bytes]:
            made.append(now[0])
            return newest, b"%d" % newest

        return heads.newest(kind, place, make)

    newest = 1
    assert [ask("a", 1) for _ in range(100)] == [b"1"] * 100
    assert made == [100]
    newest = 2
    now[0] += MIN_AGE / 2
    assert ask("a", 2) == b"", "too soon for another"
    assert ask("a", 1) == b"1", "who has heard no more than it tells gets it"
    assert ask("b", 2) == b"2", "each kind by itself"
    now[0] += MIN_AGE / 2
    assert [ask("a", 2) for _ in range(100)] == [b"2"] * 100
    assert made == [100, 100.5, 101]
    now[0] += MAX_AGE
    assert ask("a", 2) == b"2"
    assert len(made) == 4, "after a while it is made again, though nothing was told"


def device(id: int) -> Device:
    return Device(id, "camera", "here", (f"mac:{id}",))


def test_a_row_is_drawn_once_until_something_about_it_changes() -> None:
    cache, calls = RenderedRows(), list[list[int]]()
    first, second = device(1), device(2)

    def draw(missing: list[RowSource]) -> list[str]:
        calls.append([source[0].id for source in missing])
        return [f"{source[0].id} {source[1]} {source[2]}" for source in missing]

    def ask(*wanted: RowSource, place: str = "", after: timedelta = timedelta()) -> list[str]:
        return cache.html(place, wanted, NOON + after, draw)  # type: ignore[arg-type]

    assert ask((first, "ACTIVE", ""), (second, "ACTIVE", "")) == ["1 ACTIVE ", "2 ACTIVE "]
    assert ask((second, "ACTIVE", ""), (first, "ACTIVE", "")) == ["2 ACTIVE ", "1 ACTIVE "]
    assert ask((first, "ACTIVE", ""), (second, "OFFLINE", "")) == ["1 ACTIVE ", "2 OFFLINE "]
    assert ask((device(1), "ACTIVE", "")) == ["1 ACTIVE "], "another object, another row"
    assert ask((second, "OFFLINE", "behind 1")) == ["2 OFFLINE behind 1"]
    assert ask((second, "OFFLINE", "behind 1"), place="?q=x") == ["2 OFFLINE behind 1"]
    assert ask((second, "OFFLINE", "behind 1"), after=AGE / 2)
    assert ask((second, "OFFLINE", "behind 1"), after=AGE)
    assert calls == [[1, 2], [2], [1], [2], [2], [2]]


def test_of_many_who_want_the_same_row_at_once_one_draws_it() -> None:
    cache, calls, together = RenderedRows(), list[int](), threading.Barrier(8)
    source: RowSource = (device(1), "ACTIVE", "")

    def draw(missing: object) -> list[str]:
        calls.append(1)
        return ["row"]

    def ask() -> None:
        together.wait()
        assert cache.html("", [source], NOON, draw) == ["row"]

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == [1]


def test_lists_with_other_filters_share_a_row_and_each_has_its_own_links(home: Home) -> None:
    rendered: list[str] = []

    def note(_app: object, template: Template, **_more: object) -> None:
        rendered.append(template.name or "")

    with template_rendered.connected_to(note, home.app):
        for query in ("", "?sort=-name&status=active"):
            page = home.client.get(f"/parts/rows{query}").text
            links = [html.unescape(link) for link in re.findall(r'href="(/cameras[^"]+)"', page)]
            assert sorted(links) == [f"/cameras/{number}{query}" for number in (1, 2)]
    assert rendered.count("parts/row.html") == 2


def test_what_needs_attention_is_worked_out_once_for_a_snapshot(
    home_and_ask: tuple[Home, Ask],
) -> None:
    home, ask = home_and_ask

    def judged() -> Attention:
        with home.app.test_request_context():
            g.person = THIS_MACHINE
            return current_attention()

    first = judged()
    assert judged() is first
    rename(ask, OWN, "Watchtower")
    assert judged() is not first


# -- in the browser ----------------------------------------------------------------------------


def test_an_open_page_follows_without_fetching_anything(
    page: Page, tab: Tab, monitor: Running
) -> None:
    first = page.locator("tr[data-id='1'] td.c-name a")
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(_path(request)))
    before = first.text_content()
    try:
        for name in ("Belfry", "Cloister", "Belfry"):
            assert monitor.request("PATCH", "/api/camera/1", {"name": name}).status == 200
            expect(first).to_have_text(name)
        assert monitor.request("POST", "/api/auto-scan", {"enabled": False}).status == 200
        assert monitor.request("PATCH", "/api/camera/1", {"tags": ["tower"]}).status == 200
        expect(rows(page).first).to_be_visible()
        assert [url for url in fetched if url.startswith("/parts/")] == []
    finally:
        monitor.request("PATCH", "/api/camera/1", {"name": "", "tags": []})
    expect(first).to_have_text(before or "")


def _path(request: Request) -> str:
    return "/" + request.url.split("/", 3)[3]
