"""Check the stream of a camera by RTSP as well, once ONVIF names it. Pure.

ONVIF names the stream for the first time     RTSP is added there, with the login of ONVIF
a recorder with channels                      nothing: each channel has a stream of its own
... and RTSP without a path                   RTSP is removed from it
the device is checked by RTSP without a path  it gets the path
the device is checked by RTSP already         nothing: the path that a person entered stays
a person removed that access                  it does not come back
another device is checked at that place       nothing: a person can merge the two
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fleet import identity, labels
from fleet.channels import (
    SOURCE,
    STREAM,
    is_channel,
    recorder_of,
    server_of,
    stream_access,
)
from fleet.model import Access, Device, Sighting
from fleet.places import access_key, place
from fleet.reduce import channels
from fleet.reduce.access import device_asked_at, for_event, from_event, with_key
from fleet.reduce.draft import Draft

ONVIF = "onvif"


def add_access(draft: Draft, before: Device, sighting: Sighting) -> None:
    """Give the device that the sighting is of the access to its stream. `before`: the device as it
    was without the sighting."""
    device = draft.devices[before.id]
    if sighting.source != ONVIF or STREAM in before.links:
        return
    known = device.access.get(SOURCE)
    access = _told_access(device) if known is None else _with_told_path(device, known)
    if access is None or is_channel(device) or channels.of(draft, device):
        return
    key = access_key(SOURCE, access)
    if key is not None and not _is_free(draft, device, key):
        return
    former = access_key(SOURCE, known) if known else None
    linked = with_key(device, key) if key else device
    if former in linked.identities and former != key:
        linked = identity.without(linked, (former,))
    draft.put(replace(linked, access={**device.access, SOURCE: access}))
    text = f"ONVIF named the stream of {labels.name(device)}: RTSP checks {place(access)}"
    values = {"source": SOURCE, "key": key, "listed": device.listed}
    undone = {**values, "key": former, "access": for_event(known)}
    added = {**values, "access": for_event(access)}
    draft.add_event("device.linked", draft.devices[device.id], text, undone, added)


def leave_to_channels(draft: Draft, channel: Device) -> None:
    """Take the RTSP access without a path from a device that has its first channels: each of them
    has a stream of its own, and the device has none."""
    device = recorder_of(channel, draft.devices)
    known = device.access.get(SOURCE) if device else None
    if device is None or known is None or known.path or STREAM in device.links:
        return
    if not _is_same_place(device, known):
        return
    key = access_key(SOURCE, known)
    rest = identity.without(device, (key,)) if key in device.identities else device
    states = {name: state for name, state in rest.states.items() if name != SOURCE}
    faults = tuple(fault for fault in rest.findings if fault.source != SOURCE)
    ways = {name: way for name, way in rest.access.items() if name != SOURCE}
    draft.put(replace(rest, access=ways, states=states, findings=faults))
    text = f"RTSP checks the channels of {labels.name(device)}, which has no stream of its own"
    values = {"source": SOURCE, "key": key, "listed": device.listed}
    had = {**values, "access": for_event(known)}
    without = {**values, "access": None}
    draft.add_event("device.unlinked", draft.devices[device.id], text, had, without)


def without_told(device: Device, given: Mapping[str, Any]) -> Mapping[str, Access]:
    """The access of the device without what ONVIF named of its stream, as long as nobody changed
    it. `given`: the access that a person gave, by source, as its event has it."""
    if SOURCE in given:
        return _with_given_path(device, from_event(given[SOURCE]))
    stream = _told_access(device)
    known = for_event(device.access.get(SOURCE))
    if stream is None or SOURCE in given or known != for_event(stream):
        return device.access
    return {source: access for source, access in device.access.items() if source != SOURCE}


def _with_given_path(device: Device, given: Access | None) -> Mapping[str, Access]:
    """The access of the device with the one that a person gave without a path, where only ONVIF
    changed it."""
    known = device.access.get(SOURCE)
    if given is None or given.path:
        return device.access
    named = _with_told_path(device, given)
    if known is None or (named is not None and for_event(known) == for_event(named)):
        return {**device.access, SOURCE: given}
    return device.access


def _with_told_path(device: Device, known: Access) -> Access | None:
    """The access with the path that ONVIF named; None where a person entered one, or another
    place."""
    stream = stream_access(device.links.get(STREAM))
    if stream is None or known.path or not _is_same_place(device, known):
        return None
    is_same_server = server_of(known) == server_of(stream)
    return replace(known, path=stream.path) if is_same_server else None


def _is_same_place(device: Device, known: Access) -> bool:
    """True for an access at the host that ONVIF asks."""
    way = device.access.get(ONVIF)
    return way is not None and known.host == way.host


def _told_access(device: Device) -> Access | None:
    """The access to the stream that ONVIF named, by the address and the login of ONVIF. That RTSP
    takes this login, and with which method, is not known yet.

    Not `logins.with_login_of`, by which a person lends a saved login: nobody has chosen this one.
    So it also logs in nowhere where ONVIF does not, and is recognized as long as nobody changes it.
    """
    stream = stream_access(device.links.get(STREAM))
    way = device.access.get(ONVIF)
    if stream is None or way is None:
        return None
    options = {name: value for name, value in way.options.items() if name == "login"}
    return replace(
        stream,
        host=way.host,
        username=way.username,
        secret=way.secret,
        secret_host=way.secret_host,
        credentials=way.credentials,
        interval=way.interval,
        options={**stream.options, **options},
    )


def _is_free(draft: Draft, device: Device, key: str) -> bool:
    """False for a place that another device has, or that identifies none."""
    place_key = identity.index_key(key, device.site)
    if place_key in draft.disputed or place_key in draft.ignored:
        return False
    owner = draft.find(key, device.site) or device_asked_at(draft, device, key)
    return owner is None or owner.id == device.id
