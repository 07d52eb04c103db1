"""The requests of the DVR dashboard, at a real monitor with a simulated cloud behind it."""

import csv
import io
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import openpyxl
import pytest

from simulators.easy4ip import Cloud, Recorder
from simulators.easy4ip_wire import KEY, USER
from simulators.panasonic import Camera
from sources import easy4ip
from sources.easy4ip_wire import KeyPair
from tests.home import Clock, Home, until
from tests.web.browser import read
from tests.workbooks import write

FORMULA = "@SUM(1+1)"
ROWS = [
    ("AB12345", "SITE-001", "Mall"),
    ("AB12346", "SITE-002", FORMULA),
    ("AB12347", "SITE-003", "Pier, east"),
]
TITLES = ["P2P NUMBER", "SITE", "STORE NAME"]


@dataclass
class Shop:
    """A monitor that watches a camera and the recorders of a workbook, and their cloud."""

    home: Home
    cloud: Cloud = field(repr=False)

    def get(self, path: str):
        answer = self.home.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json

    def sweep(self, spread: float = 0.0):
        """What the monitor does by itself every minute."""
        self.home.clock.forward(seconds=60)
        return self.home.monitor.scanner.sweep(easy4ip.NAME, spread)

    def refresh(self):
        self.home.clock.forward(seconds=60)
        answer = self.home.client.post("/api/refresh")
        assert answer.status_code == 200, answer.text
        return answer.json

    def sites(self, status: str = "all") -> list[str]:
        return [row["SITE"] for row in self.get(f"/api/dvrs?status={status}")["items"]]

    def statuses(self) -> dict[str, str]:
        return {row[1]: self.get(f"/api/search?site={row[1]}")["status"] for row in ROWS}

    def last_known(self) -> set[str]:
        """The sites whose status is only the last known one."""
        return {row["site"] for row in self.get("/api/cameras")["cameras"] if row["as_of"]}

    def update(self, **body: object):
        return self.home.client.post("/api/update-p2p", json=body)


@pytest.fixture
def shop(make_home: Callable[..., Home]) -> Iterator[Shop]:
    cloud = Cloud([Recorder(row[0], n % 2) for n, row in enumerate(ROWS)], servers=2)
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.9", "Gate"))
    with cloud:
        options = easy4ip.Easy4IpOptions(
            clock=home.clock,
            server=cloud.main.address,
            keys=KeyPair(USER, KEY),
            waits=(0.05, 0.1, 0.15),
        )
        cloud.clock = lambda: home.clock().timestamp()
        home.monitor.scanner.sources[easy4ip.NAME] = easy4ip.source(options)
        write(home.settings.p2p_workbook, ROWS)
        home.monitor.workbooks.sync()
        yield Shop(home, cloud)
        assert cloud.faults == []
        assert cloud.refused == 0
        assert not cloud.asked_foreign


def silence(cloud: Cloud, silent: bool = True) -> None:
    with cloud.lock:
        for server in cloud.servers:
            server.silent = silent


# -- the requests ------------------------------------------------------------------------------


def test_the_list_has_exactly_the_columns_of_the_workbook(shop):
    assert shop.get("/api/dvrs") == {"items": [dict(zip(TITLES, row, strict=True)) for row in ROWS]}
    assert shop.get("/api/dvrs/") == shop.get("/api/dvrs")
    assert [list(row) for row in shop.get("/api/dvrs?status=all")["items"]] == [TITLES] * 3


def test_the_list_is_chosen_by_status_and_what_was_not_asked_yet_is_not_online(shop):
    assert shop.sites("offline") == ["SITE-001", "SITE-002", "SITE-003"]
    shop.cloud.recorders["AB12346"].state = "offline"
    shop.refresh()
    assert shop.sites("online") == ["SITE-001", "SITE-003"]
    assert shop.sites("offline") == ["SITE-002"]
    assert len(shop.sites("all")) == 3


