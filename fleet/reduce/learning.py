"""Keep what a source learned about reaching a device: login method, certificate, refused logins,
clock. Pure.

It changes no status and is worth no event: it is written with the next thing that is, and a refused
login at once.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from fleet.access_fields import LEARNED, PIN, is_method
from fleet.model import Access, Device, Learned, Sighting

EMPTY: Mapping[str, Any] = {
    field.name: field.default for field in fields(Access) if field.name in ("method", *LEARNED)
}
"""The fields of an access that only sources set, as they are before anything was learned; a
fingerprint can be a person's."""
LOGIN = ("host", "username", "secret", "secret_options", "credentials")
"""What refusals concern: a change of any of these begins a new budget."""
PATH = ("host", "port", "path")
"""What a stream that worked once proves."""
WORKED_EVERY = timedelta(hours=1)
ONE_CHECK = timedelta(minutes=1)
"""Longer than a check takes."""
CLOCK_JITTER = 1.0
"""Seconds by which a device's clock seems to move, because answers take longer and shorter."""


def with_learned(device: Device, sighting: Sighting) -> Mapping[str, Access]:
    """The access of the device by source, with what this source learned.

    Nothing is kept when a person has changed the access since it was asked with; a fingerprint
    that is there stays: only the first certificate is trusted unseen.
    """
    learned, access = sighting.learned, device.access.get(sighting.source)
    if learned is None or learned.access is None or access is None:
        return device.access
    if not is_same_but_learned(learned.access, access):
        return device.access
    new = replace(access, **_values(learned, access, sighting.at))
    return device.access if new == access else {**device.access, sighting.source: new}


def _values(learned: Learned, access: Access, at: datetime) -> dict[str, Any]:
    """The values to keep; what does not fit is left out."""
    values: dict[str, Any] = {
        name: value
        for name, is_valid in LEARNED.items()
        if (value := getattr(learned, name)) is not None and is_valid(value)
    }
    if not _is_worth_keeping(values.get("worked_at"), access.worked_at, at):
        values.pop("worked_at", None)
    if not _has_moved(values.get("clock"), access.clock):
        values.pop("clock", None)
    if values.get("refusals") == 0:
        values["attempts_left"] = None
    if learned.method and is_method(learned.method):
        values["method"] = learned.method
    if access.tls_pin is None and PIN.fullmatch(learned.tls_pin or ""):
        values["tls_pin"] = learned.tls_pin
    return values


def _is_worth_keeping(worked_at: datetime | None, known: datetime | None, at: datetime) -> bool:
    """True if it is worth a change of the access, which each check would be otherwise: when the
    stream last worked before it stopped, else to the hour."""
    if worked_at is None or known is None:
        return worked_at is not None
    if at - worked_at > ONE_CHECK:
        return worked_at != known
    return not timedelta(0) <= worked_at - known < WORKED_EVERY


def _has_moved(clock: float | None, known: float | None) -> bool:
    if clock is None or known is None:
        return clock is not None
    return abs(clock - known) >= CLOCK_JITTER


def has_refusal(learned: Learned | None) -> bool:
    """True if one more login was refused."""
    if learned is None or learned.access is None or learned.refusals is None:
        return False
    return learned.refusals > learned.access.refusals


def is_same_but_learned(asked: Access, access: Access) -> bool:
    """True if the access differs from the one that was asked with only in what was learned."""
    is_first_pin = asked.tls_pin is None and access.tls_pin is not None
    pin = None if is_first_pin else access.tls_pin
    return forgotten(replace(access, tls_pin=pin)) == forgotten(asked)


def forgotten(access: Access) -> Access:
    """The access without what sources learned; the fingerprint stays."""
    return replace(access, **EMPTY)


def with_valid(known: Access, access: Access) -> Access:
    """The access that an edit made of `known`, without what was learned of another login, path or
    host."""
    values: dict[str, Any] = {}
    if _differs(LOGIN, known, access):
        values["method"] = ""  # Only a login that a person entered may begin with Basic again.
    if has_other_login(known, access):
        values |= {"refusals": 0, "attempts_left": None}
    if _differs(PATH, known, access):
        values |= {"worked_at": None, "transport": ""}
    if access.host != known.host:
        values["clock"] = None
    return replace(access, **values)


def has_other_login(known: Access, access: Access) -> bool:
    """True if refusals of the one login say nothing about the other."""
    options = known.options.get("login"), access.options.get("login")
    return _differs(LOGIN, known, access) or options[0] != options[1]


def is_same_login(known: Access, access: Access) -> bool:
    """True if both send the same user name with the same password, wherever they send it."""
    names = ("username", "secret", "secret_options", "credentials")
    return not _differs(names, known, access)


def _differs(names: tuple[str, ...], known: Access, access: Access) -> bool:
    return any(getattr(known, name) != getattr(access, name) for name in names)
