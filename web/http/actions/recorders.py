"""The recorders of the workbook: list them, and change the serial of a site."""

from fleet import recorder_list
from fleet.model import Device
from fleet.serials import clean_serial
from fleet.texts import name_of
from web.http.auditing import note, who
from web.http.monitor import monitor
from web.http.shapes.recorders import row_of
from web.http.visible_fleet import visible


def recorders() -> list[tuple[Device, str]]:
    """The recorders of the workbook that this person sees, by site, each with its status."""
    devices, statuses = visible().statuses()
    found = [(one, statuses[one.id]) for one in devices.values() if recorder_list.counts(one)]
    return sorted(found, key=lambda one: row_of(one[0])["SITE"])


def put_serial(site: str, number: str) -> None:
    """Another serial for a site, with a line in the audit log. Raises like `change_serial`."""
    rows = [row_of(device) for device, _status in recorders()]
    before = {row["SITE"]: row["P2P NUMBER"] for row in rows}
    judge = visible().judge("workbook.edit")
    monitor().workbooks.change_serial(site, number, who(), judge)
    note(
        "workbook.changed",
        site,
        f"P2P NUMBER of {site}",
        {"p2p": before.get(name_of(site), "")},
        {"p2p": clean_serial(number)},
    )
