"""What was exported can be uploaded again; a CSV file is as good as a workbook."""

import csv
import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.home import Clock, Home
from tests.web.browser import Element, read

TITLES = ("P2P NUMBER", "SITE", "STORE NAME", "PHONE")
ROWS: list[tuple[Any, ...]] = [
    ("SIM00001PAZ0001", "AAA-01", "=1+1", "+49 1"),
    ("00123456", "BBB-01", "@home, and 'more'", "-"),
    ("SIM00003PAZ0003", "CCC-01", '-5 "quoted"', ""),
    ("SIM00004PAZ0004", "DDD-01", "Café Zürich", "123"),
]
HEADERS = {"Accept": "text/html", "Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
SAME = "0 to add, 0 to change, 0 to retire, 4 unchanged, 0 skipped"


def write_texts(path: Path, rows: list[Any]) -> None:
    """A workbook in which what looks like a formula is text, as typed with a quote in front."""
    book = openpyxl.Workbook()
    for line, row in enumerate(rows, start=1):
        for column, value in enumerate(row, start=1):
            cell = book.worksheets[0].cell(line, column, value)
            cell.data_type = "s"
    book.save(path)


@pytest.fixture
def home(tmp_path: Path) -> Any:
    write_texts(tmp_path / "P2P1.xlsx", [TITLES, *ROWS])
    made = Home(tmp_path, Clock())
    yield made
    made.close()


def upload(home: Home, data: bytes, name: str, status: int = 200) -> Element:
    answer = home.client.post(
        "/settings/workbook",
        data={"file": (io.BytesIO(data), name)},
        content_type="multipart/form-data",
        headers=HEADERS,
    )
    assert answer.status_code == status, answer.text
    return read(answer.text)


def stores(home: Home) -> dict[str, str]:
    items = home.client.get("/api/dvrs").json["items"]
    return {item["SITE"]: item["STORE NAME"] for item in items}


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_our_own_export_changes_nothing(home: Home, kind: str) -> None:
    assert stores(home)["AAA-01"] == "=1+1"
    data = home.client.get(f"/api/download.{kind}").data
    assert SAME in upload(home, data, f"dvrs_all.{kind}").text


def test_our_csv_changes_nothing_when_a_spreadsheet_has_saved_it_as_a_workbook(
    home: Home, tmp_path: Path
) -> None:
    text = home.client.get("/api/download.csv").text
    assert "'=1+1" in text, "no spreadsheet computes it"
    phones = [row[3] for row in [TITLES, *ROWS]]
    rows = csv.reader(io.StringIO(text))
    write_texts(
        tmp_path / "again.xlsx",
        [[*row, phone] for row, phone in zip(rows, phones, strict=True)],
    )
    page = upload(home, (tmp_path / "again.xlsx").read_bytes(), "again.xlsx")
    assert SAME in page.text


@pytest.mark.parametrize(
    ("divider", "code"), [(",", "utf-8"), (";", "cp1252"), ("\t", "utf-8-sig")]
)
def test_a_csv_of_any_spreadsheet_is_taken_and_keeps_the_further_columns(
    home: Home, divider: str, code: str
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=divider)
    writer.writerow(["Site", "Store Name", "p2p number"])
    writer.writerows([site, store, serial] for serial, site, store, _phone in ROWS[:3])
    writer.writerow(["DDD-01", "Café Genève", "SIM00004PAZ0004"])
    page = upload(home, out.getvalue().encode(code), "list.csv")
    assert "0 to add, 1 to change, 0 to retire, 3 unchanged, 0 skipped" in page.text
    key = page.form("/settings/workbook/commit").find_one("input", name="key")["value"]
    sent = home.client.post("/settings/workbook/commit", data={"key": key}, headers=HEADERS)
    assert sent.status_code == 303
    assert stores(home)["DDD-01"] == "Café Genève"
    (device,) = [device for device in home.devices() if device.site == "DDD-01"]
    assert device.facts["workbook"]["columns"] == {"PHONE": "123"}


def test_a_row_of_a_csv_that_cannot_be_used_is_named_by_its_line(home: Home) -> None:
    text = "P2P NUMBER,SITE,STORE NAME\nSIM00001PAZ0001,AAA-01,Mall\n\n,EEE-01,Pier\n"
    page = upload(home, text.encode(), "list.csv")
    assert "P2P NUMBER of EEE-01 is empty" in page.text
    cells = [cell.text for cell in page.find("td")]
    assert cells[0] == "4"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('P2P NUMBER,SITE,STORE NAME\n"AB12345,SITE-001,Mall\n', "cannot be read"),
        ("NAME,PLACE\nA,B\n", "No line has the columns P2P NUMBER, SITE, STORE NAME"),
        ("P2P NUMBER,SITE,STORE NAME\nA" + "x" * 200_000 + ",B,C\n", "cannot be read"),
    ],
)
def test_a_csv_that_cannot_be_used_is_refused_in_words(home: Home, text: str, says: str) -> None:
    assert says in upload(home, text.encode(), "list.csv", 422).find_one("p", id="fault").text
    assert len(stores(home)) == 4
