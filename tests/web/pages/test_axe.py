"""Can everybody read and use it? axe-core judges each page, in both looks and two widths."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from fleet.model import Edit
from simulators.panasonic import Camera, Network
from tests.home import Clock, Home, Running, running
from tests.video.recorded_files import Shelf
from tests.web.chromium import Listener, Tab, detail, numbered
from tests.web.roles import TABLE
from tests.web.visits import basic, closed_monitor, log_in, open_logged_in, press

GRAVE = ("serious", "critical")
LOOKS = ("light", "dark")
WIDTHS = (1440, 360)
NO_PAGES = ("/api/", "/parts/", "/static/", "/v0/")
"""The beginnings of the addresses of data, parts of pages, and files."""
NO_PAGE = {
    *("/healthz", "/readyz", "/metrics", "/openapi.json", "/logo", "/manifest.webmanifest"),
    "/settings",  # leads on to the first of its pages
    "/cameras/<key>/check",  # leads on to the page of the device
    "/wall/shared/<token>",  # test_wall.py opens it by a link
    "/wall/shared/<token>/live",
}
ENTRIES = {"/login", "/setup"}
"""Pages with tests of their own."""
OF_USERS = {"/account", "/settings/users", "/settings/users/<int:id>", "/settings/audit"}
"""Pages that are judged where there are accounts, as an admin sees them."""
EXAMPLES = {
    "/": ("/", "/?q=nobody+has+this+name", "/?retired=true"),
    "/cameras/<key>": ("/cameras/1", "/cameras/3", "/cameras/3?events=status"),
    "/cameras/<key>/connection": ("/cameras/1/connection", "/cameras/1/connection?source=onvif"),
    "/events": ("/events", "/events?q=nobody+has+this+name"),
    "/recordings/<key>": ("/recordings/1", "/recordings/1?day=2026-02-28&stream=sub"),
    "/cameras/<key>/stills": ("/cameras/1/stills", "/cameras/1/stills?day=2026-02-28"),
    "/cameras/<key>/picture-health": ("/cameras/1/picture-health",),
    "/stills": ("/stills", "/stills?day=2026-02-28&hour=7"),
    "/recordings/<int:id>/link": ("/recordings/1/link",),
    "/recordings/coverage": ("/recordings/coverage", "/recordings/coverage?from=x"),
    "/filters": ("/filters", "/filters?find=nobody+has+this+name"),
    "/views": ("/views", "/views?status=active"),
    "/settings/credentials/<id>": ("/settings/credentials/c1",),
    "/schedules/edit": ("/schedules/edit?schedule=1",),
    "/settings/users/<int:id>": ("/settings/users/4",),  # who has a grant and a token
}
"""The addresses under which a page is judged, where there is more than its own."""
ROUTES = [
    rule
    for method, rule in TABLE
    if method == "GET"
    and (rule == "/api/docs" or not (rule.startswith(NO_PAGES) or rule in NO_PAGE))
]
"""Every page: tests/web/http/test_roles.py sees to it that TABLE has every route."""


def addresses(rules: Iterable[str]) -> list[str]:
    return [path for rule in rules for path in EXAMPLES.get(rule, (rule,))]


PAGES = addresses(rule for rule in ROUTES if rule not in ENTRIES | OF_USERS)
OWN_PAGES = [*addresses(rule for rule in ROUTES if rule in OF_USERS), "/settings/jobs"]

both_looks = pytest.mark.parametrize("look", LOOKS)


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A camera in each state, so that each colour is seen.

    1 Gate, active, no password set · 2 a recorder · 3 Stage, offline · 4 Yard, missing ·
    5 Ramp, moved · 6 Attic, retired · 7 Cellar, behind the Stage
    """
    folder = tmp_path_factory.mktemp("cast")
    play(folder)
    with running(folder) as monitor:
        shown = {row["status"] for row in monitor.get("/api/cameras").json["cameras"]}
        assert shown == {"ACTIVE", "IP_CHANGED", "OFFLINE", "MISSING", "UNREACHABLE"}
        yield monitor


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A closed monitor, where somebody has a token."""
    with closed_monitor(tmp_path_factory.mktemp("closed")) as monitor:
        made = monitor.request("POST", "/api/tokens", {"name": "Report"}, basic("Lea"))
        assert made.status == 201
        yield monitor


def play(folder: Path) -> None:
    """Let the cameras do since yesterday what brings them into their states."""
    clock = Clock()
    clock.now = datetime.now(UTC) - timedelta(hours=26)
    gate = Camera("d4:2d:c5:00:00:01", "127.20.0.9", "Gate", password_set=False)
    recorder = Camera("d4:2d:c5:00:00:02", "127.20.0.10", family="NX")
    stage = Camera("a8:13:74:00:00:03", "127.20.0.100", "Stage", family="AW")
    yard = Camera("d4:2d:c5:00:00:04", "127.20.1.1", "Yard")
    ramp = Camera("d4:2d:c5:00:00:05", "127.20.0.20", "Ramp")
    attic = Camera("d4:2d:c5:00:00:06", "127.20.0.30", "Attic")
    cellar = Camera("d4:2d:c5:00:00:07", "127.20.0.40", "Cellar")
    home = Home(folder, clock, gate, recorder, stage, yard, ramp, attic, cellar)
    try:
        home.scan()
        clock.forward(hours=25)
        yard.on = False
        home.scan()
        stage.on = attic.on = cellar.on = False
        ramp.ip = "127.20.0.200"
        above = home.client.get(f"/api/camera/{stage.mac}").json["id"]
        below = {"parent": above, "notes": "Behind the bar", "tags": ["cold", "wet"]}
        assert home.client.patch(f"/api/camera/{cellar.mac}", json=below).status_code == 200
        assert home.client.post(f"/api/camera/{attic.mac}/retire").status_code == 200
        home.scan()
        login = {"name": "Gate cameras", "username": "admin"}
        home.monitor.tracker.apply([Edit("credentials", "c1", login, "Ada", clock())], clock())
        link = {"source": "rtsp", "host": "127.20.0.9", "credentials": "c1"}
        home.monitor.tracker.apply([Edit("link", "id:1", link, "Ada", clock())], clock())
        for values in ({"is_active": False}, {"start_date": "2190-01-01"}):  # nothing is due
            body = {"name": "Nights", "camera": 1, "schedule_type": "weekly", **values}
            body |= {"start_time": "18:00", "end_time": "06:00", "days_of_week": ["friday"]}
            assert home.client.post("/api/schedules", json=body).status_code == 201
        shelf = Shelf(home.monitor.journal.engine, home.settings.media_dir / "recordings")
        assert shelf.recording(1, clock() - timedelta(hours=1), 60, name="Delivery") == 1
        for number in range(10):  # so many events that their list scrolls
            note = {"notes": f"Looked at it {number} times"}
            assert home.client.patch(f"/api/camera/{gate.mac}", json=note).status_code == 200
    finally:
        home.close()


def with_look(look: str) -> dict[str, Any]:
    """Options for a tab of somebody who chose it."""
    cookie = {"name": "theme", "value": look, "domain": "127.0.0.1", "path": "/", "expires": -1}
    hidden = {"httpOnly": False, "secure": False, "sameSite": "Lax"}
    return {"storage_state": {"cookies": [cookie | hidden], "origins": []}}


def faults(page: Page) -> list[str]:
    """What axe finds grave in the page as it stands. Evaluated, so the page's policy stands too."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    violations = page.evaluate(
        "axe.run({resultTypes: ['violations']}).then((result) => result.violations)"
    )
    return [
        f"{fault['impact']} {fault['id']}: {' '.join(node['target'])}\n    {node['failureSummary']}"
        for fault in violations
        for node in fault["nodes"]
        if fault["impact"] in GRAVE
    ]


