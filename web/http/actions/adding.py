"""Add a device with its connections and channels, or add connections to one that is known, in the
name of the person of the request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet import labels, logins
from fleet.edit import editing, ignoring
from fleet.fleet_secrets import Seal
from fleet.model import DEFAULT_SITE, Device, Edit, Event, Refused
from fleet.texts import sentences
from web.http.actions.devices import apply_edits, new_edit
from web.http.errors import HttpError, page_hint
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
    """The device, the events that undo all of it, and which channels were refused, with the
    reason."""

    device: int
    undo: Sequence[int]
    refused: Sequence[str] = ()


def add_device(
    values: Mapping[str, Any],
    connections: Sequence[Connection],
    channels: Sequence[NewChannel] = (),
) -> Saved:
    """Add a device with its connections in one write, then its channels. Raises Refused, before
    anything was added, and HttpError (401, 403)."""
    with current_monitor().secrets.sealing() as seal:
        first, *others = (connection.sealed(seal) for connection in connections)
        more = {"more": {fields["source"]: fields for fields in others}} if others else {}
        events = apply_edits([new_edit("add", "", {**values, **first, **more})], ACTION)
    id = next(event.device for event in events if event.kind == "device.added")
    assert id is not None  # nosec B101  events of this kind have a device
    added, refused = _add_channels(channels, id, values)
    return Saved(id, _undoable([*events, *added]), refused)


def _add_channels(
    channels: Sequence[NewChannel], id: int, values: Mapping[str, Any]
) -> tuple[list[Event], list[str]]:
    """Add the channels of the recorder that are wanted, and ignore the others. A channel that its
    check found first gets its name. Returns the events, and why others were refused."""
    recorder, refused = current_monitor().tracker.devices()[id], dict[int, Refused | HttpError]()
    edits = [_channel_edit(channel, recorder, values) for channel in channels]
    events = apply_edits(edits, ACTION, refused=refused) if edits else []
    _name_found(channels, values)
    tracker, site = current_monitor().tracker, str(values.get("site") or DEFAULT_SITE)
    texts = [
        f"{channel.name or channel.title or 'A channel'}: "
        f"{sentences(refused[place].error, page_hint(refused[place].hint))}"
        for place, channel in enumerate(channels)
        if place in refused
        if not (channel.is_wanted and tracker.known(channel.key, site))
    ]
    return events, texts


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


def _channel_edit(channel: NewChannel, recorder: Device, values: Mapping[str, Any]) -> Edit:
    site = {"site": values["site"]} if "site" in values else {}
    if not channel.is_wanted:
        text = f"{channel.title or 'A channel'} of {labels.name(recorder)}"
        return new_edit("ignore", channel.key, {**site, "text": text[: ignoring.MAX_REASON]})
    name = {"name": channel.name} if channel.name else {}
    return new_edit("add", "", {"key": channel.key, "parents": [recorder.id], **name, **site})


def _name_found(channels: Sequence[NewChannel], values: Mapping[str, Any]) -> None:
    """Name the channels that the check of the recorder found first."""
    tracker, site = current_monitor().tracker, values.get("site")
    edits = [
        new_edit("change", f"id:{device.id}", {"name": channel.name})
        for channel in channels
        if channel.is_wanted and channel.name
        if (device := tracker.known(channel.key, site or DEFAULT_SITE)) and device.name is None
    ]
    if edits:
        apply_edits(edits, ACTION, refused={})


def _undoable(events: Sequence[Event]) -> list[int]:
    return [event.sequence for event in events if editing.can_undo(event)]
