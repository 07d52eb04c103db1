"""Import a list of cameras: what each row does, one write, one line in the journal, one undo."""

import csv
import io
import re
from typing import Any

import pytest

from fleet.model import DEFAULT_SITE, Sighting
from inventory import import_rows, staging
from inventory.import_rows import import_list
from inventory.model import Table
from tests.home import Home
from tests.web.browser import read
from tests.workbooks import book_of
from web.pages import connection_form

PASSWORD = "Tr0ub4dor!3"
STREAM = f"rtsp://admin:{PASSWORD}@10.4.0.5/live"


@pytest.fixture
def home(make_home: Any) -> Home:
    made: Home = make_home()
    return made


def send(home: Home, *rows: Any, **more: Any) -> Any:
    answer = home.client.post("/api/cameras/import", json={"rows": [*rows], **more})
    assert answer.status_code == 200, answer.text
    return answer.json


def states(answer: Any) -> list[str]:
    return [row["state"] for row in answer["rows"]]


def preview(home: Home, text: str) -> Any:
    answer = home.client.post("/cameras/import", data={"text": text}, headers=AS_PAGE)
    return answer.status_code, answer.text


AS_PAGE = {"Accept": "text/html"}


def key_of(html: str) -> str:
    keys = re.findall(r'name="key" value="([^"]+)"', html)
    assert len({*keys}) == 1
    return str(keys[0])


def save(home: Home, html: str) -> Any:
    return home.client.post("/cameras/import/save", data={"key": key_of(html)}, headers=AS_PAGE)


def see(home: Home, address: str, mac: str = "mac:d4:2d:c5:00:00:01") -> None:
    at = home.clock()
    sighting = Sighting(DEFAULT_SITE, (mac,), "panasonic", at, address=address, name="Cam")
    home.monitor.tracker.apply([sighting], at)


# -- what a row does ---------------------------------------------------------------------------


def test_rows_of_every_kind_are_added_in_one_write(home: Home) -> None:
    answer = send(
        home,
        {"url": STREAM, "name": "Gate", "site": "North", "tags": ["door"], "interval": 600},
        {"address": "10.4.0.6"},
        {"address": "10.4.0.7", "port": 554, "username": "viewer", "kind": "recorder"},
    )
    assert states(answer) == ["new", "new", "new"]
    gate, plain, recorder = home.devices()
    assert (gate.name, gate.site, gate.tags, gate.listed) == ("Gate", "North", ("door",), True)
    entry = gate.access["rtsp"]
    assert (entry.host, entry.port, entry.path, entry.interval) == ("10.4.0.5", 554, "/live", 600)
    assert entry.username == "admin"
    assert home.monitor.secrets.unseal(str(entry.secret)) == PASSWORD
    assert list(plain.access) == ["onvif"]
    assert (list(recorder.access), recorder.kind) == (["rtsp"], "recorder")


def test_the_same_list_again_changes_nothing(home: Home) -> None:
    rows = [
        {"url": STREAM, "name": "Gate", "notes": "ladder", "tags": ["a", "b"], "interval": 60},
        {"address": "10.4.0.6", "username": "viewer", "password": "secret7", "site": "North"},
        {"url": "https://10.4.0.8/onvif/device_service"},
        {"url": "rtsps://10.4.0.9/live"},
    ]
    send(home, *rows)
    before, sequence = home.monitor.tracker.devices(), home.monitor.tracker.fleet().sequence
    answer = send(home, *rows)
    assert (answer["new"], answer["changed"], answer["unchanged"]) == (0, 0, 4)
    assert answer["undo"] == []
    assert home.monitor.tracker.devices() == before
    assert home.monitor.tracker.fleet().sequence == sequence


def test_a_row_says_what_it_changes(home: Home) -> None:
    send(home, {"url": STREAM, "name": "Gate"})
    answer = send(home, {"url": STREAM, "name": "Door", "notes": "new"}, dry_run=True)
    assert states(answer) == ["changed"]
    assert answer["rows"][0]["text"] == "Gate renamed to Door; notes changed; login given"
    assert home.device().name == "Gate"


def test_another_password_is_a_change_and_an_empty_cell_is_none(home: Home) -> None:
    send(home, {"url": STREAM, "name": "Gate", "notes": "ladder"})
    assert states(send(home, {"url": "rtsp://10.4.0.5/live"})) == ["unchanged"]
    answer = send(home, {"url": "rtsp://admin:other777@10.4.0.5/live"})
    assert states(answer) == ["changed"]
    assert "password for RTSP changed" in answer["rows"][0]["text"]
    secret = home.device().access["rtsp"].secret
    assert home.monitor.secrets.unseal(str(secret)) == "other777"
    assert home.device().notes == "ladder"


