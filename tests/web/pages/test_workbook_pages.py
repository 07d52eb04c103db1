"""The pages of places: sites with their counts; a new workbook, looked at, taken, taken back."""

import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.comments import Comment
from openpyxl.styles import Font

from fleet.model import Edit
from tests import workbooks
from tests.home import Clock, Home
from tests.web.browser import Element, read

FIRST = [
    ("SIM00001PAZ0001", "AAA-01", "Store Aachen"),
    ("SIM00002PAZ0002", "BBB-01", "Store Bergen"),
]
HEADERS = {
    "Accept": "text/html",
    "Origin": "http://localhost",
    "Sec-Fetch-Site": "same-origin",
}


@pytest.fixture
def home(tmp_path: Path) -> Any:
    workbooks.write(tmp_path / "P2P1.xlsx", FIRST)
    made = Home(tmp_path, Clock())
    yield made
    made.close()


def bytes_of(tmp_path: Path, rows: list[tuple[Any, ...]]) -> bytes:
    return workbooks.write(tmp_path / "new.xlsx", rows).read_bytes()


def upload(home: Home, data: bytes, status: int = 200) -> Element:
    answer = home.client.post(
        "/settings/workbook",
        data={"file": (io.BytesIO(data), "new.xlsx")},
        content_type="multipart/form-data",
        headers=HEADERS,
    )
    assert answer.status_code == status, answer.text
    return read(answer.text)


def send(home: Home, path: str, **form: str) -> int:
    return home.client.post(path, data=form, headers=HEADERS).status_code


def sites(home: Home) -> dict[str, str]:
    items = home.client.get("/api/dvrs").json["items"]
    return {item["SITE"]: item["P2P NUMBER"] for item in items}


def settings_text(home: Home) -> str:
    return " ".join(read(home.client.get("/settings/workbook", headers=HEADERS).text).text.split())


def key_of(page: Element) -> str:
    return page.form("/settings/workbook/commit").find_one("input", name="key")["value"]


def test_an_upload_is_looked_at_taken_and_taken_back(home: Home, tmp_path: Path) -> None:
    rows = [
        ("SIM00009PAZ0009", "AAA-01", "Store Aachen"),
        ("SIM00003PAZ0003", "CCC-01", "Store Cork"),
        ("", "DDD-01", "Store Dresden"),
    ]
    page = upload(home, bytes_of(tmp_path, rows))
    assert "1 to add, 1 to change, 1 to retire, 0 unchanged, 1 skipped" in page.text
    assert "P2P NUMBER of DDD-01 is empty" in page.text
    assert set(sites(home)) == {"AAA-01", "BBB-01"}, "looking changes nothing"
    assert send(home, "/settings/workbook/commit", key=key_of(page)) == 303
    assert sites(home) == {"AAA-01": "SIM00009PAZ0009", "CCC-01": "SIM00003PAZ0003"}
    shown = settings_text(home)
    assert "The workbook was replaced just now. Undo restores the previous workbook" in shown
    assert send(home, "/settings/workbook/undo") == 303
    assert sites(home) == {"AAA-01": "SIM00001PAZ0001", "BBB-01": "SIM00002PAZ0002"}
    assert "The import was undone just now. The previous workbook" in settings_text(home)
    assert send(home, "/settings/workbook/undo") == 404, "once"


def test_the_first_workbook_replaces_nothing_and_its_undo_says_so(
    home: Home, tmp_path: Path
) -> None:
    (tmp_path / "P2P1.xlsx").unlink()
    home.monitor.workbooks.sync()
    send(home, "/settings/workbook/commit", key=key_of(upload(home, bytes_of(tmp_path, FIRST))))
    shown = settings_text(home)
    assert "The first workbook was imported just now. Undo removes it" in shown
    assert "replaced" not in shown
    send(home, "/settings/workbook/undo")
    assert "There was no workbook before it; its recorders are retired." in settings_text(home)


def test_a_preview_warns_of_a_list_that_brings_back_a_corrected_serial(
    home: Home, tmp_path: Path
) -> None:
    change(home, "RIGHT001")
    home.monitor.workbooks.sync()
    home.events()
    rows = [FIRST[0], ("SIM00009PAZ0009", *FIRST[1][1:])]
    page = upload(home, bytes_of(tmp_path, rows))
    (warning,) = page.find("ul", **{"aria-label": "Former serial numbers"})
    assert warning.text == "Row 2: AAA-01 RIGHT001 goes back to SIM00001PAZ0001"
    page = upload(home, bytes_of(tmp_path, rows[1:]))
    assert not page.find("ul", **{"aria-label": "Former serial numbers"})
    button = page.form("/settings/workbook/commit").find_one("button")
    assert button.text == "Import 1 recorder, retire 1"