@pytest.mark.parametrize("query", ["status=missing", "status=", "state=online"])
def test_another_status_is_refused(shop, query):
    assert shop.home.client.get(f"/api/dvrs?{query}").status_code == 422


def test_a_site_is_found_by_its_exact_name(shop):
    shop.refresh()
    assert shop.get("/api/search?site=SITE-001") == {
        "P2P NUMBER": "AB12345",
        "SITE": "SITE-001",
        "STORE NAME": "Mall",
        "status": "online",
    }


@pytest.mark.parametrize("site", ["site-001", "SITE-00", "SITE-0011", "SITE-009", "Gate", ""])
def test_any_other_name_is_unknown(shop, site):
    answer = shop.home.client.get(f"/api/search?site={site}")
    assert answer.status_code == 404
    assert list(answer.json) == ["error", "hint"]


@pytest.mark.parametrize(
    ("serial", "why"),
    [
        (None, "P2P NUMBER of 104 is empty"),
        ("AB12345", "P2P NUMBER AB12345 is already used in row 2"),
    ],
)
def test_a_site_without_a_serial_of_its_own_is_told_with_its_row_and_can_be_filled(
    shop, serial, why
):
    write(shop.home.settings.p2p_workbook, [*ROWS, (serial, 104, "Dock")])
    shop.home.monitor.workbooks.sync()
    answer = shop.home.client.get("/api/search?site=104")
    assert answer.status_code == 404
    assert answer.json["error"] == f"Row 5 of P2P1.xlsx was skipped: {why}"
    assert "POST /api/update-p2p" in answer.json["hint"]
    filled = shop.update(site="104", p2pNumber="AB12348")
    assert (filled.status_code, filled.json) == (200, {"ok": True})
    assert shop.get("/api/search?site=104")["P2P NUMBER"] == "AB12348"
    shop.home.monitor.workbooks.sync()
    sheet = openpyxl.load_workbook(shop.home.settings.p2p_workbook).active
    assert [sheet["A5"].value, sheet["B5"].value] == ["AB12348", 104]


def test_a_site_is_found_whatever_cannot_be_seen_in_its_name(shop):
    for text in ("SITE-001%E2%80%8B", "%EF%BB%BFSITE-001", "SITE-001%1A"):
        assert shop.get(f"/api/search?site={text}")["SITE"] == "SITE-001"


def test_a_row_that_left_the_workbook_is_in_no_answer(shop):
    write(shop.home.settings.p2p_workbook, ROWS[:2])
    shop.home.monitor.workbooks.sync()
    assert shop.sites() == ["SITE-001", "SITE-002"]
    assert shop.home.client.get("/api/search?site=SITE-003").status_code == 404
    assert shop.refresh()["total"] == 2


def test_another_serial_counts_at_once_and_stands_in_the_workbook_soon(shop):
    shop.cloud.recorders["NEW12345"] = Recorder("NEW12345")
    shop.cloud.recorders["AB12345"].state = "offline"
    shop.refresh()
    assert shop.statuses()["SITE-001"] == "offline"
    answer = shop.update(site="SITE-001", p2pNumber="new12345")
    assert (answer.status_code, answer.json) == (200, {"ok": True})
    assert shop.get("/api/search?site=SITE-001")["P2P NUMBER"] == "new12345"
    shop.refresh()
    assert shop.statuses()["SITE-001"] == "online"
    sheet = openpyxl.load_workbook(shop.home.settings.p2p_workbook).active
    assert sheet["A2"].value == "new12345"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"site": "SITE-009", "p2pNumber": "NEW12345"}, 404),
        ({"site": "SITE-001", "p2pNumber": "no serial!"}, 422),
        ({"site": "SITE-001", "p2pNumber": "AB12346"}, 422),
        ({"site": "SITE-001"}, 422),
        ({"site": "SITE-001", "p2pNumber": 12345}, 422),
        ({"site": "SITE-001", "p2pNumber": "NEW12345", "more": 1}, 422),
    ],
)
def test_a_serial_that_does_not_fit_is_refused_and_changes_nothing(shop, body, status):
    answer = shop.update(**body)
    assert answer.status_code == status
    assert list(answer.json) == ["error", "hint"]
    assert shop.get("/api/search?site=SITE-001")["P2P NUMBER"] == "AB12345"
    assert shop.home.monitor.workbooks.pending() == {}


