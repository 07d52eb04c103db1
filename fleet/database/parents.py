"""Check the parents of devices as the file has them: each step takes time by their number alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fleet.model import Device


def checked(devices: Mapping[int, Device]) -> dict[int, Device]:
    """The devices, each with those parents only that are there and not behind it."""
    parents = {id: device.parents for id, device in devices.items() if device.parents}
    circles = circles_of(parents)
    return {id: _with_parents(device, devices, circles) for id, device in devices.items()}


def _with_parents(
    device: Device, devices: Mapping[int, Device], circles: Mapping[int, int]
) -> Device:
    if not device.parents:
        return device
    kept = tuple(
        parent
        for parent in dict.fromkeys(device.parents)
        if parent in devices and circles.get(parent) != circles[device.id]
    )
    return device if kept == device.parents else replace(device, parents=kept)


def circles_of(parents: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """{id: one id of its circle}: two have the same if each is behind the other. What is in no
    circle has one of its own (Kosaraju: once up, in the order found once down)."""
    children: dict[int, list[int]] = {}
    for id, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(id)
    circles: dict[int, int] = {}
    for top in reversed(_lowest_last(parents)):
        waiting = [top]
        while waiting:
            id = waiting.pop()
            if id not in circles:
                circles[id] = top
                waiting += children.get(id, ())
    return circles


def _lowest_last(parents: Mapping[int, Sequence[int]]) -> list[int]:
    """The ids, each behind all that is above it, but for those in one circle."""
    order, passed = list[int](), set[int]()
    for start in parents:
        waiting = [(start, False)]
        while waiting:
            id, is_done = waiting.pop()
            if is_done:
                order.append(id)
            elif id not in passed:
                passed.add(id)
                waiting.append((id, True))
                waiting += [(parent, False) for parent in parents[id] if parent in parents]
    return order
