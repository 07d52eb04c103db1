"""List the recorders of the workbook, and change the serial of a site."""

from fleet import recorder_list
from fleet.model import Device
from fleet.natural_order import natural_key
from fleet.serials import clean_serial
from fleet.texts import name_of
from web.http.auditing import actor_name, note
from web.http.monitor import current_monitor
from web.http.shapes.recorders import workbook_row
from web.http.visible_fleet import visible_fleet


def recorders() -> list[tuple[Device, str]]:
    """The recorders of the workbook that this person sees, by site, each with its status."""
    devices, statuses = visible_fleet().statuses()
    matches = [
        (device, statuses[device.id])
        for device in devices.values()
        if recorder_list.is_in_list(device)
    ]
    return sorted(matches, key=lambda match: natural_key(workbook_row(match[0])["SITE"]))


def change_serial(site: str, number: str) -> None:
    """Set the serial of a site and log it. Raises like `Workbooks.change_serial`."""
    rows = [workbook_row(device) for device, _status in recorders()]
    before = {row["SITE"]: row["P2P NUMBER"] for row in rows}
    judge = visible_fleet().judge("workbook.edit")
    current_monitor().workbooks.change_serial(site, number, actor_name(), judge)
    note(
        "workbook.changed",
        site,
        f"Serial number of {site} changed",
        {"p2p": before.get(name_of(site), "")},
        {"p2p": clean_serial(number)},
    )