def test_a_preview_does_not_say_whether_a_password_is_the_saved_one(home: Home) -> None:
    send(home, {"url": STREAM, "name": "Gate"})
    lines = len(home.client.get("/api/audit?action=fleet.previewed").json)
    shown = []
    for guess in (PASSWORD, "wr0ng-guess"):
        row = {"url": "rtsp://10.4.0.5/live", "username": "admin", "password": guess}
        answer = send(home, row, dry_run=True)
        _, page = preview(home, f"rtsp://admin:{guess}@10.4.0.5/live")
        shown.append((answer, re.sub(r'(key|token)" value="[^"]+"', "", page)))
    assert shown[0] == shown[1]
    assert [row["text"] for row in shown[0][0]["rows"]] == ["login given"]
    assert len(home.client.get("/api/audit?action=fleet.previewed").json) == lines + 4
    assert states(send(home, {"url": STREAM})) == ["unchanged"]


def test_a_row_with_another_port_and_the_saved_password_moves_the_connection(home: Home) -> None:
    see(home, "10.4.0.5")
    login = {"username": "admin", "password": PASSWORD, "source": "rtsp"}
    send(home, {"address": "10.4.0.5", **login})
    answer = send(home, {"address": "10.4.0.5", "port": 8554, **login})
    assert states(answer) == ["changed"], answer
    assert home.device().access["rtsp"].port == 8554


def test_a_password_needs_a_user_name_in_the_row_or_in_the_device(home: Home) -> None:
    answer = send(home, {"address": "10.4.0.9", "password": PASSWORD})
    assert states(answer) == ["refused"]
    assert answer["rows"][0]["text"] == "The user name is missing"
    assert home.devices() == []
    send(home, {"url": STREAM})
    answer = send(home, {"url": "rtsp://10.4.0.5/live", "password": "other777"})
    assert states(answer) == ["changed"]
    assert home.device().access["rtsp"].username == "admin"


def test_an_address_alone_means_the_device_that_was_found_there(home: Home) -> None:
    see(home, "10.4.0.5")
    row = {"address": "10.4.0.5", "name": "Lobby", "username": "admin", "password": PASSWORD}
    assert states(send(home, row)) == ["changed"]
    (device,) = home.devices()
    assert device.name == "Lobby"
    assert device.access["onvif"].host is None, "it is asked wherever it is"
    assert states(send(home, row)) == ["unchanged"]


def test_equal_addresses_at_two_sites_stay_two(home: Home) -> None:
    send(home, {"address": "10.4.0.5", "site": "North"}, {"address": "10.4.0.5", "site": "South"})
    assert [device.site for device in home.devices()] == ["North", "South"]


def test_one_address_with_and_without_a_site_is_a_warning_in_the_preview(home: Home) -> None:
    text = "address,site\n10.4.0.5,\n10.4.0.5,Gate B\n10.4.0.6,Gate B\n10.4.0.6,Gate B\n"
    status, html = preview(home, text)
    assert status == 200
    notes = [paragraph.text for paragraph in read(html).find("p")]
    (note,) = [text for text in notes if "different sites" in text]
    assert note.startswith("The same address at different sites: 10.4.0.5 (rows 2, 3). Each")
    many = [{"address": f"10.4.0.{n}", "site": site} for n in range(9) for site in "abcdefgh"]
    (note,) = send(home, *many, dry_run=True)["notes"]
    assert "(rows 1, 2, 3, 4, 5 and 3 more)" in note
    assert "10.4.0.4" in note
    assert "10.4.0.5 " not in note
    assert "(rows 33, 34, 35, 36, 37 and 3 more) and 4 more. " in note
    assert send(home, {"address": "10.4.0.5"}, dry_run=True)["notes"] == []


def test_a_parent_is_named_by_name_or_address(home: Home) -> None:
    send(home, {"address": "10.4.0.2", "name": "NVR 1", "kind": "recorder"})
    answer = send(
        home,
        {"address": "10.4.0.5", "parent": "nvr 1"},
        {"address": "10.4.0.6", "parent": "10.4.0.2"},
        {"address": "10.4.0.7", "parent": "NVR 2"},
    )
    assert states(answer) == ["new", "new", "refused"]
    assert answer["rows"][2]["text"] == "No device is called NVR 2"
    assert [device.parents for device in home.devices()] == [(), (1,), (1,)]


