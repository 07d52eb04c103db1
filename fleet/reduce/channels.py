"""Keep the channels of a recorder: whose they are, where they are, and what stream each one has.

a recorder reports a channel            a camera of its own behind the recorder
under another key of the recorder       the same camera, by its video source
with the path of one added by hand      that one; a camera that was added by it is the channel
the stream has another path             it is asked there, unless a person set the path
the recorder moves                      its channels move with it, also those added by hand
it is retired, restored, deleted        so are its channels
it is split                             a channel goes with the key of its recorder
it reports others before a channel      the channel keeps the number that it had at first
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from fleet import channels, identity, labels, status
from fleet.channels import (
    NO_SIGNAL,
    SOURCE,
    STREAM,
    is_channel,
    recorder_of,
    server_of,
    stream_access,
)
from fleet.model import Access, Device, Finding, Refused, Sighting
from fleet.places import access_key
from fleet.reduce import addresses, entered_hosts, findings
from fleet.reduce.draft import Draft

MAX_CHANNELS = 128
"""Channels that one device reports; more are only reported by one that invents them."""
MAX_RECORDS = 2 * MAX_CHANNELS
"""Channels of one device with those that it no longer reports: an update can rename all of them."""
NUMBER = "channel"
"""The fact with the number of a channel."""
NO_SIGNAL_TEXT = "the recorder receives no video signal on this channel"


def keys_in(sighting: Sighting) -> list[str]:
    """The keys of a channel in the sighting; none if it is of another device."""
    return [key for key in sighting.identities if key.startswith(identity.CHANNEL)]


def recorder(draft: Draft, sighting: Sighting) -> Device | None:
    """The device that serves the channel of the sighting: the one that its key names, else the
    one that was asked."""
    for key in keys_in(sighting):
        owner = draft.find(identity.owner_of(key), sighting.site)
        if owner is not None:
            return owner
    asked = draft.find(f"id:{sighting.device}", sighting.site) if sighting.device else None
    return asked if asked and not is_channel(asked) else None


def of(draft: Draft, owner: Device) -> list[Device]:
    """The channels that the device serves, retired ones too."""
    return [
        device
        for device in draft.referring_to(owner.id)
        if device.parents[:1] == (owner.id,) and is_channel(device)
    ]


def known_otherwise(draft: Draft, sighting: Sighting) -> list[Device]:
    """The channel of the sighting by its video source, when the recorder is known by another key
    now."""
    owner, keys = recorder(draft, sighting), keys_in(sighting)
    if owner is None or not keys:
        return []
    parts = set(map(channels.part_of, keys))
    return [device for device in of(draft, owner) if parts & channels.parts_of(device)][:1]


def added_with_stream(draft: Draft, sighting: Sighting) -> list[Device]:
    """The camera that a person added with the stream of the channel of the sighting: as a channel
    of its recorder, or by the address of the recorder alone."""
    owner, stream = recorder(draft, sighting), stream_access(sighting.links.get(STREAM))
    if owner is None or stream is None or not keys_in(sighting):
        return []
    added = [device for device in of(draft, owner) if STREAM not in device.links]
    added += [device for device in _asked_at(draft, owner, stream) if _is_only_asked(device)]
    same = [device for device in added if device.id != owner.id and has_stream(device, stream)]
    return same[:1]


def _asked_at(draft: Draft, owner: Device, stream: Access) -> list[Device]:
    """The devices that are asked for this stream at the address of the recorder."""
    hosts = {access.host for access in owner.access.values() if access.host} | {owner.address}
    ports = {stream.port, *((None, channels.PORT) if has_usual_port(stream) else ())}
    ways = [replace(stream, host=host, port=port) for host in hosts if host for port in ports]
    keys = [key for way in ways if (key := access_key(SOURCE, way))]
    return [device for key in keys for device in draft.asked_at(owner.site, key)]


def _is_only_asked(device: Device) -> bool:
    """True for a camera that is known by its stream alone: it proved no identity of its own."""
    has_proved = any(key.startswith((identity.MAC, identity.ENDPOINT)) for key in device.identities)
    return device.access.keys() == {SOURCE} and device.retired_at is None and not has_proved


def has_usual_port(stream: Access) -> bool:
    return stream.port in (None, channels.PORT)


def has_stream(device: Device, stream: Access) -> bool:
    """True for a device that is asked for this stream, or that names it as its own."""
    known = device.access.get(SOURCE) or stream_access(device.links.get(STREAM))
    if known is None:
        return False
    return known.path == stream.path and server_of(known) == server_of(stream)


def at_recorder(draft: Draft, sighting: Sighting) -> Sighting | None:
    """The sighting of a channel at the address of its recorder, wherever the recorder says that it
    is; None where a camera that proved itself has the key: a recorder proves nothing about it."""
    if not (keys := keys_in(sighting)):
        return sighting
    holders = (draft.find(key, sighting.site) for key in keys)
    if any(holder is not None and not is_channel(holder) for holder in holders):
        return None
    owner = recorder(draft, sighting)
    return replace(sighting, address=owner.address) if owner and owner.address else sighting


def has_room(draft: Draft, sighting: Sighting) -> bool:
    """False for one more channel of a device that has too many already. One that it no longer
    reports keeps no place of those that it may report."""
    owner = recorder(draft, sighting) if keys_in(sighting) else None
    if owner is None:
        return True
    active = [device for device in of(draft, owner) if device.retired_at is None]
    gone = [device for device in active if is_gone(device, sighting.source)]
    return len(active) < MAX_RECORDS and len(active) - len(gone) < MAX_CHANNELS


def is_gone(device: Device, source: str) -> bool:
    """True for a channel that the source no longer reports."""
    return source in device.states and status.is_missed(device.states[source])


def numbered(draft: Draft, device: Device | None, sighting: Sighting) -> Sighting:
    """The sighting of a channel with the number that it had at first, wherever it is in the list of
    its recorder now; a new one gets a number that no other channel has."""
    number, owner = sighting.facts.get(NUMBER), recorder(draft, sighting)
    if not number or not keys_in(sighting) or owner is None:
        return sighting
    kept = _number_of(device) if device else ""
    if not kept:
        others = {_number_of(other) for other in of(draft, owner)}
        highest = max((int(known) for known in others if known.isdecimal()), default=0)
        kept = str(highest + 1) if str(number) in others else str(number)
    return replace(sighting, facts={**sighting.facts, NUMBER: kept})


def _number_of(device: Device) -> str:
    return next((str(facts[NUMBER]) for facts in device.facts.values() if NUMBER in facts), "")


def with_sighting(draft: Draft, device: Device, sighting: Sighting) -> Device:
    """The channel with its recorder as the first parent, with the keys that this one has now, and
    with the access to the stream that is reported."""
    keys, owner = keys_in(sighting), recorder(draft, sighting)
    if not keys or owner is None:
        return device
    device = _with_stream(_with_parent(draft, device, owner), sighting)
    old = {
        key
        for key in device.identities
        if key.startswith(identity.CHANNEL)
        and key not in keys
        and channels.part_of(key) in map(channels.part_of, keys)
        and draft.find(identity.owner_of(key), device.site) is None
    }
    return identity.without(device, old) if old and set(keys) & {*device.identities} else device


def _with_parent(draft: Draft, device: Device, owner: Device) -> Device:
    if device.parents[:1] == (owner.id,):
        return device
    former = draft.devices.get(device.parents[0]) if device.parents else None
    gone = former.id if former and former.kind == owner.kind else 0
    rest = (id for id in device.parents if id not in (owner.id, gone))
    wanted = replace(device, parents=(owner.id, *rest))
    return device if identity.is_circle(wanted, draft.devices) else wanted


def _with_stream(device: Device, sighting: Sighting) -> Device:
    """The channel with the path of its stream. One that a person set stays, and an access that a
    person removed does not come back."""
    before, new = device.links.get(STREAM), sighting.links.get(STREAM)
    stream, known = stream_access(new), device.access.get(SOURCE)
    if stream is None or new == before:
        return device
    if known is None:
        access = None if before else stream
    else:
        former = stream_access(before)
        is_ours = former is not None and _stream_of(known) == _stream_of(former)
        access = _at_stream(known, stream) if is_ours else None
    return replace(device, access={**device.access, SOURCE: access}) if access else device


def _stream_of(access: Access) -> tuple[object, ...]:
    return *server_of(access), access.path


def _at_stream(access: Access, stream: Access) -> Access:
    """The access at the stream that the device names now. A login that a person entered for its
    port before is used with Digest only at another one."""
    options = {**access.options, **stream.options}
    if not stream.options:
        options.pop("tls", None)
    is_there = server_of(access) == server_of(stream)
    return replace(
        access,
        port=stream.port,
        path=stream.path,
        options=options,
        tls_pin=access.tls_pin if is_there else None,
        digest_only=access.digest_only or not is_there,
    )


def tell_signal(draft: Draft, device: Device, sighting: Sighting) -> None:
    """Raise or clear the finding about a channel that gets no picture from its camera."""
    signal = sighting.facts.get("signal")
    if not isinstance(signal, bool) or not keys_in(sighting):
        return
    key, source = f"id:{device.id}", sighting.source
    finding = Finding(key, NO_SIGNAL, sighting.at, NO_SIGNAL_TEXT, source, cleared=signal)
    findings.apply(draft, replace(finding, site=device.site))


def check_merge(draft: Draft, device: Device, other: Device) -> None:
    """Raise Refused for a channel and its recorder, which are never one device."""
    for channel, owner in ((device, other), (other, device)):
        if recorder_of(channel, draft.devices) is owner:
            raise Refused(
                f"{labels.name(channel)} is a channel of {labels.name(owner)}",
                "Retire the channel if its camera is not needed in the list.",
            )


# -- with the recorder -----------------------------------------------------------------------


def move_along(draft: Draft, owner: Device, old: str | None) -> None:
    """Move the channels to the address of their recorder, also those that a person added at its
    `old` address. It is the move of one device, told once."""
    new = owner.address
    for device in of(draft, owner) if new else ():
        if device.address != new:
            device = addresses.with_address(device, str(new), draft.now)
        if old and not entered_hosts.is_entered(owner, old):
            device = entered_hosts.channel_followed(device, old, str(new))
        draft.put(device)


def retire_along(draft: Draft, owner: Device, at: datetime) -> int:
    """Retire the channels of a recorder with it; return how many."""
    active = [device for device in of(draft, owner) if device.retired_at is None]
    for device in active:
        draft.put(replace(device, retired_at=at))
    return len(active)


def restore_along(draft: Draft, owner: Device, retired_at: datetime | None) -> int:
    """Restore the channels that were retired with their recorder; return how many."""
    retired = [device for device in of(draft, owner) if device.retired_at == retired_at]
    for device in retired if retired_at else ():
        draft.put(replace(device, retired_at=None))
    return len(retired) if retired_at else 0


def divide(draft: Draft, halves: Iterable[Device]) -> None:
    """Put each channel of a recorder that was split behind the half that has the key of its
    owner."""
    both = list(halves)
    for half in both:
        others = {other.id for other in both if other.id != half.id}
        for device in of(draft, half):
            owners = {
                owner.id
                for key in device.identities
                if (owner := draft.find(identity.owner_of(key), device.site)) is not None
            }
            if len(new := owners & others) == 1 and half.id not in owners:
                draft.put(replace(device, parents=(*new, *device.parents[1:])))
