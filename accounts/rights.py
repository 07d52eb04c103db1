"""Permissions: one table of actions and one pure function that decides."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from accounts.model import LEVELS, ROLES, SCOPES, WEEKDAYS, Grant, Person


class ProtectedDevice(Protocol):
    """The part of a device that a permission depends on."""

    @property
    def id(self) -> int: ...
    @property
    def site(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Rule:
    """Requirements of an action: the least role, and for devices the least level of a grant.

    `right` is a single right that a grant must also have. `reads` is what a token of scope
    "read" can do. `personal`: allowed for everybody who is logged in; a change of the own
    account is not allowed with a token.
    """

    role: str
    level: str | None = None
    right: str | None = None
    reads: bool = False
    personal: bool = False


def _view_rule(role: str = "viewer") -> Rule:
    return Rule(role, "view", reads=True)


RULES = {
    "device.list": _view_rule(),
    "device.view": _view_rule(),
    "event.view": _view_rule(),
    "metrics.view": _view_rule(),
    "fleet.export": _view_rule(),
    "device.edit": Rule("operator", "admin"),
    "device.add": Rule("operator"),
    "device.poll": Rule("operator", "control"),
    "video.view": _view_rule(),
    "still.view": _view_rule(),
    "still.take": _view_rule(),
    "still.edit": Rule("operator", "admin"),
    "health.view": _view_rule(),
    "health.edit": Rule("operator", "control"),
    "recording.view": _view_rule(),
    "recording.download": Rule("viewer", "view", "download", reads=True),
    "recording.share": Rule("viewer", "view", "download"),
    "recording.control": Rule("operator", "control", "record"),
    "recording.edit": Rule("operator", "control", "record"),
    "schedule.view": _view_rule(),
    "schedule.edit": Rule("operator", "control", "schedule"),
    "stream.view": Rule("operator", reads=True),
    "wall.share": Rule("operator", "control"),
    "scan.view": Rule("viewer", reads=True),
    "scan.start": Rule("operator"),
    "scan.automatic": Rule("operator"),
    "settings.view": Rule("operator", reads=True),
    "job.view": Rule("operator", reads=True),
    "job.run": Rule("operator"),
    "workbook.edit": Rule("operator"),
    "fleet.clean": Rule("admin"),
    "fleet.delete": Rule("admin"),
    "user.manage": Rule("admin"),
    "key.rotate": Rule("admin"),
    "credentials.manage": Rule("admin"),
    "audit.view": Rule("admin", reads=True),
    "docs.view": Rule("viewer", reads=True, personal=True),
    "account.view": Rule("viewer", reads=True, personal=True),
    "account.change": Rule("viewer", personal=True),
}
"""Every action that a route may name. Those with a level are about devices."""


def may(
    person: Person, action: str, device: ProtectedDevice | None, now: datetime, store: str = ""
) -> bool:
    """True if `person` may do `action`, with `device` where it is about one.

    `now` is in the monitor's own time zone. `store` is the device's store in the whole fleet,
    needed only where the person has a grant for a store. Without a device, an action on devices
    asks whether there can be one at all; an action on the whole monitor needs to see all of it.
    """
    rule = RULES[action]
    if not is_in_scope(person, action):
        return False
    if rule.personal:
        return True
    has_role = ROLES.index(person.role) >= ROLES.index(rule.role)
    if rule.level is None:
        return has_role and not person.is_limited
    if person.devices is not None and device is not None and device.id not in person.devices:
        return False
    if person.sees_all and has_role:
        return True
    if device is None:
        return rule.reads or any(_permits(grant, rule, now) for grant in person.grants)
    return any(
        _covers(grant, device, store) and _permits(grant, rule, now) for grant in person.grants
    )


def grants_in_force(person: Person, now: datetime) -> tuple[Grant, ...]:
    """The grants by which the person sees something at this time in the monitor's own zone."""
    return tuple(grant for grant in person.grants if _permits(grant, RULES["device.view"], now))


def following_redirects(person: Person, redirects: Mapping[int, int]) -> Person:
    """Move the person's grants from merged records to the records that remain. With a limited
    token, only grants within its limit remain."""
    grants, devices = person.grants, person.devices
    if not grants and devices is None:
        return person
    if redirects:
        grants = tuple(
            replace(grant, device=redirects[grant.device])
            if grant.device is not None and grant.device in redirects
            else grant
            for grant in grants
        )
        devices = devices and frozenset(redirects.get(id, id) for id in devices)
    if devices is not None:
        grants = tuple(grant for grant in grants if grant.device is None or grant.device in devices)
    return replace(person, grants=grants, devices=devices)


def is_in_scope(person: Person, action: str) -> bool:
    """True if the person's token allows `action`; true without a token."""
    return person.token is None or scope_for(action) in SCOPES[: SCOPES.index(person.scope) + 1]


def scope_for(action: str) -> str | None:
    """The least scope of a token that allows `action`; None if no token does."""
    rule = RULES[action]
    if rule.reads:
        return "read"
    return None if rule.personal or rule.role == "admin" else "operate"


def _covers(grant: Grant, device: ProtectedDevice, store: str) -> bool:
    if grant.device is not None:
        return device.id == grant.device
    if grant.site is not None:
        return device.site == grant.site
    return bool(store) and store == grant.store


def _permits(grant: Grant, rule: Rule, now: datetime) -> bool:
    assert rule.level is not None
    if LEVELS.index(grant.level) < LEVELS.index(rule.level):
        return False
    if rule.right is not None and rule.right not in grant.rights:
        return False
    day = now.weekday()
    if grant.hours is not None:
        if not grant.hours.contains(now.time()):
            return False
        if grant.hours.are_past_midnight(now.time()):
            day -= 1  # a night belongs to the day on which it began
    return not grant.weekdays or WEEKDAYS[day] in grant.weekdays
