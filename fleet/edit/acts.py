"""Events of many devices that one write made, described together as one act. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from fleet import labels
from fleet.edit import editing, import_events
from fleet.model import Event

KINDS = (
    *("device.edited", "device.retired", "device.restored", "device.listed", "device.deleted"),
    "device.added",
)
"""The events that an edit of many devices makes."""
WHOLE = (*KINDS, import_events.EVENT)
"""The first events of acts that may have many."""
TITLES = {"parent": "parent device", "parents": "parent devices"}


@dataclass(frozen=True, slots=True)
class Act:
    """Events that belong together, in their order; most acts are one event."""

    events: Sequence[Event]

    @property
    def first(self) -> Event:
        return self.events[0]


def folded(events: Iterable[Event]) -> Iterator[Act]:
    """The events, the newest first, as acts: an import with all its rows is one, and so are
    neighbours of one kind, one moment and one author."""
    for _, group in groupby(events, key=_Keys()):
        yield Act([*group])


class _Keys:
    """Gives each event the key of its act. The event of an import comes before those of its
    rows."""

    def __init__(self) -> None:
        self._rows = range(0)
        self._import = 0

    def __call__(self, event: Event) -> tuple[object, ...]:
        if event.kind == import_events.EVENT:
            self._rows = range(event.after["first"], event.after["last"] + 1)
            self._import = event.sequence
            return (self._import,)
        return (self._import,) if event.sequence in self._rows else _key(event)


def _key(event: Event) -> tuple[object, ...]:
    if event.kind not in KINDS or event.device is None:
        return (event.sequence,)
    return (event.at, event.kind, _end(event))


def _end(event: Event) -> str:
    """The end of the text, which says who did it: "by anna", "retired by anna"."""
    return event.text.rpartition(", " if event.kind == "device.edited" else " was ")[2]


def text(events: Sequence[Event], counted: str) -> str:
    """The sentence for all events of an act. `counted`: how many devices, such as "2 cameras"."""
    first = events[0]
    if len(events) == 1 or first.kind == import_events.EVENT:
        return first.text
    if first.kind in editing.OF_KEYS:
        return f"{len(events)} devices or channels are {first.text.rpartition(' is ')[2]}"
    if first.kind != "device.edited":
        return f"{counted} were {_end(first)}"
    change = _common_change(events)
    if change and first.before.keys() == {"tags"}:
        added, removed = editing.tag_changes(first.before["tags"], first.after["tags"])
        if bool(added) != bool(removed):
            way = "added to" if added else "removed from"
            named = editing.tags_named(added or removed)
            return f"{named[:1].upper()}{named[1:]} {way} {counted}, {_end(first)}"
    return f"{counted}: {change or _changed_fields(events)}"


def _common_change(events: Sequence[Event]) -> str:
    """What all texts say after the name of the device, such as "tags changed, by anna"."""
    parts = events[0].text.split(": ")
    for place in range(1, len(parts)):
        change = ": ".join(parts[place:])
        if all(event.text.endswith(f": {change}") for event in events):
            return change
    return ""


def _changed_fields(events: Sequence[Event]) -> str:
    names = dict.fromkeys(TITLES.get(key, key) for event in events for key in event.before)
    return f"{' and '.join(names)} changed, {_end(events[0])}"


def sentence(events: Sequence[Event], by: str) -> str:
    """What a person did to many devices in one write, without their name."""
    kinds = dict.fromkeys(event.kind for event in events)
    parts = []
    for kind in kinds:
        same = [event for event in events if event.kind == kind]
        author = labels.author(by)
        line = text(same, labels.device_count({event.device for event in same}))
        parts.append(line.removesuffix(author).rstrip(", "))
    return "; ".join(parts)
