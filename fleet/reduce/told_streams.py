"""Check the stream of a camera by RTSP as well, once ONVIF names it. Pure.

ONVIF names the stream for the first time     RTSP is added there, with the login of ONVIF
a recorder with channels                      nothing: each channel has a stream of its own
the device is checked by RTSP already         nothing: the path that a person entered stays
a person removed that access                  it does not come back
another device is checked at that place       nothing: a person can merge the two
"""

from collections.abc import Container, Mapping
from dataclasses import replace

from fleet import identity, labels
from fleet.channels import SOURCE, STREAM, is_channel, stream_access
from fleet.model import Access, Device, Sighting
from fleet.places import access_key, place
from fleet.reduce import channels
from fleet.reduce.access import device_asked_at, for_event, with_key
from fleet.reduce.draft import Draft

ONVIF = "onvif"


def add_access(draft: Draft, before: Device, sighting: Sighting) -> None:
    """Give the device that the sighting is of the access to its stream. `before`: the device as it
    was without the sighting."""
    device = draft.devices[before.id]
    if sighting.source != ONVIF or STREAM in before.links or SOURCE in device.access:
        return
    access = _told_access(device)
    if access is None or is_channel(device) or channels.of(draft, device):
        return
    key = access_key(SOURCE, access)
    if key is not None and not _is_free(draft, device, key):
        return
    linked = with_key(device, key) if key else device
    draft.put(replace(linked, access={**device.access, SOURCE: access}))
    text = f"ONVIF named the stream of {labels.name(device)}: RTSP checks {place(access)}"
    values = {"source": SOURCE, "key": key, "listed": device.listed}
    undone = {**values, "key": None, "access": None}
    added = {**values, "access": for_event(access)}
    draft.add_event("device.linked", draft.devices[device.id], text, undone, added)


def without_told(device: Device, given: Container[str]) -> Mapping[str, Access]:
    """The access of the device without the one to the stream that ONVIF named, as long as nobody
    changed it. `given`: the sources that a person gave."""
    stream = _told_access(device)
    known = for_event(device.access.get(SOURCE))
    if stream is None or SOURCE in given or known != for_event(stream):
        return device.access
    return {source: access for source, access in device.access.items() if source != SOURCE}


def _told_access(device: Device) -> Access | None:
    """The access to the stream that ONVIF named, by the address and the login of ONVIF. That RTSP
    takes this login, and with which method, is not known yet."""
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
