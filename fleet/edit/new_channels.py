"""Add the stream of a recorder, or of any device with several streams, as a channel of it."""

from collections.abc import Sequence
from dataclasses import replace

from fleet import channels, identity, labels
from fleet.kinds import RECORDER
from fleet.model import Device, Edit, Invalid, Refused
from fleet.places import server_key
from fleet.reduce import channels as served_channels
from fleet.reduce.draft import Draft


def recorder_of(
    draft: Draft, edit: Edit, device: Device, neighbours: Sequence[Device]
) -> Device | None:
    """The device that serves the stream of the new device: the one that a person chose, else the
    device with channels at its address, or its parent that is asked there. Raises Refused."""
    chosen = edit.fields.get("channel_of")
    if chosen is not None:
        return _chosen(draft, chosen, device)
    parents = (draft.devices[id] for id in device.parents if id in draft.devices)
    asked = [parent for parent in parents if _hosts(device) & _hosts(parent)]
    recorders = [
        other
        for other in (*neighbours, *asked)
        if other.kind == RECORDER or served_channels.of(draft, other)
    ]
    return recorders[0] if recorders and _is_stream(device) else None


def _chosen(draft: Draft, id: int, device: Device) -> Device:
    """The device of which a person says that the stream is another channel: itself, or the recorder
    of which it is a channel. Raises Refused."""
    other = draft.find(f"id:{id}", device.site)
    if other is None:
        raise _invalid("The device of this channel does not exist", "Choose another device.")
    owner = channels.recorder_of(other, draft.devices) or other
    name = labels.name(owner)
    if owner.retired_at is not None:
        raise Refused(f"{name} is retired", "Restore it first.")
    if not _is_stream(device):
        raise _invalid("A channel has one RTSP stream", "Add it by the URL of its stream.")
    if not _hosts(device) & _hosts(owner):
        raise _invalid(f"{name} is at another address", "Enter the address of that device.")
    return owner


def with_same_stream(draft: Draft, recorder: Device, device: Device) -> Device | None:
    """The channel of the recorder that has the stream of the device already, by whatever key."""
    stream = device.access[channels.SOURCE]
    others = (*served_channels.of(draft, recorder), recorder)
    return next((other for other in others if served_channels.has_stream(other, stream)), None)


def _is_stream(device: Device) -> bool:
    return device.access.keys() == {channels.SOURCE} and None not in _hosts(device)


def _hosts(device: Device) -> set[str | None]:
    hosts = {access.host for access in device.access.values()}
    return hosts | {device.address} if device.address else hosts


def as_channel(device: Device, recorder: Device, edit: Edit) -> Device:
    """The device as a channel of the recorder, by the path of its stream. Raises Refused for one of
    another site."""
    is_chosen = edit.fields.get("channel_of") is not None
    if is_chosen and "site" in edit.fields and device.site != recorder.site:
        raise _invalid(
            f"{labels.name(recorder)} is at another site", "Choose the site of that device."
        )
    access = device.access[channels.SOURCE]
    key = identity.channel_key(server_key(access), access.path or "/")
    return replace(
        device,
        site=recorder.site if is_chosen else device.site,
        identities=(key, *device.identities),
        parents=tuple(dict.fromkeys((recorder.id, *device.parents))),
    )


def _invalid(error: str, hint: str) -> Invalid:
    invalid = Invalid(error, hint)
    invalid.field = "channel_of"
    return invalid