def test_a_parent_is_in_a_later_row_of_the_same_list(home: Home) -> None:
    rows = [
        {"address": "10.4.0.5", "parent": "Switch 1"},
        {"address": "10.4.0.6", "name": "Switch 1", "kind": "switch", "parent": "10.4.0.7"},
        {"address": "10.4.0.7", "name": "Core", "kind": "switch"},
    ]
    assert states(send(home, *rows, dry_run=True)) == ["new"] * 3
    saved = send(home, *rows)
    assert states(saved) == ["new"] * 3
    assert [row["row"] for row in saved["rows"]] == [1, 2, 3]
    of = {device.address or device.access["onvif"].host: device for device in home.devices()}
    assert of["10.4.0.5"].parents == (of["10.4.0.6"].id,)
    assert of["10.4.0.6"].parents == (of["10.4.0.7"].id,)
    assert states(send(home, *rows)) == ["unchanged"] * 3
    undone = home.client.post("/api/cameras/bulk/undo", json={"events": saved["undo"]}).json
    assert (undone["failed"], home.devices()) == ([], [])


def test_rows_whose_parent_cannot_be_added_are_refused_with_it(home: Home) -> None:
    answer = send(
        home,
        {"address": "10.4.0.5", "parent": "Core"},
        {"address": "10.4.0.300", "name": "Core"},
        {"address": "10.4.0.6", "name": "A", "parent": "B"},
        {"address": "10.4.0.7", "name": "B", "parent": "A"},
        {"address": "10.4.0.8", "name": "Bad", "kind": "a b"},
        {"address": "10.4.0.9", "parent": "Bad"},
    )
    assert states(answer) == ["refused"] * 6
    texts = [row["text"] for row in answer["rows"]]
    assert texts[0] == "No device is called Core"
    assert texts[2] == texts[3] == "The row is its own parent through other rows"
    assert texts[5] == "Row 5, its parent device, is refused"


def test_a_second_list_gives_a_site_to_what_it_means_for_certain(home: Home) -> None:
    see(home, "10.4.0.1")
    send(home, {"address": "10.4.0.5", "name": "Gate"}, {"address": "10.4.0.6", "name": "Door"})
    sited = [
        {"address": "10.4.0.1", "mac": "D4-2D-C5-00-00-01", "site": "North"},
        {"address": "10.4.0.5", "name": "gate", "site": "North"},
        {"address": "10.4.0.6", "name": "Other door", "site": "North"},
    ]
    answer = send(home, *sited)
    assert states(answer) == ["changed", "changed", "new"]
    assert "site changed to North" in answer["rows"][1]["text"]
    sites = [(device.id, device.site) for device in home.devices()]
    assert sites == [(1, "North"), (2, "North"), (3, DEFAULT_SITE), (4, "North")]
    assert states(send(home, *sited)) == ["unchanged"] * 3


def test_a_cell_that_is_too_long_is_refused_and_not_cut(home: Home) -> None:
    text = f"address,notes\n10.4.0.5,{'x' * 501}\n10.4.0.6,{'y' * 500}\n"
    _, page = preview(home, text)
    assert "The cell in the column notes has more than 500 characters" in page
    save(home, page)
    (device,) = home.devices()
    assert device.notes == "y" * 500


# -- refused rows ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"address": "10.4.0.256"}, "The IPv4 address is invalid"),
        ({"name": "Gate"}, "The address is missing"),
        ({"address": "10.4.0.5", "source": "snmp"}, "The source snmp is unknown"),
        ({"url": "rtsp://10.4.0.5:99/a", "port": 98}, "The URL and the column port differ"),
        ({"url": "rtsp://10.4.0.5/a", "address": "10.4.0.6"}, "name different hosts"),
        ({"url": "ftp://10.4.0.5/a"}, "ftp:// is not supported"),
        ({"address": "10.4.0.5", "path": "/a?password=x"}, "The path contains a password"),
        ({"address": "10.4.0.5", "kind": "a b"}, "The kind is invalid"),
        ({"address": "10.4.0.5", "tags": ["x"] * 2}, ""),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_reason(
    home: Home, row: dict[str, Any], text: str
) -> None:
    answer = send(home, row, {"address": "10.4.0.9"})
    expected = "refused" if text else "new"
    assert states(answer) == [expected, "new"]
    assert text in answer["rows"][0]["text"]
    assert len(home.devices()) == (1 if text else 2), "the good row is saved all the same"


