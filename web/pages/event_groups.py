"""The groups by which pages filter events, and the mark of each kind."""

from dataclasses import dataclass

from fleet import status


@dataclass(frozen=True, slots=True)
class Group:
    """A filter of events: its name in the URL, its title, and the kinds that belong to it."""

    key: str
    title: str
    kinds: tuple[str, ...]

    @property
    def pair(self) -> tuple[str, str]:
        return self.key, self.title


_STATUS = (
    *(status.event_kind(name) for name in status.NAMES if name != status.IP_CHANGED),
    *("device.found", "device.back"),
)
GROUPS = (
    Group("status", "Status", _STATUS),
    Group(
        "address",
        "Address",
        ("device.moved", "device.settled", status.event_kind(status.IP_CHANGED)),
    ),
    Group("finding", "Findings", ("finding.raised", "finding.cleared")),
    Group(
        "recording",
        "Recording",
        ("recording.started", "recording.completed", "recording.failed"),
    ),
    Group("detail", "Name and firmware", ("device.facts",)),
    Group(
        "edit",
        "Edits",
        (
            *("device.edited", "device.added", "device.listed", "device.deleted"),
            *("device.retired", "device.restored", "device.merged", "device.split"),
            *("device.unmerged", "device.linked", "device.unlinked"),
            *("device.ignored", "device.unignored", "fleet.imported"),
        ),
    ),
    Group(
        "system",
        "System",
        (
            *("source.down", "source.up", "fleet.full", "fleet.replaced"),
            *("database.updated", "server.clock"),
            *("credentials.added", "credentials.changed", "credentials.deleted"),
        ),
    ),
)
"""In the order of the page. Every kind of event belongs to one group."""
OF_DEVICE = GROUPS[:-1]
"""The groups with events of single devices."""
KINDS = {group.key: group.kinds for group in GROUPS}

_MARKS = {status.event_kind(name): name.lower() for name in status.NAMES}
_MARKS |= dict.fromkeys(("device.found", "device.back", "source.up"), "active")
_MARKS |= dict.fromkeys(("device.moved", "device.settled"), "ip_changed")
_MARKS |= {"finding.raised": "finding", "finding.cleared": "finding", "source.down": "unreachable"}
_MARKS |= {"recording.failed": "finding"}


def mark_of(kind: str) -> str:
    """The mark of an event in `static/marks.svg`; a pencil for what a person did."""
    return _MARKS.get(kind, "edit")


def chosen_kinds(key: str) -> tuple[str, ...]:
    """The kinds of a group by its name in the URL; none for all."""
    return KINDS.get(key, ())
