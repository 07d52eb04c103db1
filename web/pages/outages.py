"""What makes a camera unreachable: the parents, or what is above them, that are down. Pure."""

from collections.abc import Mapping

from fleet import labels, status
from fleet.model import Device

MAX_NAMED = 3
"""Parents that one text names."""


def parent_outage(
    device: Device, devices: Mapping[int, Device], statuses: Mapping[int, str]
) -> str:
    """Name what makes a camera unreachable: on every way up the highest that is down, as far up as
    `devices` goes. What is down below that is so because of it. Empty for other cameras."""
    if statuses[device.id] != status.UNREACHABLE:
        return ""
    causes = _causes(device, devices, statuses)
    parts = [
        f"{labels.name(cause)}, which {status.TABLE[statuses[cause.id]].predicate}"
        for cause in causes[:MAX_NAMED]
    ]
    if len(causes) > MAX_NAMED:
        parts.append(_others_down(len(causes) - MAX_NAMED))
    if len(parts) > 1:
        parts[-1] = f"and {parts[-1]}"
    return f"behind {', '.join(parts)}" if parts else ""


def _others_down(number: int) -> str:
    return "1 more device that is down" if number == 1 else f"{number} more devices that are down"


def _causes(
    device: Device, devices: Mapping[int, Device], statuses: Mapping[int, str]
) -> list[Device]:
    causes: list[Device] = []
    passed = {device.id}
    waiting: list[tuple[int, Device | None]] = [(id, None) for id in reversed(device.parents)]
    while waiting:
        id, highest = waiting.pop()
        parent = devices.get(id)
        if parent is None or id in passed:
            continue
        passed.add(id)
        is_down = parent.retired_at is None and statuses[id] in status.DOWN
        highest = parent if is_down else highest
        above = [id for id in parent.parents if id in devices]
        if is_down and (statuses[id] != status.UNREACHABLE or not above):
            causes.append(parent)
        elif above:
            waiting += [(id, highest) for id in reversed(above)]
        elif highest is not None and highest not in causes:
            causes.append(highest)
    return causes
