"""The export of a list: its filter, its columns, and three formats."""

import csv
import io
from typing import Any

import openpyxl
import pytest

from simulators.panasonic import Camera
from tests.home import Home
from tests.web.pages.stores import Make

IDENTITY = ["id", "kind", "camera_name", "site", "mac_address", "serial_number", "current_ip"]
COLUMNS = "status,tags,parent"
FIELDS = [*IDENTITY, "status", "reason", "since", "parents", "tags"]


@pytest.fixture
def home(make_home: Make) -> Home:
    cameras = [
        Camera(f"d4:2d:c5:00:00:0{number}", f"127.20.0.{number}", name)
        for number, name in enumerate(("Gate", "Yard", "Ramp"), start=1)
    ]
    made = make_home(*cameras)
    made.scan()
    made.client.patch("/api/camera/1", json={"name": "=HYPERLINK(1)", "tags": ["a", "b"]})
    made.client.patch("/api/camera/2", json={"parent": 1, "tags": ["a"]})
    return made


def fetched(home: Home, query: str) -> Any:
    answer = home.client.get(f"/api/export?{query}")
    assert answer.status_code == 200, answer.text
    return answer


def table(answer: Any) -> list[list[str]]:
    """The lines of a CSV or XLSX file."""
    if answer.mimetype == "text/csv":
        return list(csv.reader(io.StringIO(answer.text)))
    sheet = openpyxl.load_workbook(io.BytesIO(answer.data)).active
    return [[cell.value or "" for cell in line] for line in sheet.iter_rows()]


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_a_table_has_the_filtered_rows_with_identity_and_shown_columns(
    home: Home, format: str
) -> None:
    answer = fetched(home, f"format={format}&q=a&sort=-name&columns={COLUMNS}")
    assert f'filename="camera_list_2026-03-01.{format}"' in answer.headers["Content-Disposition"]
    head, *lines = table(answer)
    assert head == FIELDS
    by_name = {line[2].removeprefix("'"): dict(zip(head, line, strict=True)) for line in lines}
    assert list(by_name) == ["Yard", "Ramp", "=HYPERLINK(1)"]
    assert by_name["Yard"]["parents"].removeprefix("'") == "=HYPERLINK(1)"
    assert (by_name["Yard"]["status"], by_name["Yard"]["site"]) == ("Active", "")
    assert by_name["=HYPERLINK(1)"]["tags"] == "a, b"


def test_a_formula_is_text_in_every_format(home: Home) -> None:
    assert "'=HYPERLINK(1)" in fetched(home, "format=csv").text
    book = openpyxl.load_workbook(io.BytesIO(fetched(home, "format=xlsx").data))
    cells = [cell for line in book.active.iter_rows() for cell in line]
    (formula,) = [cell for cell in cells if cell.value == "=HYPERLINK(1)"]
    assert formula.data_type != "f" or formula.quotePrefix, "a spreadsheet would run it"


def test_the_json_of_a_list_has_the_fields_of_the_api(home: Home) -> None:
    body = fetched(home, f"format=json&q=ramp&columns={COLUMNS}").json
    (camera,) = body["cameras"]
    assert list(camera) == FIELDS
    assert (body["count"], camera["status"], camera["tags"]) == (1, "ACTIVE", [])
    known = home.client.get(f"/api/camera/{camera['id']}").json
    assert camera["mac_address"] == known["mac_address"]


def test_the_export_of_a_paged_list_has_all_of_its_pages(home: Home) -> None:
    body = fetched(home, "format=json&per_page=1&page=2&sort=-name").json
    names = [camera["camera_name"] for camera in body["cameras"]]
    assert names == ["Yard", "Ramp", "=HYPERLINK(1)"]
    page = home.client.get("/?per_page=50&sort=name").text
    assert "format=csv" in page
    assert "per_page=50&amp;format" not in page


def test_without_a_format_it_is_everything_as_before(home: Home) -> None:
    body = fetched(home, "").json
    assert body["count"] == 3
    assert "ip_history" in body["cameras"][0]


def test_an_unknown_format_is_refused(home: Home) -> None:
    assert home.client.get("/api/export?format=pdf").status_code == 422
