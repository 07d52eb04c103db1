"""The budgets of refused logins: what is spent, and a new one when a person changed a login."""

from collections.abc import Mapping
from dataclasses import replace

from fleet import logins
from fleet.model import Access, Device, SpentLogins
from fleet.reduce import learning
from fleet.reduce.draft import Draft


def keep_spent(draft: Draft, spent: SpentLogins) -> None:
    """Keep the refusals of an access, unless a person changed it since it was asked with."""
    device = draft.devices.get(spent.device)
    access = device.access.get(spent.source) if device else None
    if device is None or access is None or access.refusals == spent.refusals:
        return
    if learning.is_same_but_learned(spent.access, access):
        access = replace(access, refusals=spent.refusals)
        draft.put(replace(device, access={**device.access, spent.source: access}))


def renew_changed(draft: Draft, device: Device) -> None:
    """Renew the budgets in which a login of this device was changed by the batch so far."""
    before = draft.fleet.devices.get(device.id)
    known = before.access if before else {}
    for source, access in device.access.items():
        if _has_new_login(known, source, access):
            renew(draft, device, source)


def _has_new_login(known: Mapping[str, Access], source: str, access: Access) -> bool:
    """True if the device was never asked with this login. Another port or path, or one more source
    with a login that the device has seen, or with none, gives no new attempts."""
    if source in known:
        return learning.has_other_login(known[source], access)
    is_login = logins.has_login(access) or bool(access.credentials)
    return is_login and not any(learning.is_same_login(way, access) for way in known.values())


def renew(draft: Draft, device: Device, source: str, credentials: str = "") -> None:
    """Forget what was refused to all that shares the budget of this source at the device.
    `credentials`: the id of the set that was changed; no device has accepted it yet."""
    references = {f"id:{id}": draft.ids_referring_to(id) for id in (device.id, *device.parents)}
    for member, name in [*logins.family_of(device, source, draft.devices, references)]:
        access = draft.devices[member.id].access[name]
        is_other = bool(credentials) and access.credentials == credentials
        method = "" if is_other else access.method
        forgotten = replace(access, refusals=0, attempts_left=None, method=method)
        if forgotten != access:
            member = draft.devices[member.id]
            draft.put(replace(member, access={**member.access, name: forgotten}))