def test_the_audit_log_has_the_serial_that_counts_and_not_what_was_typed(shop):
    assert shop.update(site="SITE-001", p2pNumber=" abc 123456 ").status_code == 200
    entry = shop.get("/api/audit?action=workbook.changed")[0]
    assert (entry["before"], entry["after"]) == ({"p2p": "AB12345"}, {"p2p": "abc123456"})


@pytest.mark.parametrize(("length", "status"), [(500, 200), (501, 422)])
def test_a_site_of_500_characters_is_found(shop, length, status):
    write(shop.home.settings.p2p_workbook, [("AB12348", "S" * 500, "Long")])
    shop.home.monitor.workbooks.sync()
    assert shop.home.client.get(f"/api/search?site={'S' * length}").status_code == status


def number_of(shop: Shop, site: str) -> int:
    return next(device.id for device in shop.home.devices() if device.site == site)


def page_of(shop: Shop, site: str) -> str:
    url = f"/cameras/{number_of(shop, site)}"
    return shop.home.client.get(url, headers={"Accept": "text/html"}).text


def test_a_recorder_of_the_workbook_is_neither_retired_nor_merged_with_another(shop):
    shop.refresh()
    first, second = number_of(shop, "SITE-001"), number_of(shop, "SITE-002")
    for path, body in (("retire", None), ("merge", {"with": second})):
        answer = shop.home.client.post(f"/api/camera/{first}/{path}", json=body)
        assert answer.status_code == 409
        assert "workbook" in answer.json["error"]
    assert "Retire camera" not in page_of(shop, "SITE-001")
    assert "Retire camera" in page_of(shop, "here")


def rows_of(shop: Shop, status: str) -> list[list[str]]:
    answer = shop.home.client.get(f"/api/download.csv?status={status}")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="dvrs_{status}.csv"'
    assert answer.text.startswith("P2P NUMBER,SITE,STORE NAME\r\n")
    return list(csv.reader(io.StringIO(answer.text)))[1:]


def test_the_download_has_the_rows_and_no_formula(shop):
    assert rows_of(shop, "all") == [
        ["AB12345", "SITE-001", "Mall"],
        ["AB12346", "SITE-002", f"'{FORMULA}"],
        ["AB12347", "SITE-003", "Pier, east"],
    ]


def test_the_download_is_chosen_by_status(shop):
    shop.cloud.recorders["AB12347"].state = "offline"
    shop.refresh()
    assert [row[1] for row in rows_of(shop, "offline")] == ["SITE-003"]
    assert [row[1] for row in rows_of(shop, "online")] == ["SITE-001", "SITE-002"]


# -- asking the cloud --------------------------------------------------------------------------


def test_a_refresh_waits_and_counts_recorders_only(shop):
    shop.cloud.recorders["AB12347"].state = "silent"
    answer = shop.refresh()
    assert list(answer) == ["ok", "total", "online", "offline", "lastUpdated"]
    assert answer["lastUpdated"] == shop.home.clock().timestamp()
    assert {key: answer[key] for key in ("ok", "total", "online", "offline")} == {
        "ok": True,
        "total": 3,
        "online": 2,
        "offline": 1,
    }
    assert len(shop.home.devices()) == 4
    stats = shop.get("/api/stats?kind=recorder")
    assert {key: stats[key] for key in ("total", "online")} == {"total": 3, "online": 2}


