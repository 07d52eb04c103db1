"""Which login a source uses at a device: the access's own, its credential set's, or for a channel
that of its recorder. Pure.

"No login" (the option `login` is `none`) and "empty password" (a user name and no password) are two
things: the first says nothing, the second logs in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from fleet import path_logins
from fleet.channels import STREAM, server_of, stream_access
from fleet.model import Access, CredentialSet, Device
from fleet.places import host_of, session_owner

NO_LOGIN = "none"
"""The value of the option `login` of an access that logs in nowhere."""
MAX_REFUSALS = 2
"""Refused logins until none is tried any more."""
KEPT_ATTEMPTS = 2
"""Attempts that are left to people, where a device tells how many it still takes."""
SHARING = ("rtsp", "onvif")
"""The sources that log in with the accounts of the device."""
Sets = Mapping[str, CredentialSet]


def is_spent(refusals: int, attempts_left: int | None) -> bool:
    """True if a device must not be asked with this login any more."""
    is_low = attempts_left is not None and attempts_left <= KEPT_ATTEMPTS
    return refusals >= MAX_REFUSALS or is_low


def resolved(device: Device, source: str, devices: Mapping[int, Device], sets: Sets) -> Access:
    """The access with the login that is used. Its `secret_host` is the host for which a person
    trusted the device with that login, also where the access names its host."""
    access = device.access.get(source, Access())
    if access.options.get("login") == NO_LOGIN:
        return replace(access, username=None, secret=None, secret_options={}, credentials="")
    if has_own_login(access) or access.credentials in sets:
        return _with_set(access, sets)
    owner = devices.get(session_owner(device, source, devices))
    lender = _lender(owner, source, sets) if owner and owner.id != device.id else None
    if owner is None or lender is None:
        return _with_set(access, sets)
    lent_by, login = lender
    if not _may_borrow(device, source, access, owner, lent_by):
        return _with_set(access, sets)
    return replace(
        access,
        username=login.username,
        secret=login.secret,
        secret_options=login.secret_options,
        secret_host=login.secret_host,
        digest_only=_is_only_lent(device, source, owner, lent_by),
    )


def is_of_set(device: Device, source: str, devices: Mapping[int, Device], sets: Sets) -> bool:
    """True if the login that is used is that of a credential set, also of the recorder's."""
    access = device.access.get(source, Access())
    if has_own_login(access):
        return False
    if access.credentials in sets:
        return True
    owner = devices.get(session_owner(device, source, devices))
    lender = _lending(owner, source, sets) if owner and owner.id != device.id else None
    return lender is not None and not has_own_login(lender[1])


def has_own_login(access: Access) -> bool:
    """True if the access has a login that no set and no other device lends it."""
    return access.username is not None or access.secret is not None


def has_login(access: Access) -> bool:
    """True if a resolved access has a login, also one with an empty password."""
    return has_own_login(access) or bool(access.secret_options)


def lender_for(device: Device, source: str, host: str | None = None) -> str:
    """The other source of the device whose saved login this one can use at the host, or where the
    device is. Empty if there is none, or if this one has a login."""
    own = device.access.get(source, Access())
    if has_own_login(own) or own.credentials:
        return ""
    others = (name for name in SHARING if name != source)
    return next((name for name in others if may_lend(device, name, host)), "")


def may_lend(device: Device, source: str, host: str | None = None) -> bool:
    """True if this source has a login that was saved for the host, or for where the device is."""
    access = device.access.get(source)
    if source not in SHARING or access is None or access.options.get("login") == NO_LOGIN:
        return False
    if not (has_own_login(access) or access.credentials):
        return False
    has_secret = access.secret or access.credentials
    saved_for = access.host or (access.secret_host if has_secret else device.address)
    return saved_for is not None and saved_for == (host or device.address)


def with_login_of(access: Access, lender: Access) -> Access:
    """The access with the login of another source of the same device, which no person entered for
    this port."""
    options = {name: value for name, value in access.options.items() if name != "login"}
    return replace(
        access,
        username=lender.username,
        secret=lender.secret,
        secret_options={},
        secret_host=lender.host or lender.secret_host,
        credentials=lender.credentials,
        options=options,
        digest_only=True,
    )


def choice_of(credentials: str, access: Access | None = None) -> dict[str, Any]:
    """The fields of an edit that choose a set for an access, in place of the login that it has."""
    fields: dict[str, Any] = {"credentials": credentials, "username": None}
    fields["secret"] = None
    if access is not None and "login" in access.options:
        fields["options"] = {k: v for k, v in access.options.items() if k != "login"}
    return fields


def sets_of(device: Device) -> set[str]:
    """The ids of the credential sets that were chosen for the device."""
    return {access.credentials for access in device.access.values() if access.credentials}


def family_of(
    device: Device,
    source: str,
    devices: Mapping[int, Device],
    referring: Mapping[str, tuple[int, ...]],
) -> Iterator[tuple[Device, str]]:
    """Each device and source of what logs in where `source` does at this device: all sources of the
    device, and of a recorder with all of its channels."""
    owner = session_owner(device, source, devices)
    ids = dict.fromkeys((device.id, owner, *referring.get(f"id:{owner}", ())))
    for member in (devices[id] for id in ids if id in devices):
        for name in member.access:
            if member.id in (device.id, owner) or session_owner(member, name, devices) == owner:
                yield member, name


def _with_set(access: Access, sets: Sets) -> Access:
    """The access with the login of its set, unless it has one of its own."""
    trusted = access.host or access.secret_host
    credentials = sets.get(access.credentials)
    if credentials is None or has_own_login(access):
        return replace(access, secret_host=trusted)
    return replace(
        access, username=credentials.username, secret=credentials.secret, secret_host=trusted
    )


def _may_borrow(device: Device, source: str, access: Access, owner: Device, lent_by: str) -> bool:
    """True for a port where the login of the recorder may go: that of the recorder's own access,
    the usual one of the source, or the one that the recorder named. A person who only names another
    one need not know the password."""
    usual, named = replace(access, port=None), stream_access(device.links.get(STREAM))
    servers = {server_of(each) for each in (usual, named) if each}
    if source == lent_by:
        servers.add(server_of(owner.access[lent_by]))
    return server_of(access) in servers


def _is_only_lent(device: Device, source: str, owner: Device, lent_by: str) -> bool:
    """True if no person entered the login for this server: another source or port than those of the
    recorder, or a path that reveals the password where that of the recorder does not."""
    access, entered = device.access[source], owner.access[lent_by]
    if (source, *server_of(access)) != (lent_by, *server_of(entered)):
        return True
    reveals = path_logins.has_place(access.path) and not path_logins.has_place(entered.path)
    return entered.digest_only or reveals or host_of(device, source) != host_of(owner, lent_by)


def _lender(owner: Device, source: str, sets: Sets) -> tuple[str, Access] | None:
    """The source and the access of a recorder whose login its channels use, with that login."""
    source, access = _lending(owner, source, sets) or ("", None)
    return (source, _with_set(access, sets)) if access else None


def _lending(owner: Device, source: str, sets: Sets) -> tuple[str, Access] | None:
    """That access as it is saved: of the same source, else the first that has a login."""
    for name in sorted(owner.access, key=lambda name: (name != source, name)):
        access = owner.access[name]
        if access.options.get("login") == NO_LOGIN:
            continue
        if has_own_login(_with_set(access, sets)):
            return name, access
    return None