def judge(page: Page, look: str, stays: str = "body") -> None:
    """No grave fault at any width, while what `stays` names is to be seen."""
    expect(page.locator("html")).to_have_attribute("data-theme", look)
    expect(page.locator(stays)).to_be_visible()
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    complaints = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        complaints += [f"{width} px wide, {look}: {fault}" for fault in faults(page)]
        expect(page.locator(stays)).to_be_visible()
    assert not complaints, "\n".join([page.url, *complaints])


def judge_both_looks(page: Page, stays: str = "body") -> None:
    """The same in one look after the other, without a reload, which costs as much as the judging
    and would end some states."""
    for look in LOOKS:
        page.evaluate("(look) => { document.documentElement.dataset.theme = look; }", look)
        judge(page, look, stays)


def test_a_text_too_pale_to_read_is_found(tab: Tab, cast: Running) -> None:
    page = tab(cast, "/settings/about")
    page.evaluate("document.querySelector('h1').style.color = '#ccc'")
    assert any(fault.startswith("serious color-contrast: h1") for fault in faults(page))


def test_the_special_cases_are_pages() -> None:
    routes = {rule for method, rule in TABLE if method == "GET"}
    assert not {*EXAMPLES, *OF_USERS, *ENTRIES, *NO_PAGE} - routes
    assert not [path for path in (*PAGES, *OWN_PAGES) if "<" in path], "add it to EXAMPLES"


@pytest.mark.parametrize("path", PAGES)
def test_everybody_can_read_and_use_the_page(
    path: str, tab: Tab, cast: Running, listener: Listener
) -> None:
    listener.allowed.append("status of 503 .*/stills")  # no camera there has a picture
    judge_both_looks(tab(cast, path))


def test_everybody_can_use_the_page_of_a_monitor_without_cameras(
    tab: Tab, run_monitor: Callable[..., Running]
) -> None:
    judge_both_looks(tab(run_monitor()), ".empty")


@both_looks
def test_everybody_can_read_that_a_page_is_not_there(
    look: str, tab: Tab, cast: Running, listener: Listener
) -> None:
    listener.allowed.append("status of 404")
    judge(tab(cast, "/nowhere", **with_look(look)), look)


