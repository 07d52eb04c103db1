"""Cache of list rows as JSON: a row is encoded again only when it changes."""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime

import orjson

from fleet import labels, shapes, status
from fleet.model import Device
from fleet.status import Rules


class EncodedRows:
    """A cache of the JSON of each device's row. A device is frozen: the same object, with the same
    status, as fresh as before and with the same recorder's name, has the same row. As many are
    remembered as the fleet has devices: about 0.75 MB for a thousand."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[Device, str, bool, str, orjson.Fragment]] = {}

    def of(
        self,
        some: Iterable[Device],
        devices: Mapping[int, Device],
        statuses: Mapping[int, str],
        now: datetime,
        rules: Rules,
    ) -> list[orjson.Fragment]:
        """The rows of some of the devices that the viewer sees, as `shapes.row` makes them.
        `statuses` has the whole fleet's."""
        rows = [self._row(device, statuses[device.id], now, rules, devices) for device in some]
        if len(self._rows) > len(statuses):
            self._forget_gone(statuses)
        return rows

    def __len__(self) -> int:
        return len(self._rows)

    def _forget_gone(self, fleet: Container[int]) -> None:
        # The list is made in one step: other threads add rows meanwhile.
        for number in list(self._rows):
            if number not in fleet:
                self._rows.pop(number, None)

    def _row(
        self,
        device: Device,
        status_name: str,
        now: datetime,
        rules: Rules,
        devices: Mapping[int, Device],
    ) -> orjson.Fragment:
        recorder, known = labels.named_with(device, devices), self._rows.get(device.id)
        shown_with = labels.name(recorder) if recorder else ""
        same = (status_name, status.is_stale(device, now, rules), shown_with)
        if known and known[0] is device and known[1:4] == same:
            return known[4]
        # Copied, because orjson's own bytes keep a buffer of twice the length.
        data = bytes(memoryview(orjson.dumps(shapes.row(device, status_name, now, rules, devices))))
        fragment = orjson.Fragment(data)
        self._rows[device.id] = (device, *same, fragment)
        return fragment
