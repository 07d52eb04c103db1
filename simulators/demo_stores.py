"""The demo's recorders: 60 in 12 stores, in a workbook, behind a pretended cloud."""

from pathlib import Path

from simulators.easy4ip import Cloud, Recorder, fleet

STORES = (
    *("Aachen", "Bergen", "Cork", "Dresden", "Esbjerg", "Faro"),
    *("Ghent", "Hull", "Izmir", "Jena", "Kyiv", "Lyon"),
)
EACH = 5
STATES = {7: "offline", 19: "silent", 23: "info_404", 31: "unknown", 42: "info_empty", 55: "silent"}
"""What is not simply online, by place."""


def recorders() -> list[Recorder]:
    found = fleet(len(STORES) * EACH)
    for place, state in STATES.items():
        found[place].state = state
    return found


def cloud() -> Cloud:
    """The cloud with all of them, not yet started; answers take 80 ms."""
    made = Cloud(recorders())
    made.delay = 0.08
    return made


def write_workbook(path: Path) -> None:
    """One row for each recorder, with a column of its own and one row that does not fit."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.create_sheet("Recorders", 0)
    sheet.append(["STORE NAME", "SITE", "P2P NUMBER", "PHONE"])
    for place, recorder in enumerate(recorders()):
        store = STORES[place // EACH]
        site = f"{store[:3].upper()}-{place % EACH + 1:02}"
        sheet.append([f"Store {store}", site, recorder.serial, f"+00 {place:04}"])
    sheet.append(["Store Lyon", "LYO-06", "", ""])
    book.save(path)