def test_a_refresh_and_the_counts_agree_about_recorders_that_a_scan_found(tmp_path):
    nvr = Camera("d4:2d:c5:00:00:09", "127.20.0.19", family="NX")
    home = Home(tmp_path, Clock(), nvr, Camera("d4:2d:c5:00:00:08", "127.20.0.18"))
    try:
        home.scan()
        answer = home.client.post("/api/refresh").json
        stats = home.client.get("/api/stats?kind=recorder").json
        assert (answer["total"], answer["online"], answer["offline"]) == (1, 1, 0)
        assert (stats["total"], stats["online"]) == (1, 1)
    finally:
        home.close()


def test_what_was_swept_counts_as_updated_and_so_does_a_later_scan(shop):
    assert shop.get("/api/stats")["lastUpdated"] is None
    shop.sweep()
    stats = shop.get("/api/stats")
    assert (stats["last_scan"], stats["lastUpdated"]) == (None, shop.home.clock().timestamp())
    shop.home.clock.forward(seconds=60)
    shop.home.scan()
    scanned = shop.get("/api/stats")
    assert scanned["lastUpdated"] == shop.home.clock().timestamp()
    shop.sweep()
    stats = shop.get("/api/stats")
    assert stats["lastUpdated"] == shop.home.clock().timestamp()
    assert stats["last_scan"] == scanned["last_scan"]


def test_a_refresh_reads_a_workbook_that_was_changed_a_moment_ago(shop):
    shop.cloud.recorders["AB12348"] = Recorder("AB12348")
    write(shop.home.settings.p2p_workbook, [*ROWS, ("AB12348", "SITE-004", "Dock")])
    assert shop.refresh()["online"] == 4


def test_a_refresh_does_not_wait_for_a_sweep_that_takes_its_time(shop):
    slow = threading.Thread(target=shop.sweep, args=(50.0,))
    slow.start()
    until(lambda: shop.cloud.asked.total() > 0)
    assert shop.refresh()["online"] == 3
    slow.join(20)
    assert not slow.is_alive()
    assert shop.sweep() is not None
    assert shop.statuses() == dict.fromkeys(("SITE-001", "SITE-002", "SITE-003"), "online")


def test_the_job_that_meets_another_sweep_says_so_and_keeps_its_error(shop):
    scheduler = shop.home.monitor.scheduler
    state = scheduler.states["recorders"]
    silence(shop.cloud)
    scheduler._run("recorders")
    error = state.last_error
    assert error != ""
    silence(shop.cloud, False)
    slow = threading.Thread(target=shop.sweep, args=(50.0,))
    slow.start()
    sweeping = shop.home.monitor.scanner._source_scans.sweeping
    until(lambda: sweeping[easy4ip.NAME])
    scheduler._run("recorders")
    result = (state.last_result, state.last_error)
    shop.home.monitor.scanner.close()
    slow.join(20)
    assert not slow.is_alive()
    assert result == ("A check of all recorders is already running.", error)


def test_one_recorder_is_asked_while_a_sweep_of_all_takes_its_time(shop):
    shop.sweep()
    slow = threading.Thread(target=shop.sweep, args=(50.0,))
    slow.start()
    scanner, number = shop.home.monitor.scanner, number_of(shop, "SITE-002")
    until(lambda: scanner._source_scans.sweeping[easy4ip.NAME])
    shop.cloud.recorders["AB12346"].state = "offline"
    (answer,) = scanner.ask([number])
    assert (answer.state, answer.reason) == ("missed", "not online in Dahua's cloud: 404")
    assert shop.statuses()["SITE-002"] == "offline"
    shop.cloud.recorders["AB12346"].state = "online"
    (answer,) = scanner.ask([number])
    assert (answer.device, answer.state) == (number, "answered")
    assert shop.statuses()["SITE-002"] == "online"
    assert slow.is_alive(), "that of all goes on"
    assert shop.refresh()["online"] == 3
    slow.join(20)
    assert not slow.is_alive()


