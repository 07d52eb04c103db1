"""Add a device with its connections and channels, or add connections to one that is known, in the
name of the person of the request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet import labels, logins
from fleet.edit import editing, ignoring
from fleet.fleet_secrets import Seal
from fleet.model import Device, Edit, Event, Refused
from web.http.actions.devices import apply_edits, new_edit
from web.http.errors import HttpError
from web.http.monitor import current_monitor

ACTION = "device.add"
"""What a person must be allowed to do."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How one source reaches the device: `fields` of its access, and the password."""

    source: str
    fields: Mapping[str, Any]
    secret: str | None = field(default=None, repr=False)

    def sealed(self, seal: Seal) -> dict[str, Any]:
        """The fields of an edit."""
        secret = {"secret": seal(self.secret)} if self.secret else {}
        return {**self.fields, "source": self.source, **secret}


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A channel of a new recorder, by its key. `is_wanted`: add it, else ignore it. `path` is that
    of its stream, `title` what the device calls it."""

    key: str
    name: str
    is_wanted: bool = True
    path: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Saved:
    """The device, and the events that undo all of it."""

    device: int
    undo: Sequence[int]


def add_device(
    values: Mapping[str, Any],
    connections: Sequence[Connection],
    channels: Sequence[NewChannel] = (),
) -> Saved:
    """Add a device with its first connection, then all others and the channels. Raises Refused,
    before anything was added, and HttpError (401, 403)."""
    with current_monitor().secrets.sealing() as seal:
        events = apply_edits(
            [new_edit("add", "", {**values, **connections[0].sealed(seal)})], ACTION
        )
        id = next(event.device for event in events if event.kind == "device.added")
        assert id is not None  # nosec B101  events of this kind have a device
        recorder = current_monitor().tracker.devices()[id]
        more = [
            new_edit("link", f"id:{id}", connection.sealed(seal)) for connection in connections[1:]
        ]
        more += [edit for channel in channels for edit in _channel_edits(channel, recorder, values)]
        refused: dict[int, Refused | HttpError] = {}
        events += apply_edits(more, ACTION, refused=refused) if more else []
    _name_found(channels, values)
    return Saved(id, _undoable(events))


def add_connections(
    device: Device, connections: Sequence[Connection], *, is_lent: bool = False
) -> Saved:
    """Add the connections to a device that is known. `is_lent`: those without a login use the one
    that is saved for this address. Raises Refused and HttpError (401, 403)."""
    with current_monitor().secrets.sealing() as seal:
        edits = []
        for connection in connections:
            fields = connection.sealed(seal)
            lender = logins.lender_for(device, connection.source, fields.get("host"))
            if is_lent and lender:
                fields["login_of"] = lender
            edits.append(new_edit("link", f"id:{device.id}", fields))
        return Saved(device.id, _undoable(apply_edits(edits, ACTION)))


def _channel_edits(channel: NewChannel, recorder: Device, values: Mapping[str, Any]) -> list[Edit]:
    site = {"site": values["site"]} if "site" in values else {}
    if not channel.is_wanted:
        text = f"{channel.title or 'A channel'} of {labels.name(recorder)}"
        return [new_edit("ignore", channel.key, {**site, "text": text[: ignoring.MAX_REASON]})]
    name = {"name": channel.name} if channel.name else {}
    return [new_edit("add", "", {"key": channel.key, "parents": [recorder.id], **name, **site})]


def _name_found(channels: Sequence[NewChannel], values: Mapping[str, Any]) -> None:
    """Name the channels that the check of the recorder found first."""
    tracker, site = current_monitor().tracker, values.get("site")
    edits = [
        new_edit("change", f"id:{device.id}", {"name": channel.name})
        for channel in channels
        if channel.is_wanted and channel.name
        if (device := tracker.known(channel.key, site or "")) and device.name is None
    ]
    if edits:
        apply_edits(edits, ACTION, refused={})


def _undoable(events: Sequence[Event]) -> list[int]:
    return [event.sequence for event in events if editing.can_undo(event)]
