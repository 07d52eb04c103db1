"""The pages, as a browser without script uses them."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest

from fleet.model import Sighting
from simulators.panasonic import Camera
from tests.home import Home
from tests.web.browser import Browser, Element
from tests.web.conftest import fill

Make = Callable[..., Home]
COLUMNS = ["Status", "Name", "Address", "MAC and serial", "Model", "Last seen", "Scans answered"]
ORDERS = {
    "Status": "status",
    "Name": "name",
    "Address": "address",
    "MAC and serial": "mac",
    "Model": "model",
    "Last seen": "last_seen",
    "Scans answered": "discoveries",
}


def rows(page: Element) -> list[list[Element]]:
    return [row.find("td") for body in page.find("tbody") for row in body.find("tr")]


def names(page: Element) -> list[str]:
    return [row[1].find("a")[0].text for row in rows(page)]


def counts(page: Element) -> dict[str, tuple[int, str]]:
    """The words of the filters, each with its count and where it leads."""
    links = [link for nav in page.find("nav", **{"class": "filters"}) for link in nav.find("a")]
    return {
        link.text.rpartition(" ")[0]: (int(link.find_one("b").text), link["href"]) for link in links
    }


@pytest.fixture
def browser(mixed: Home) -> Browser:
    return Browser(mixed.client)


# -- the fleet ---------------------------------------------------------------------------


def test_the_table_has_every_column(browser: Browser) -> None:
    assert [head.text for head in browser.visit("/").find("th")] == [*COLUMNS, "90 days"]


def test_each_camera_is_a_row_with_all_of_it_and_what_is_wrong_stands_first(
    mixed: Home, browser: Browser
) -> None:
    page = browser.visit("/")
    assert names(page) == ["Stage", "Yard", "Ramp", "Gate", "NX510"]
    listed = {
        camera["camera_name"]: camera for camera in mixed.client.get("/api/cameras").json["cameras"]
    }
    for row in rows(page):
        name = row[1].find("a")[0].text
        camera = listed[name]
        assert row[0].find("span")[0].text == camera["status"].replace(
            "_", " "
        ).capitalize().replace("Ip", "IP")
        assert row[1].find("a")[0]["href"] == f"/cameras/{camera['id']}"
        assert row[2].text == f"{camera['current_ip']}:{camera['current_port']}"
        assert row[3].text.split() == [
            part for part in (camera["mac_address"], camera["serial_number"]) if part
        ]
        assert row[4].text == camera["model_name"]
        assert row[5].find_one("time")["datetime"] == camera["last_seen"]
        assert row[6].text == str(camera["total_discoveries"])


def test_a_status_is_a_colour_a_sign_and_a_word(browser: Browser) -> None:
    words = {"offline": "Offline", "missing": "Missing", "ip_changed": "IP changed"}
    words["active"] = "Active"
    page = browser.visit("/")
    answer = browser.client.get("/static/marks.svg")
    signs = answer.text
    answer.close()
    for key, title in words.items():
        badge = page.find("span", **{"class": f"badge {key}"})[0]
        assert badge.text == title
        assert badge.find_one("use")["href"].endswith(f"marks.svg#{key}")
        assert f'id="{key}"' in signs


def test_a_row_says_why_a_camera_is_silent_what_is_found_and_that_it_is_a_recorder(
    browser: Browser,
) -> None:
    by_name = {row[1].find("a")[0].text: row for row in rows(browser.visit("/"))}
    assert "no response" in by_name["Stage"][1].text
    assert "recorder" in by_name["NX510"][1].text
    assert "no administrator password" in by_name["Gate"][0].text


def test_each_count_is_a_link_to_as_many_rows(mixed: Home, browser: Browser) -> None:
    tabs = counts(browser.visit("/"))
    assert {status: count for status, (count, _link) in tabs.items()} == {
        "All": 5,
        "Active incl. IP changed": 3,
        "IP changed": 1,
        "Offline": 1,
        "Missing": 1,
        "Findings": 1,
        "Retired": 1,
    }
    for status, (count, link) in tabs.items():
        page = browser.visit(link)
        assert len(rows(page)) == count, status
        current = page.find_one("nav", **{"class": "filters"}).find_one(
            "a", **{"aria-current": "true"}
        )
        assert current.text == f"{status} {count}"


@pytest.mark.parametrize("start", ["/?q=gate", "/?findings=true", "/?status=missing&sort=name"])
def test_each_count_is_kept_by_the_page_it_leads_to_from_wherever_one_comes(
    browser: Browser, start: str
) -> None:
    for status, (count, link) in counts(browser.visit(start)).items():
        assert len(rows(browser.visit(link))) == count, f"{status}, from {start} to {link}"


@pytest.mark.parametrize("text", ["gate", "127.20.0.1", "D42D.C500.0005", "<b>", "a b&c=d", "ö"])
def test_a_search_shows_what_the_api_finds_and_keeps_the_words(
    mixed: Home, browser: Browser, text: str
) -> None:
    page = browser.visit(f"/?q={quote(text)}")
    cameras = mixed.client.get(f"/api/cameras?q={quote(text)}&sort=status").json["cameras"]
    assert names(page) == [camera["camera_name"] for camera in cameras]
    assert page.find_one("input", name="q")["value"] == text


def test_a_search_stays_within_the_status_that_was_chosen(browser: Browser) -> None:
    form = browser.visit("/?status=active").find_one("form", **{"class": "search"})
    assert form.find_one("input", name="status")["value"] == "active"
    assert form.get("method", "get") == "get"


@pytest.mark.parametrize("column", COLUMNS)
def test_the_head_of_a_column_sorts_by_it_and_back(
    mixed: Home, browser: Browser, column: str
) -> None:
    page = browser.visit("/?sort=id")
    for sign, direction in (("", "ascending"), ("-", "descending")):
        head = next(heading for heading in page.find("th") if heading.text == column)
        page = browser.visit(head.find_one("a")["href"])
        query = f"/api/cameras?sort={sign}{ORDERS[column]}"
        listed = mixed.client.get(query).json["cameras"]
        assert names(page) == [camera["camera_name"] for camera in listed]
        head = next(heading for heading in page.find("th") if heading.text == column)
        assert head["aria-sort"] == direction


def test_a_value_in_the_url_that_does_not_fit_is_left_out(browser: Browser) -> None:
    page = browser.visit("/?status=sleeping&sort=colour&page=x&per_page=0&q=gate&nothing=1")
    assert names(page) == ["Gate"]


def test_when_nothing_matches_the_page_says_so_and_leads_back(browser: Browser) -> None:
    page = browser.visit("/?q=nowhere")
    empty = page.find_one("div", **{"class": "empty"})
    assert empty.text == "No devices match: “nowhere”.Show all 5"
    assert len(rows(browser.visit(empty.find_one("a")["href"]))) == 5


def test_a_big_fleet_comes_in_pages_that_hold_everybody_once(make_home: Make) -> None:
    home = make_home()
    fill(home, 250)
    browser = Browser(home.client)
    page = browser.visit("/?sort=id")
    links = page.find_one("span", id="pages").find("a")
    assert [link.text for link in links] == ["1", "2", "3", "5"]
    links.insert(3, browser.visit(links[2]["href"]).find_one("span", id="pages").find("a")[3])
    assert "250 cameras" in page.text
    seen = [name for link in links for name in names(browser.visit(link["href"]))]
    assert len(seen) == len(set(seen)) == 250


def test_an_empty_fleet_says_what_to_do(make_home: Make) -> None:
    home = make_home()
    page = Browser(home.client).visit("/")
    empty = page.find_one("div", **{"class": "empty"})
    assert "No devices yet" in empty.text
    assert "adds every Panasonic, i-PRO and ONVIF device" in empty.text
    assert "Upload a workbook" in empty.text
    assert empty.form("/scan").find_one("button").text == "Scan network"
    home.scan()
    assert "UDP" in Browser(home.client).visit("/").find_one("div", id="no-devices").text


def test_a_status_that_nobody_renewed_says_as_of_when(make_home: Make) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1"))
    home.scan()
    browser = Browser(home.client)
    stale = "Not scanned for 11 min: statuses may be out of date."
    fresh = browser.visit("/")
    assert stale not in fresh.text
    assert "No problems found." in fresh.find_one("section", id="wrong").text
    home.clock.forward(minutes=11)
    page = browser.visit("/")
    assert page.find_one("section", id="wrong").text == "No problems at the last scan."
    head = page.find_one("div", id="did").find("p")[0]
    assert " ".join(head.text.split("since")[0].split()) == "Not scanned for 11 min"
    assert "statuses may be out of date" in head.text
    assert "last known at" not in page.text, "said once"
    state = browser.visit("/cameras/1").find_one("p", **{"class": "state"}).text
    assert "not checked for 11 min" in " ".join(state.split())


def test_the_jobs_tell_of_a_scan_that_a_person_started(make_home: Make) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1"))
    browser = Browser(home.client)

    def scan_row() -> str:
        jobs = browser.visit("/settings/jobs").find_one("div", id="jobs")
        return next(row.text for row in jobs.find("tr") if "Scan the network" in row.text)

    assert "never" in scan_row()
    assert home.client.post("/api/scan").status_code == 200
    home.monitor.scanner.wait(30)
    assert "1 device online, started on this server" in scan_row()
    assert "never" not in scan_row()


def test_the_page_says_what_the_last_scan_did(browser: Browser) -> None:
    text = browser.visit("/").find_one("div", id="did").text
    assert "3 online, 2 not responding" in text
    assert "requests" not in text, "what was sent is on the page of the sources"
    assert "6 requests on lo" in browser.visit("/settings/sources").text


def test_the_buttons_refresh_and_export_are_links(browser: Browser) -> None:
    links = {link.text: link["href"] for link in browser.visit("/?status=active").find("a")}
    assert links["Refresh"] == "/?status=active"
    this_list = "/api/export?status=active&format=csv&columns="
    assert links["CSV"].startswith(this_list)
    assert links["JSON"] == "/api/export"


# -- every page --------------------------------------------------------------------------

PAGES = ["/", "/?q=nowhere", "/cameras/1", "/cameras/3", "/cameras/6", "/cameras/99", "/api/docs"]


@pytest.mark.parametrize("path", [*PAGES, "/api/cameras", "/healthz", "/static/style.css", "/no"])
def test_every_answer_carries_the_headers_that_protect_it(mixed: Home, path: str) -> None:
    answer = mixed.client.get(path, headers={"Accept": "text/html"})
    rules = dict(
        directive.split(" ", 1)
        for directive in answer.headers["Content-Security-Policy"].split("; ")
    )
    assert rules["default-src"] == "'none'"
    assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["form-action"] == rules["script-src"] == rules["style-src"] == "'self'"
    assert rules["img-src"] == "'self' data: blob:"
    assert rules["media-src"] == "'self' blob:"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    if not path.startswith("/static"):
        assert answer.headers["Cache-Control"] == "no-store"
    answer.close()


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_script_or_style_in_it_or_asks_another_host(mixed: Home, path: str) -> None:
    answer = mixed.client.get(path, headers={"Accept": "text/html"})
    page = Browser(mixed.client).visit(path, answer.status_code)
    assert not page.find("style")
    assert all(script.get("src") and not script.text for script in page.find("script"))
    for element in page.all():
        assert "style" not in element.attributes
        assert not [name for name in element.attributes if name.startswith("on")]
        for name in ("href", "src", "action"):
            target = element.get(name)
            if (
                name == "href" and element.get("target") == "_blank"
            ):  # the web page of the device itself
                address = mixed.client.get(f"/api/camera/{path[9:]}").json["current_ip"]
                assert target == f"http://{address}/"
                assert element["rel"] == "noopener noreferrer"
                continue
            assert not target or (target[0] in "/#" and not target.startswith("//"))


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_a_language_a_title_and_one_heading_at_the_most(
    mixed: Home, path: str
) -> None:
    answer = mixed.client.get(path, headers={"Accept": "text/html"})
    page = Browser(mixed.client).visit(path, answer.status_code)
    assert page.find_one("html")["lang"] == "en"
    assert page.find_one("head").find_one("title").text
    assert len(page.find("h1")) <= 1
    assert page.find_one("main").text


def test_every_link_and_every_file_of_the_pages_is_there(mixed: Home) -> None:
    browser, seen = Browser(mixed.client), {"/"}
    waiting = ["/"]
    while waiting:
        for element in browser.visit(waiting.pop()).all():
            target = element.get("href").partition("#")[0]
            if target.startswith("/") and target not in seen:
                seen.add(target)
                answer = mixed.client.get(target)
                assert answer.status_code == 200, target
                is_page = answer.mimetype == "text/html" and "?" not in target
                waiting += [target] if is_page else []
                answer.close()
    assert {"/cameras/1", "/api/docs", "/static/style.css", "/static/icon.svg"} <= seen


def test_the_licences_are_those_of_what_the_server_runs_on(browser: Browser) -> None:
    shown = browser.visit("/settings/about").text
    assert "Flask" in shown
    assert "SQLAlchemy" in shown
    assert "playwright" not in shown, "what only tests need does not ship"


def test_a_recorder_behind_the_cloud_has_no_port_until_it_has_an_address(chain: Home) -> None:
    def ports() -> list[str]:
        facts = Browser(chain.client).visit(f"/cameras/{number}").find_one("aside", id="detail")
        titles = [title.text for title in facts.find("dt")]
        return [
            value.text
            for title, value in zip(titles, facts.find("dd"), strict=True)
            if title == "Port"
        ]

    now, row = chain.clock(), "row:B-1"
    number = chain.client.get("/api/cameras?q=B-1").json["cameras"][0]["id"]
    facts = {"port": 37777}
    seen = Sighting("B-1", (row,), "easy4ip", now, kind="recorder", facts=facts, asked=now)
    chain.monitor.tracker.apply([seen], now)
    assert chain.client.get(f"/api/camera/{number}").json["current_port"] == 37777
    assert ports() == []
    chain.monitor.tracker.apply([replace(seen, address="10.1.4.21")], now)
    assert ports() == ["37777"]