def test_asking_one_recorder_of_a_dead_server_calls_nothing_down(shop):
    shop.sweep()
    before = shop.statuses()
    shop.cloud.regions[1].dead = True
    scanner, sites = shop.home.monitor.scanner, [row[1] for row in ROWS]
    answers = [answer for site in sites for answer in scanner.ask([number_of(shop, site)])]
    assert {answer.state for answer in answers} == {"answered", "not asked"}
    assert shop.statuses() == before
    assert not shop.home.monitor.tracker.down()


def test_a_refresh_while_another_scan_runs_asks_about_the_recorders_all_the_same(shop):
    assert shop.home.monitor.scanner.start("auto-scan", ["panasonic"])
    assert shop.refresh()["online"] == 3


def test_a_monitor_that_ends_in_the_middle_of_a_sweep_keeps_nobody_waiting(shop):
    slow = threading.Thread(target=shop.sweep, args=(500.0,))
    slow.start()
    until(lambda: shop.cloud.asked.total() > 0)
    shop.home.monitor.scanner.close()
    slow.join(20)
    assert not slow.is_alive()
    assert shop.sites("offline") != [], "nobody was called online who was not asked"


def test_a_recorder_goes_offline_and_comes_back_each_told_once(shop):
    shop.sweep()
    shop.cloud.recorders["AB12345"].state = "offline"
    for _ in range(3):
        shop.sweep()
    assert shop.statuses() == {"SITE-001": "offline", "SITE-002": "online", "SITE-003": "online"}
    shop.cloud.recorders["AB12345"].state = "online"
    shop.sweep()
    assert shop.statuses()["SITE-001"] == "online"
    kinds = ["device.listed", "device.found", "device.offline", "device.back"]
    assert shop.home.kinds(device=number_of(shop, "SITE-001")) == kinds


def test_a_recorder_has_a_first_sight_and_a_past(shop):
    shop.sweep()
    shop.cloud.recorders["AB12345"].state = "offline"
    shop.home.clock.forward(minutes=60)
    shop.sweep()
    shop.home.clock.forward(minutes=60)
    assert "device.offline" in shop.home.kinds()
    numbers = {
        device.site: device.id for device in shop.home.devices() if device.kind == "recorder"
    }
    assert shop.get(f"/api/camera/{numbers['SITE-002']}")["first_seen"]
    share = {site: shop.get(f"/api/camera/{id}/uptime")["share"] for site, id in numbers.items()}
    assert share["SITE-002"] == 1.0
    assert 0.4 < share["SITE-001"] < 0.6, "it answered half of the time"


def test_the_time_before_an_exchanged_recorder_answers_is_unknown(shop):
    shop.sweep()
    shop.home.clock.forward(minutes=60)
    shop.update(site="SITE-001", p2pNumber="AB99999")
    shop.home.clock.forward(minutes=60)
    assert "device.unknown" in shop.home.kinds()
    assert shop.get(f"/api/camera/{number_of(shop, 'SITE-001')}/uptime")["share"] == 1.0


def test_a_cloud_that_is_silent_for_ten_minutes_changes_nobody_and_is_told_once(shop):
    shop.cloud.recorders["AB12345"].state = "offline"
    shop.sweep()
    before, count = shop.statuses(), len(shop.home.events())
    assert before == {"SITE-001": "offline", "SITE-002": "online", "SITE-003": "online"}
    silence(shop.cloud)
    for _ in range(10):
        shop.sweep()
        assert shop.statuses() == before
    assert [event.kind for event in shop.home.events()[count:]] == ["source.down"]
    assert list(shop.home.monitor.tracker.down()) == ["dahua"]
    assert shop.last_known() == {"SITE-001", "SITE-002", "SITE-003"}
    silence(shop.cloud, False)
    shop.sweep()
    assert shop.statuses() == before
    assert shop.last_known() == set()
    assert [event.kind for event in shop.home.events()[count:]] == ["source.down", "source.up"]
    assert shop.home.monitor.tracker.down() == {}


