"""What needs attention, as the page shows it: a few lines by name, and one for each fold."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from fleet import attention, labels, recorder_list, shapes, status
from fleet.attention import Concern, Place
from web.http import remedies
from web.http.monitor import Monitor
from web.http.selection import Snapshot, current_attention
from web.pages.nouns import RECORDER_NOUN
from web.pages.outages import parent_outage
from web.pages.trial_view import SOURCES

MAX_NAMES = 3
"""Devices of one finding that are named."""
ATTENTION_TITLES = {
    attention.ALL: "all",
    attention.MORE: "not in the short list",
    **attention.FOLDS,
}
FOLD_MARKS = {attention.FINDINGS: "finding", attention.NEVER: "offline"}
FOLD_HINTS = {attention.NEVER: "check their addresses, or the serial numbers of recorders"}


@dataclass(frozen=True, slots=True)
class NamedDevice:
    """A device in a line: its number and its name."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Line:
    """One concern by name. `others`: devices of it that are not named; all of them where the name
    is that of a place, whose list is at `url`. `channels`: those of a recorder that is down."""

    devices: list[NamedDevice]
    others: int
    mark: str
    text: str
    since: str | None
    place: str = ""
    url: str = ""
    channels: int = 0


@dataclass(frozen=True, slots=True)
class Fold:
    """Several devices in one line, and the list that holds exactly these."""

    count: int
    mark: str
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class AttentionView:
    """`count` is the number of devices in all lines and folds, each once."""

    count: int
    lines: list[Line]
    folds: list[Fold]
    more: int
    url: str
    more_url: str


def attention_view(monitor: Monitor, snapshot: Snapshot) -> AttentionView:
    known = current_attention(snapshot)
    folds = [_fold(key, concerns) for key, concerns in known.folds.items()]
    return AttentionView(
        len(known.devices()),
        [_line(monitor, concern, snapshot) for concern in known.named],
        folds,
        len(known.devices(attention.MORE)),
        url_of(attention.ALL),
        url_of(attention.MORE),
    )


def url_of(choice: str) -> str:
    """The list of these devices, without any other filter."""
    return "/?" + urlencode({"attention": choice})


def _fold(key: str, concerns: Sequence[Concern]) -> Fold:
    devices = [device for concern in concerns for device in concern.devices]
    count = len({device.id for device in devices})
    if key == attention.NEVER and all(map(recorder_list.is_in_list, devices)):
        text = f"{RECORDER_NOUN.of(count)} never online: check the serial numbers"
        return Fold(count, "offline", text, url_of(key))
    hint = FOLD_HINTS.get(key)
    text = f"{attention.FOLDS[key]}: {hint}" if hint else attention.FOLDS[key]
    mark = FOLD_MARKS.get(key) or key.removeprefix("lasting_")
    return Fold(count, mark, text, url_of(key))


def _place_line(place: Place, concern: Concern, snapshot: Snapshot) -> Line:
    """A store or site whose devices are all silent; the list of its devices has these."""
    seen = {snapshot[1][device.id] for device in concern.devices}
    words = [status.TABLE[name].title.lower() for name in status.NAMES if name in seen]
    text = f"all {len(concern.devices)} {' or '.join(words)}"
    url = "/?" + urlencode({place.kind: place.name, "status": "silent"})
    mark = concern.status.lower()
    return Line([], len(concern.devices), mark, text, shapes.iso(concern.since), place.name, url)


def _line(monitor: Monitor, concern: Concern, snapshot: Snapshot) -> Line:
    if concern.place:
        return _place_line(concern.place, concern, snapshot)
    named = [
        NamedDevice(device.id, labels.name_among(device, snapshot[0]))
        for device in concern.devices[:MAX_NAMES]
    ]
    others = len(concern.devices) - len(named)
    since = shapes.iso(concern.since)
    if concern.fault is None:
        text = _outage(monitor, concern, snapshot)
        return Line(
            named[:1], 0, concern.status.lower(), text, since, channels=len(concern.devices) - 1
        )
    return Line(named, others, "finding", _finding(concern), since)


def _outage(monitor: Monitor, concern: Concern, snapshot: Snapshot) -> str:
    """The status of a device that is down, and why."""
    device, (devices, statuses) = concern.devices[0], snapshot
    row = shapes.row(device, concern.status, monitor.clock(), monitor.rules(), devices)
    remedy = remedies.of_status(row, any(source in SOURCES for source in device.access))
    reason = parent_outage(device, devices, statuses) or row["reason"] or remedy
    return f"{status.TABLE[concern.status].title.lower()}: {reason}"


def _finding(concern: Concern) -> str:
    assert concern.fault is not None
    address = concern.fault.evidence.get("address")
    if len(concern.devices) == 1 or not isinstance(address, str):
        return concern.fault.text
    return f"{'both' if len(concern.devices) == 2 else 'all'} use {address}"
