"""Which records were merged into another one: what was kept for them belongs to it."""

from collections.abc import Mapping, Sequence

from fleet.model import Fleet


def numbers_of(fleet: Fleet, device: int) -> Sequence[int]:
    """The number of a device, and those of the records that were merged into it."""
    if not fleet.redirects:
        return [device]
    return [device, *(old for old, new in fleet.redirects.items() if new == device)]


def own_number(own: Mapping[int, object], fleet: Fleet, device: int) -> int | None:
    """Under which number something was set for a device: its own, else that of a record that was
    merged into it; None if nothing was."""
    if device in own:
        return device
    if not own:
        return None
    return next((number for number in numbers_of(fleet, device) if number in own), None)