def test_the_page_of_the_sources_tells_how_the_cloud_stands(shop):
    shop.cloud.recorders["AB12345"].state = "offline"
    shop.cloud.skew = 40.0
    shop.sweep()
    shop.home.clock.forward(seconds=3)
    page = read(shop.home.client.get("/settings/sources", headers={"Accept": "text/html"}).text)
    card = next(section for section in page.find("section") if "Dahua" in section.text).text
    assert "Online2 of 3" in card
    assert "the clock of this server is 40 s behind the cloud's" in card
    assert "Last response" in card
    silence(shop.cloud)
    shop.sweep()
    page = read(shop.home.client.get("/settings/sources", headers={"Accept": "text/html"}).text)
    card = next(section for section in page.find("section") if "Dahua" in section.text).text
    assert "Dahua's cloud is not responding. Check the internet connection of this server" in card
    sites = read(shop.home.client.get("/sites", headers={"Accept": "text/html"}).text).text
    assert "Dahua's cloud is not responding. Check the internet connection of this server" in sites
    fleet = read(shop.home.client.get("/", headers={"Accept": "text/html"}).text).text
    assert fleet.count("cannot be checked: Dahua's cloud is not responding") == 1, "said once"
    assert "Dahua recorders (Easy4IP cloud) cannot be checked" in fleet
    assert ": 0 online" not in fleet, "a round that reached nobody checked nothing"


def test_a_recorder_that_is_offline_says_what_to_do_about_it(shop):
    shop.cloud.recorders["AB12345"].state = "offline"
    shop.sweep()
    page = page_of(shop, "SITE-001")
    assert "internet connection" in read(page).text
    sites = read(shop.home.client.get("/sites", headers={"Accept": "text/html"}).text).text
    assert "2 of 3 online" in sites


def test_one_dead_server_is_told_by_its_name_and_its_recorders_keep_their_state(shop):
    shop.sweep()
    before, count = shop.statuses(), len(shop.home.events())
    shop.cloud.regions[1].dead = True
    for _ in range(3):
        shop.sweep()
    assert shop.statuses() == before
    scope = f"dahua:127.0.0.1:{shop.cloud.regions[1].port}"
    assert list(shop.home.monitor.tracker.down()) == [scope]
    assert shop.last_known() == {"SITE-002"}, "the others were asked"
    shop.cloud.regions[1].dead = False
    shop.sweep()
    assert [event.kind for event in shop.home.events()[count:]] == ["source.down", "source.up"]


def test_a_cloud_clock_an_hour_ahead_changes_no_verdict(shop):
    shop.cloud.skew = 3600
    assert shop.refresh()["online"] == 3


def test_a_check_of_all_recorders_is_begun_watched_and_not_begun_twice(shop):
    shop.cloud.delay = lambda server, request: math.inf if request.serial == "AB12346" else 0.0
    answer = shop.home.client.post("/api/dvrs/check")
    assert (answer.status_code, answer.json["success"]) == (200, True)
    until(lambda: shop.get("/api/scan")["checking"], what="the check is under way")
    (check,) = until(
        lambda: [row for row in shop.get("/api/scan")["checking"] if row["checked"] == 2],
        what="two of three are checked",
    )
    assert (check["source"], check["total"]) == ("dahua", 3)
    assert "seconds_left" in check
    again = shop.home.client.post("/api/dvrs/check")
    assert (again.status_code, "already running" in again.json["error"]) == (409, True)
    shop.cloud.delay = 0.0
    shop.cloud.release()
    until(lambda: shop.get("/api/scan")["checking"] == [], what="the check has ended")
    online = dict.fromkeys(["SITE-001", "SITE-002", "SITE-003"], "online")
    until(lambda: shop.statuses() == online, what="the last answers are in the list")