def test_two_rows_with_one_address_are_not_two_devices(home: Home) -> None:
    answer = send(home, {"address": "10.4.0.5"}, {"address": "10.4.0.5"})
    assert states(answer) == ["new", "refused"]
    assert answer["rows"][1]["text"] == "Row 1 has the same address"


def test_a_retired_device_is_not_added_again(home: Home) -> None:
    send(home, {"url": STREAM, "name": "Gate"})
    home.client.post("/api/camera/1/retire")
    answer = send(home, {"url": STREAM})
    assert answer["rows"][0]["text"].endswith("is the same device and is retired")
    assert answer["rows"][0]["hint"] == "Restore it instead."


@pytest.mark.parametrize("odd", ["p@ss/w:rd", "p#a?b/c", "12/34", "a,b;c"])
def test_a_pasted_password_is_read_alike_by_list_api_and_page(home: Home, odd: str) -> None:
    url = "rtsp://admin:{}@10.4.0.{}:8554/stream2"
    status, html = preview(home, url.format(odd, 1))
    assert (status, save(home, html).status_code) == (200, 200)
    added = home.client.post("/api/cameras/", json={"rtsp_url": url.format(odd, 2)})
    assert added.status_code == 201
    ways = [home.device(id).access["rtsp"] for id in "12"]
    assert {(way.username, way.port, way.path) for way in ways} == {("admin", 8554, "/stream2")}
    assert [home.monitor.secrets.unseal(str(way.secret)) for way in ways] == [odd, odd]
    typed = connection_form.without_login(url.format(odd, 3))
    assert (typed.text, typed.password) == ("rtsp://10.4.0.3:8554/stream2", odd)


# -- one write, one line, one undo -------------------------------------------------------------


def test_one_undo_takes_all_of_it_back(home: Home) -> None:
    send(home, {"url": STREAM, "name": "Gate"})
    see(home, "10.4.0.20")
    devices = home.monitor.tracker.devices()
    rows = [{"address": f"10.4.1.{n}"} for n in range(1, 30)]
    answer = send(
        home,
        *rows,
        {"url": STREAM, "name": "Door", "tags": ["x"]},
        {"address": "10.4.0.20", "name": "Lobby", "username": "admin"},
        name="cameras.csv",
    )
    assert (answer["new"], answer["changed"]) == (29, 2)
    undone = home.client.post("/api/cameras/bulk/undo", json={"events": answer["undo"]})
    assert undone.json["failed"] == []
    now = home.monitor.tracker.devices()
    assert now.keys() == devices.keys()
    assert (now[1].name, now[1].tags) == ("Gate", ())
    assert (now[2].name, now[2].access) == (None, {})


def test_an_import_is_one_line_of_the_journal(home: Home) -> None:
    send(home, {"url": STREAM, "name": "Gate"})
    home.clock.forward(minutes=1)
    send(
        home,
        *({"address": f"10.4.1.{n}"} for n in range(1, 120)),
        {"url": STREAM, "name": "Door"},
        name="cameras.csv",
    )
    home.events()
    items = read(home.client.get("/events").text).find("li")
    lines = [item for item in items if "data-event" in item.attributes]
    texts = [line.find_one("summary").text for line in lines if line.find("summary")]
    assert len(lines) == 2, "one for each import"
    assert texts[0] == "cameras.csv imported: 119 added, 1 changed, on this server"


def test_of_two_saves_of_one_preview_one_is_done(home: Home) -> None:
    _status, html = preview(home, "10.4.0.5\n10.4.0.6\n")
    assert save(home, html).status_code == 200
    again = save(home, html)
    assert again.status_code == 404
    assert "it is already saved" in again.text
    assert len(home.devices()) == 2


def test_a_preview_belongs_to_one_person_and_expires() -> None:
    moments = [0.0]
    waiting = staging.StagedImports(lambda: moments[0])
    key = waiting.put(staging.Staged("a", "anna", []))
    assert waiting.get(key, "anna").name == "a"
    for person, moment in (("otto", 0.0), ("anna", staging.MAX_AGE + 1)):
        moments[0] = moment
        with pytest.raises(staging.NotFound):
            waiting.claim(key, person)


def test_a_row_that_somebody_made_impossible_meanwhile_is_refused_alone(home: Home) -> None:
    _status, html = preview(home, "10.4.0.5\n10.4.0.6\n")
    send(home, {"address": "10.4.0.5", "name": "Gate"})
    saved = save(home, html).text
    assert "1 added" in saved
    assert "1 row failed: Gate is already in the list" in saved


# -- the page ----------------------------------------------------------------------------------