def test_a_removed_recorder_comes_back_with_its_history(home: Home, tmp_path: Path) -> None:
    number = next(
        camera["id"]
        for camera in home.client.get("/api/cameras").json["cameras"]
        if camera["site"] == "BBB-01"
    )
    page = upload(home, bytes_of(tmp_path, FIRST[:1]))
    send(home, "/settings/workbook/commit", key=key_of(page))
    assert home.client.get(f"/api/camera/{number}").json["retired"]
    send(home, "/settings/workbook/undo")
    assert not home.client.get(f"/api/camera/{number}").json["retired"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"no workbook at all", "No line has the columns"),
        (b"", "The file is empty"),
        (b"PK\x03\x04 half of one", "damaged"),
    ],
)
def test_what_is_no_workbook_is_said_beside_the_field(home: Home, data: bytes, says: str) -> None:
    page = upload(home, data, 422)
    assert (
        says in page.find_one("p", id="fault").text
        or "not an .xlsx" in page.find_one("p", id="fault").text
    )
    assert len(sites(home)) == 2


def test_a_workbook_without_the_columns_is_refused(home: Home) -> None:
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.create_sheet("Other").append(["NAME", "PLACE"])
    book.save(out)
    page = upload(home, out.getvalue(), 422)
    assert "P2P NUMBER, SITE, STORE NAME" in page.find_one("p", id="fault").text


@pytest.mark.parametrize("key", ["", "0" * 32, "0" * 64, "../../etc/passwd", "a" * 5000])
def test_a_commit_of_nothing_changes_nothing(home: Home, key: str) -> None:
    assert send(home, "/settings/workbook/commit", key=key) == 404
    assert len(sites(home)) == 2


