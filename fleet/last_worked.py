"""When a connection last gave its stream. Pure."""

from datetime import datetime

from fleet.model import Access, Device

WITHOUT_STREAM = ("stream.", "login.", "tls.", "identity.other", "access.password")
"""How the kinds of findings begin with which a device responds and gives no stream."""
OPEN = "login.none"


def worked_at(device: Device, source: str) -> datetime | None:
    """When this source last got the stream. The access has it to the hour, which spares a write at
    each check; as long as nothing is wrong, each response gave the stream."""
    known = device.access.get(source, Access()).worked_at
    state = device.states.get(source)
    if known is None or state is None or state.seen_at is None or _is_without(device, source):
        return known
    return max(known, state.seen_at)


def _is_without(device: Device, source: str) -> bool:
    return any(
        fault.source == source and fault.kind.startswith(WITHOUT_STREAM) and fault.kind != OPEN
        for fault in device.findings
    )