def test_pasted_lines_are_previewed_saved_and_undone_without_script(home: Home) -> None:
    status, html = preview(home, f"{STREAM}\nrtsp://10.4.0.6/a,b;c\n")
    assert status == 200
    assert "<b>2</b> new, <b>0</b> changed, <b>0</b> unchanged, <b>0</b> refused" in html
    assert home.devices() == []
    saved = save(home, html).text
    assert "Pasted list imported: 2 added." in saved
    assert home.devices()[1].access["rtsp"].path == "/a,b;c"
    numbers = read(saved).find_one("input", name="events").attributes["value"]
    assert home.client.post("/bulk/undo", data={"events": numbers}).status_code == 303
    assert home.devices() == []


def test_a_table_is_pasted_from_a_spreadsheet(home: Home) -> None:
    text = "IP Address\tCamera Name\tLocation\n10.4.0.5\tGate, left\tNorth\n"
    assert save(home, preview(home, text)[1]).status_code == 200
    (device,) = home.devices()
    assert (device.name, device.site) == ("Gate, left", "North")


@pytest.mark.parametrize("name", ["cameras.xlsx", "cameras.csv"])
def test_a_file_is_read(home: Home, name: str) -> None:
    titles, values = ["Name", "RTSP_URL", "Colour"], ["Gate", "rtsp://10.4.0.5/live", "red"]
    data = book_of([values], titles)
    if name.endswith("csv"):
        data = "\r\n".join(";".join(line) for line in (titles, values)).encode()
    answer = home.client.post("/cameras/import", data={"file": (io.BytesIO(data), name)})
    assert answer.status_code == 200
    assert "Unknown columns are ignored: Colour." in answer.text
    assert f"{name}: <b>1</b> new" in answer.text


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "Nothing was pasted"),
        ("\n".join(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(10_001)), "10,001 rows"),
        ("address,name\n", "The list has no rows"),
    ],
)
def test_a_list_that_cannot_be_read_says_why(home: Home, text: str, error: str) -> None:
    status, html = preview(home, text)
    assert status == 422
    assert error in html


def test_hostile_cells_are_shown_as_text(home: Home) -> None:
    rows = "address,name\n10.4.0.5,<script>alert(1)</script>\n<b>x</b>,=cmd|' /C calc'!A0\n"
    _status, html = preview(home, rows)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<b>x</b>" not in html
    refused = home.client.post("/cameras/import/refused", data={"key": key_of(html)})
    (row,) = csv.DictReader(io.StringIO(refused.text))
    assert row["name"] == "'=cmd|' /C calc'!A0"
    assert row["error"] == "The host name is invalid"


def test_a_password_is_nowhere_in_clear(
    home: Home, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    texts = [
        f"address,username,password\n10.4.0.5,admin,{PASSWORD}\n10.4.0.999,admin,{PASSWORD}\n",
        f"{STREAM}\nrtsp://admin:{PASSWORD}@10.4.0.999/x\nrtsp://admin:{PASSWORD}@/y@z\n",
    ]
    shown = ""
    for text in texts:
        _status, html = preview(home, text)
        refused = home.client.post("/cameras/import/refused", data={"key": key_of(html)})
        shown += html + refused.text + save(home, html).text
    home.events()
    shown += home.client.get("/api/events?limit=100").text + home.client.get("/api/cameras").text
    assert "10.4.0.999" in shown
    for place in (shown, caplog.text, *capfd.readouterr()):
        assert PASSWORD not in place
    stored = [path for path in home.settings.data_dir.parent.rglob("*") if path.is_file()]
    assert stored
    for path in stored:
        assert PASSWORD.encode() not in path.read_bytes(), path


def test_a_preview_from_before_a_change_of_keys_is_previewed_again(home: Home) -> None:
    _status, html = preview(home, f"{STREAM}\n")
    send(home, {"url": STREAM.replace("0.5", "0.8")})
    home.monitor.secrets.rotate()
    assert save(home, html).status_code == 404
    assert len(home.devices()) == 1


# -- titles ------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", ["IP", "ip_address", "Ip Address", "HOST", "rtsp_url", "URL"])
def test_titles_are_known_in_any_case_and_by_common_names(title: str) -> None:
    kept = import_list(Table("x", {1: ["Location", title], 2: ["North", "10.4.0.5"]}))
    assert [row.site for row, _parent in kept.rows] == ["North"]


def test_a_title_means_one_column() -> None:
    titles = [title for titles in import_rows.SYNONYMS.values() for title in titles.split()]
    assert len(titles) == len({*titles})