def test_names_in_a_workbook_are_text_and_nothing_else(home: Home, tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>"
    page = upload(home, bytes_of(tmp_path, [("SIM00004PAZ0004", bad, "@home")]))
    send(home, "/settings/workbook/commit", key=key_of(page))
    for path in ("/sites", "/", "/settings/workbook"):
        shown = home.client.get(path, headers={"Accept": "text/html"}).text
        assert "<script>alert" not in shown
    csv = home.client.get("/api/download.csv").text
    assert csv.splitlines()[0] == "P2P NUMBER,SITE,STORE NAME"
    assert "'@home" in csv


def test_sites_show_their_stores_and_counts(home: Home) -> None:
    page = read(home.client.get("/sites", headers={"Accept": "text/html"}).text)
    row = next(row for row in page.find("tr") if "AAA-01" in row.text)
    assert "Store Aachen" in row.text
    assert "0 of 1" in row.text
    assert "Not checked" in row.text


def test_the_audit_log_tells_of_the_new_workbook(home: Home, tmp_path: Path) -> None:
    page = upload(home, bytes_of(tmp_path, FIRST[:1]))
    send(home, "/settings/workbook/commit", key=key_of(page))
    lines = home.monitor.audit.find(action="workbook.changed")
    assert [entry.who for entry in lines] == ["local"]
    send(home, "/settings/workbook/undo")
    shown = read(home.client.get("/settings/audit", headers=HEADERS).text).text
    assert "Imported a workbook: " in shown
    assert "Restored the previous workbook: " in shown


def refusal(home: Home, path: str, **form: str) -> str:
    answer = home.client.post(path, data=form, headers=HEADERS)
    assert answer.status_code == 409
    return read(answer.text).find_one("p", id="fault").text


def change(home: Home, serial: str, site: str = "AAA-01") -> None:
    body = {"site": site, "p2pNumber": serial}
    assert home.client.post("/api/update-p2p", json=body).status_code == 200


def test_a_serial_changed_since_the_preview_refuses_the_commit(home: Home, tmp_path: Path) -> None:
    key = key_of(upload(home, bytes_of(tmp_path, FIRST[1:])))
    change(home, "NEW00001")
    home.monitor.workbooks.sync()
    assert refusal(home, "/settings/workbook/commit", key=key) == (
        "P2P1.xlsx has changed since the preview. Upload the new file again to see a new preview."
    )
    assert sites(home)["AAA-01"] == "NEW00001"


def take_a_third(home: Home, tmp_path: Path) -> None:
    rows = [*FIRST, ("SIM00003PAZ0003", "CCC-01", "Store Cork")]
    send(home, "/settings/workbook/commit", key=key_of(upload(home, bytes_of(tmp_path, rows))))


def test_a_serial_changed_since_the_commit_outlives_the_undo(home: Home, tmp_path: Path) -> None:
    take_a_third(home, tmp_path)
    change(home, "NEW00001")
    home.monitor.workbooks.sync()
    assert send(home, "/settings/workbook/undo") == 303
    assert sites(home)["AAA-01"] == "NEW00001"
    assert "CCC-01" not in sites(home)


def test_a_new_serial_of_a_site_that_an_undo_would_remove_refuses_it(
    home: Home, tmp_path: Path
) -> None:
    take_a_third(home, tmp_path)
    change(home, "NEW00003", "CCC-01")
    home.monitor.workbooks.sync()
    message = refusal(home, "/settings/workbook/undo")
    assert message.startswith(
        "P2P1.xlsx was changed after the import. Upload the workbook you want instead. The "
        "previous workbook is kept as "
    )
    (kept,) = home.monitor.uploads.folder.glob("before-*.xlsx")
    assert str(kept) in message
    assert sites(home)["CCC-01"] == "NEW00003"


def test_a_preview_says_what_becomes_of_a_serial_that_a_formula_keeps_waiting(
    home: Home, tmp_path: Path
) -> None:
    data = workbooks.book_of([('="SIM00001"&"PAZ0001"', *FIRST[0][1:]), FIRST[1]])
    data = workbooks.changed(data, workbooks.SHEET, r"<v ?/>|<v></v>", "<v>SIM00001PAZ0001</v>")
    (tmp_path / "P2P1.xlsx").write_bytes(data)
    home.monitor.workbooks.sync()
    change(home, "PENDING36")
    home.monitor.workbooks.sync()
    assert home.monitor.workbooks.pending() == {"AAA-01": "PENDING36"}
    rows = [("UPLOADED36", *FIRST[0][1:]), FIRST[1]]
    page = upload(home, bytes_of(tmp_path, rows))
    assert "AAA-01 PENDING36 becomes UPLOADED36" in page.text
    assert send(home, "/settings/workbook/commit", key=key_of(page)) == 303
    assert sites(home)["AAA-01"] == "UPLOADED36"
    assert home.monitor.workbooks.pending() == {}


def test_a_row_without_a_serial_is_filled_on_the_page(home: Home, tmp_path: Path) -> None:
    workbooks.write(tmp_path / "P2P1.xlsx", [*FIRST, ("", "CCC-01", "Cork"), ("", "", "Dublin")])
    home.monitor.workbooks.sync()
    page = read(home.client.get("/settings/workbook", headers=HEADERS).text)
    assert "2 rows skipped" in page.text
    forms = [form for form in page.find("form") if form["action"] == "/settings/workbook/serial"]
    assert [form.find_one("input", name="site")["value"] for form in forms] == ["CCC-01"]
    answer = home.client.post(
        "/settings/workbook/serial", data={"site": "CCC-01", "serial": "x"}, headers=HEADERS
    )
    assert answer.status_code == 422
    assert "CCC-01: Invalid serial number." in read(answer.text).text
    assert send(home, "/settings/workbook/serial", site="CCC-01", serial="SIM00003PAZ0003") == 303
    assert sites(home)["CCC-01"] == "SIM00003PAZ0003"
    page = read(home.client.get("/settings/workbook", headers=HEADERS).text)
    assert "1 row skipped" in page.text
    (line,) = home.monitor.audit.find(action="workbook.changed")
    assert line.about == "CCC-01"


def details(home: Home, site: str) -> Element:
    (number,) = [device.id for device in home.devices() if device.site == site]
    return read(home.client.get(f"/cameras/{number}", headers=HEADERS).text)


def test_the_serial_of_a_recorder_is_corrected_in_its_details(home: Home, tmp_path: Path) -> None:
    page = details(home, "BBB-01")
    form = next(form for form in page.find("form") if form["action"].endswith("/serial"))
    assert form.find_one("input", name="p2pNumber")["value"] == "SIM00002PAZ0002"
    assert "Site BBB-01, P2P1.xlsx, row 3." in form.text
    answer = home.client.post(form["action"], data={"p2pNumber": "a b"}, headers=HEADERS)
    assert answer.status_code == 422
    page = read(answer.text)
    assert "Invalid serial number." in page.find_one("p", id="fault").text
    assert page.find_one("input", name="p2pNumber")["value"] == "a b"
    assert send(home, form["action"], p2pNumber="SIM00003PAZ0003") == 303
    assert sites(home)["BBB-01"] == "SIM00003PAZ0003"
    home.monitor.workbooks.sync()
    sheet = openpyxl.load_workbook(tmp_path / "P2P1.xlsx").active
    assert sheet.cell(3, 1).value == "SIM00003PAZ0003"
    (entry,) = home.monitor.audit.find(action="workbook.changed")
    assert entry.about == "BBB-01"


def test_a_recorder_outside_the_workbook_has_no_serial_to_correct(
    home: Home, tmp_path: Path
) -> None:
    workbooks.write(tmp_path / "P2P1.xlsx", FIRST[:1])
    home.monitor.workbooks.sync()
    page = details(home, "BBB-01")
    assert not page.find("input", name="p2pNumber")
    (number,) = [device.id for device in home.devices() if device.site == "BBB-01"]
    assert send(home, f"/cameras/{number}/serial", p2pNumber="SIM00003PAZ0003") == 409


def test_the_serial_of_an_unknown_site_is_refused_without_a_hint_for_programs(home: Home) -> None:
    form = {"site": "NOPE-01", "serial": "SIM00003PAZ0003"}
    answer = home.client.post("/settings/workbook/serial", data=form, headers=HEADERS)
    assert answer.status_code == 404
    assert "Site NOPE-01 does not exist" in answer.text
    assert "GET /api" not in answer.text


def test_a_text_without_the_titles_is_refused_and_retires_nobody(home: Home) -> None:
    for text in ("P2P NUMBER SITE STORE NAME\nA B C\n", "<table>P2P NUMBER,SITE</table>"):
        page = upload(home, text.encode(), 422)
        assert "No line has the columns" in page.find_one("p", id="fault").text
        assert not page.find("form", action="/settings/workbook/commit")
    assert len(sites(home)) == 2


def test_the_page_says_that_the_sheet_is_hidden(home: Home) -> None:
    book, out = openpyxl.Workbook(), io.BytesIO()
    hidden = book.create_sheet("Old")
    hidden.sheet_state = "hidden"
    for line in (workbooks.TITLES, *FIRST):
        hidden.append(line)
    book.save(out)
    page = upload(home, out.getvalue())
    assert "Sheet Old is hidden in the file." in page.text
    send(home, "/settings/workbook/commit", key=key_of(page))
    shown = home.client.get("/settings/workbook", headers=HEADERS).text
    assert "Sheet Old is hidden in the file." in shown


def test_a_character_that_no_file_can_hold_breaks_no_upload_and_no_download(home: Home) -> None:
    text = "P2P NUMBER,SITE,STORE NAME,NOTE\nSIM00001PAZ0001,AAA-01,Aa\x08chen,a\x0eb\n\x1a"
    page = upload(home, text.encode())
    assert "1 to change, 1 to retire, 0 unchanged, 0 skipped" in page.text
    send(home, "/settings/workbook/commit", key=key_of(page))
    for path in ("/api/download.xlsx", "/api/download.csv", "/api/export", "/", "/sites"):
        answer = home.client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 200
        assert b"\x08" not in answer.data or path.endswith("xlsx")
    body = {"site": "AAA-01\x08", "p2pNumber": "SIM00009PAZ0009\x1a"}
    assert home.client.post("/api/update-p2p", json=body).status_code == 200
    assert sites(home) == {"AAA-01": "SIM00009PAZ0009"}


SECRET = "hunter22-of-Aachen"
WITH_SECRET = (*workbooks.TITLES, "PASSWORD", "PHONE")


def lay_secrets(tmp_path: Path, secret: str = SECRET) -> None:
    rows = [(*FIRST[0], secret, "12"), (*FIRST[1], "", "13")]
    workbooks.write(tmp_path / "P2P1.xlsx", rows, WITH_SECRET)


def test_a_secret_column_of_the_workbook_is_shown_nowhere_and_that_is_said(
    home: Home, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lay_secrets(tmp_path)
    home.monitor.workbooks.sync()
    lay_secrets(tmp_path, SECRET + "-2")
    home.monitor.workbooks.sync()
    (device,) = [device for device in home.devices() if device.site == "AAA-01"]
    assert device.facts["workbook"]["columns"] == {"PASSWORD": "***", "PHONE": "12"}
    paths = (
        *("/api/cameras", f"/api/camera/{device.id}", f"/cameras/{device.id}", "/api/events"),
        *("/api/export", "/api/dvrs", "/api/search?site=AAA-01", "/api/download.csv", "/sites"),
        *("/", "/settings/workbook", "/settings/audit", "/api/audit", "/parts/rows"),
    )
    for path in paths:
        answer = home.client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 200, path
        assert SECRET not in answer.text, path
    assert (
        "Column PASSWORD is hidden" in home.client.get("/settings/workbook", headers=HEADERS).text
    )
    cameras = home.client.get("/api/cameras?q=hunter22").json["cameras"]
    assert cameras == [], "a search finds nobody by it"
    data = home.client.get("/api/download.xlsx").data
    assert all(SECRET.encode() not in part for part in workbooks.parts(data).values())
    assert [cell.value for cell in openpyxl.load_workbook(io.BytesIO(data)).active[1]] == [
        *workbooks.TITLES,
        "PHONE",
    ]
    assert SECRET not in home.settings.database_path.read_text() + caplog.text
    assert all(SECRET not in str(event) for event in home.events())


def test_a_secret_that_an_older_version_kept_is_masked_everywhere(home: Home) -> None:
    (device,) = [device for device in home.devices() if device.site == "AAA-01"]
    facts = {**device.facts["workbook"], "columns": {"PASSWORD": SECRET}}
    fields = {"kind": "recorder", "site": "AAA-01", "source": "workbook", "facts": facts}
    now = home.clock()
    home.monitor.tracker.apply([Edit("list", "row:AAA-01", fields, "Ada", now)], now)
    assert SECRET not in home.client.get(f"/api/camera/{device.id}").text
    before = len(home.events())
    fields = {**fields, "facts": {**facts, "columns": {"PASSWORD": "***"}}}
    home.monitor.tracker.apply([Edit("list", "row:AAA-01", fields, "Ada", now)], now)
    (event,) = home.events()[before:]
    assert SECRET not in str(event)
    assert event.before["row"]["columns"] == {"PASSWORD": "***"}


def test_a_csv_of_three_columns_keeps_the_secrets_in_the_file(home: Home, tmp_path: Path) -> None:
    lay_secrets(tmp_path)
    home.monitor.workbooks.sync()
    page = upload(home, home.client.get("/api/download.csv").data)
    assert "0 to add, 0 to change, 0 to retire, 2 unchanged" in page.text
    assert "Column PASSWORD is hidden" in page.text
    assert SECRET not in page.text
    send(home, "/settings/workbook/commit", key=key_of(page))
    sheet = openpyxl.load_workbook(tmp_path / "P2P1.xlsx").active
    assert [cell.value for cell in sheet["D"]] == ["PASSWORD", SECRET, None]


def test_the_preview_says_what_of_the_present_file_would_be_lost(
    home: Home, tmp_path: Path
) -> None:
    lay_secrets(tmp_path)
    book = openpyxl.load_workbook(tmp_path / "P2P1.xlsx")
    book.active["F2"] = "beside"
    book.active["A2"].comment = Comment("in the cellar", "Ada")
    book.active["G2"] = "=1+1"
    book.active["A2"].font = Font(bold=True)
    book.active.column_dimensions["B"].width = 33
    book.create_sheet("Notes")["A1"] = "call Ada"
    book.save(tmp_path / "P2P1.xlsx")
    home.monitor.workbooks.sync()
    rows = [(*FIRST[0][:2], None, None), (*FIRST[1], "13")]
    data = workbooks.book_of(rows, (*workbooks.TITLES, "PHONE"))
    page = upload(home, data)
    (lost,) = [
        element
        for element in page.find("ul")
        if element.get("aria-label") == "Data that would be lost"
    ]
    assert [item.text for item in lost.find("li")] == [
        "Column PASSWORD with 1 filled cell.",
        "1 filled cell in columns without a title.",
        "Sheet Notes.",
        "Formulas (1).",
        "Column widths (1).",
        "Comments (1).",
        "Cell formats (1).",
        "STORE NAME of AAA-01: 1 cell would become empty.",
        "PHONE of AAA-01: 1 cell would become empty.",
    ]


def test_a_preview_of_the_same_file_loses_nothing(home: Home, tmp_path: Path) -> None:
    lay_secrets(tmp_path)
    page = upload(home, (tmp_path / "P2P1.xlsx").read_bytes())
    assert "Data that would be lost" not in page.text