@pytest.mark.parametrize("scheme", LOOKS)
def test_everybody_can_read_that_the_monitor_is_closed_to_them(
    scheme: str, tab: Tab, cast: Running, listener: Listener
) -> None:
    listener.allowed.append("status of 40[34]")  # its icon is closed too
    headers = {"X-Forwarded-For": "192.0.2.7"}
    page = tab(cast, color_scheme=scheme, extra_http_headers=headers)
    expect(page.get_by_role("heading")).to_contain_text("is not set up yet")
    assert not faults(page)


DEAF = """
    window.EventSource = class extends EventSource {
        addEventListener(kind, listener) {
            super.addEventListener(kind, (event) => window.isDeaf || listener(event));
        }
    };
"""
"""Lets a page ignore its event stream from some moment on."""


def test_everybody_can_follow_a_scan(tab: Tab, monitor: Running, network: Network) -> None:
    page = tab(monitor)
    page.add_init_script(DEAF)
    page.reload()
    for _attempt in range(6):  # on a busy machine a scan is over before the page shows it
        page.locator("#scan").click()
        with suppress(AssertionError):
            expect(page.locator("#progress")).to_be_visible(timeout=8000)
            break
    page.evaluate("() => { window.isDeaf = true; }")
    expect(page.locator("#progress")).to_be_visible()
    page.route("**/parts/top*", lambda _route: None)  # unanswered: it looks like this for good
    judge_both_looks(page, "#progress")


def test_everybody_can_use_the_account_menu_and_the_actions_of_a_phone(
    tab: Tab, cast: Running
) -> None:
    page = tab(cast)
    page.locator(".me").click()
    judge_both_looks(page, "#account-menu")
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 360, "height": 800})
    page.get_by_role("button", name="Actions").click()
    judge_both_looks(page, "#scan")


def test_everybody_can_use_the_list_of_keys(tab: Tab, cast: Running) -> None:
    page = tab(cast)
    page.keyboard.press("?")
    judge_both_looks(page, "#keys")


def test_everybody_can_use_the_filters_the_views_and_the_palette(tab: Tab, cast: Running) -> None:
    page = tab(cast, "/?status=active&q=a")
    for link, stays in (("#open-filter", ".facets"), ("#open-views", ".save-view")):
        page.locator(link).click()
        judge_both_looks(page, stays)
        page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("a")
    judge_both_looks(page, "#palette [aria-selected=true]")


def test_everybody_can_read_and_undo_what_was_done(
    tab: Tab, monitor: Running, network: Network
) -> None:
    page = tab(monitor, f"/cameras/{numbered(monitor, 'Camera 9')}")
    detail(page).get_by_label("Notes").fill("Behind the bar")
    page.evaluate("() => { window.later = setTimeout; window.setTimeout = () => 0; }")  # they stay
    detail(page).get_by_role("button", name="Save").click()
    expect(page.locator(".toast button")).to_be_visible()
    page.evaluate("() => { window.setTimeout = later; }")
    judge_both_looks(page, ".toast button")


def test_everybody_can_read_what_does_not_fit(tab: Tab, cast: Running, listener: Listener) -> None:
    listener.allowed.append(r"status of 4\d\d .*/api/camera/")
    page = tab(cast, "/cameras/1")
    detail(page).get_by_label("Connected through").fill("No such camera")
    detail(page).get_by_role("button", name="Save").click()
    judge_both_looks(page, ".edit .error")


# -- accounts ------------------------------------------------------------------------------


def test_everybody_can_come_in(tab: Tab, closed: Running, listener: Listener) -> None:
    listener.allowed.append("status of 401")
    page = tab(closed)
    judge_both_looks(page, ".enter")
    log_in(page, "Lea", "not her password")
    judge_both_looks(page, "#fault")


def test_everybody_can_make_the_first_account(
    tab: Tab, run_monitor: Callable[..., Running], listener: Listener
) -> None:
    listener.allowed.append("status of 422")
    page = tab(run_monitor(), "/settings/users")
    judge_both_looks(page, ".empty")
    page.goto("/setup")
    judge_both_looks(page, ".enter")
    page.get_by_label("Name").fill("Ada")
    for field in page.locator('input[type="password"]').all():
        field.fill("password123")
    press(page, "Create account")
    judge_both_looks(page, "#fault")


def test_everybody_can_use_the_pages_of_accounts(
    tab: Tab, closed: Running, listener: Listener
) -> None:
    listener.allowed.append("status of 422")
    page = open_logged_in(tab, closed, "Ada")
    for path in OWN_PAGES:
        page.goto(path)
        judge_both_looks(page)
    page.goto("/settings/users/4")
    press(page, "Grant")
    judge_both_looks(page, "#fault")
    page.goto("/account")
    page.get_by_label("Name, for example").fill("Report")
    press(page, "Create token")
    judge_both_looks(page, "#token")
