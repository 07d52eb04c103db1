"""Permissions: the table of the manual, and giving less never allows more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.model import LEVELS, RIGHTS, ROLES, SCOPES, WEEKDAYS, Grant, Hours, Person
from accounts.rights import RULES, Rule, may

ZONE = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=ZONE)
"""A Wednesday."""


@dataclass(frozen=True)
class Spot:
    id: int
    site: str


GATE, YARD, DOCK = Spot(1, "north"), Spot(2, "north"), Spot(3, "south")
SPOTS: tuple[Spot | None, ...] = (GATE, YARD, DOCK, None)

# Per action: the roles that may when they see everything; on which cameras somebody may who
# has a grant for GATE, by its level ("-" is the question without a camera); the token scopes.
EVERYBODY, STAFF, CHIEF = "viewer operator admin", "operator admin", "admin"
LOOK = (EVERYBODY, {"none": "-", "view": "gate -", "control": "gate -", "admin": "gate -"})
NOWHERE: dict[str, str] = {}
WITH_RIGHT = dict.fromkeys(("none", *LEVELS), "-")  # on no camera by the level alone
ANYWHERE = dict.fromkeys(("none", *LEVELS), "gate yard dock -")
TABLE: dict[str, tuple[str, dict[str, str], str]] = {
    "device.list": (*LOOK, "read operate"),
    "device.view": (*LOOK, "read operate"),
    "event.view": (*LOOK, "read operate"),
    "metrics.view": (*LOOK, "read operate"),
    "fleet.export": (*LOOK, "read operate"),
    "device.edit": (STAFF, {"admin": "gate -"}, "operate"),
    "device.add": (STAFF, NOWHERE, "operate"),
    "device.poll": (STAFF, {"control": "gate -", "admin": "gate -"}, "operate"),
    "video.view": (*LOOK, "read operate"),
    "still.view": (*LOOK, "read operate"),
    "still.take": (*LOOK, "read operate"),
    "still.edit": (STAFF, {"admin": "gate -"}, "operate"),
    "health.view": (*LOOK, "read operate"),
    "health.edit": (STAFF, {"control": "gate -", "admin": "gate -"}, "operate"),
    "recording.view": (*LOOK, "read operate"),
    "recording.download": (EVERYBODY, WITH_RIGHT, "read operate"),
    "recording.share": (EVERYBODY, NOWHERE, "operate"),
    "recording.control": (STAFF, NOWHERE, "operate"),
    "recording.edit": (STAFF, NOWHERE, "operate"),
    "schedule.view": (*LOOK, "read operate"),
    "schedule.edit": (STAFF, NOWHERE, "operate"),
    "stream.view": (STAFF, NOWHERE, "read operate"),
    "wall.share": (STAFF, {"control": "gate -", "admin": "gate -"}, "operate"),
    "scan.view": (EVERYBODY, NOWHERE, "read operate"),
    "scan.start": (STAFF, NOWHERE, "operate"),
    "scan.automatic": (STAFF, NOWHERE, "operate"),
    "settings.view": (STAFF, NOWHERE, "read operate"),
    "job.view": (STAFF, NOWHERE, "read operate"),
    "job.run": (STAFF, NOWHERE, "operate"),
    "workbook.edit": (STAFF, NOWHERE, "operate"),
    "fleet.clean": (CHIEF, NOWHERE, ""),
    "fleet.delete": (CHIEF, NOWHERE, ""),
    "user.manage": (CHIEF, NOWHERE, ""),
    "key.rotate": (CHIEF, NOWHERE, ""),
    "credentials.manage": (CHIEF, NOWHERE, ""),
    "audit.view": (CHIEF, NOWHERE, "read operate"),
    "docs.view": (EVERYBODY, ANYWHERE, "read operate"),
    "account.view": (EVERYBODY, ANYWHERE, "read operate"),
    "account.change": (EVERYBODY, ANYWHERE, ""),
}
NO_STORES: dict[int, str] = {}
NAMES = {"gate": GATE, "yard": YARD, "dock": DOCK, "-": None}


def person(role: str = "viewer", *grants: Grant, **more: Any) -> Person:
    return Person("Vera", role, grants=grants, user=1, **{"session": 1, **more})


def limited(*grants: Grant, role: str = "viewer", **more: Any) -> Person:
    return person(role, *grants, sees_all=False, **more)


def token(role: str, scope: str, **more: Any) -> Person:
    return person(role, session=None, token=1, scope=scope, **more)


def grant(level: str = "view", **more: Any) -> Grant:
    place = {} if {"site", "store"} & more.keys() else {"device": GATE.id}
    return Grant(1, 1, level, **{**place, **more})


def allowed(
    user: Person, action: str, now: datetime = NOON, stores: Mapping[int, str] = NO_STORES
) -> set[Spot | None]:
    """Where the person may; `stores` by the numbers of their devices."""
    return {
        spot
        for spot in SPOTS
        if may(user, action, spot, now, stores.get(spot.id, "") if spot else "")
    }


# -- the table -------------------------------------------------------------------------------


def test_every_action_stands_in_the_table() -> None:
    assert TABLE.keys() == RULES.keys()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", TABLE)
def test_who_sees_everything_may_what_the_role_says_on_every_camera(action: str, role: str) -> None:
    expected = set(SPOTS) if role in TABLE[action][0].split() else set()
    assert allowed(person(role), action) == expected


@pytest.mark.parametrize("level", ["none", *LEVELS])
@pytest.mark.parametrize("action", TABLE)
def test_who_is_limited_may_what_the_grant_says_there_and_nowhere_else(
    action: str, level: str
) -> None:
    """Whatever the role is."""
    grants = () if level == "none" else (grant(level),)
    expected = {NAMES[name] for name in TABLE[action][1].get(level, "").split()}
    for role in ROLES:
        assert allowed(limited(*grants, role=role), action) == expected, role


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("action", TABLE)
def test_a_token_may_what_its_scope_and_the_role_of_its_user_say(action: str, scope: str) -> None:
    roles, _levels, scopes = TABLE[action]
    for role in ROLES:
        both = role in roles.split() and scope in scopes.split()
        assert allowed(token(role, scope), action) == (set(SPOTS) if both else set()), role


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("action", TABLE)
def test_a_token_for_one_camera_reaches_no_other_and_nothing_of_the_whole_monitor(
    action: str, scope: str
) -> None:
    roles, _levels, scopes = TABLE[action]
    for role in ROLES:
        user = token(role, scope, devices=frozenset({GATE.id}))
        expected: set[Spot | None] = set()
        if role in roles.split() and scope in scopes.split():
            if RULES[action].personal:
                expected = set(SPOTS)
            elif RULES[action].level:
                expected = {GATE, None}
        assert allowed(user, action) == expected, role


def test_a_token_for_no_camera_sees_none() -> None:
    user = token("admin", "operate", devices=frozenset())
    assert not {GATE, YARD, DOCK} & allowed(user, "device.view")


def test_the_scope_binds_tokens_only() -> None:
    """A session has the default scope, and is not asked for it."""
    assert may(person("admin", scope="read"), "user.manage", None, NOON)


# -- grants ----------------------------------------------------------------------------------


def test_a_grant_for_a_site_is_for_all_of_its_cameras() -> None:
    assert allowed(limited(grant(site="north")), "device.view") == {GATE, YARD, None}


def test_a_grant_for_a_camera_is_not_for_its_site_too() -> None:
    both = Grant(1, 1, "view", device=GATE.id, site="north")
    assert allowed(limited(both), "device.view") == {GATE, None}


def test_a_grant_for_another_site_or_camera_gives_nothing_here() -> None:
    user = limited(grant(site="NORTH"), grant(device=99))
    assert allowed(user, "device.view") == {None}


@pytest.mark.parametrize(("store", "is_allowed"), [("Cork", True), ("cork", False), ("", False)])
def test_a_grant_for_a_store_is_for_the_devices_of_that_store(store: str, is_allowed: bool) -> None:
    """A device is in a store by the caller's word, whatever its site is."""
    user = limited(grant(store="Cork"))
    assert {spot for spot in SPOTS if may(user, "device.view", spot, NOON, store)} == (
        {*SPOTS} if is_allowed else {None}
    )
    assert not may(user, "device.edit", GATE, NOON, store)


@pytest.mark.parametrize("store", ["", None])
def test_a_grant_without_a_place_is_for_no_device_without_a_store(store: str | None) -> None:
    assert allowed(limited(grant(store=store)), "device.view") == {None}


def test_the_better_of_two_grants_counts() -> None:
    user = limited(grant("view", site="north"), grant("admin", device=YARD.id))
    assert allowed(user, "device.edit") == {YARD, None}
    assert allowed(user, "device.view") == {GATE, YARD, None}


def test_two_grants_do_not_add_up_to_what_neither_gives() -> None:
    """The level of the one and the hours of the other."""
    night = Hours(time(22), time(6))
    user = limited(grant("admin", hours=night), grant("view"))
    assert not may(user, "device.edit", GATE, NOON)


def test_a_grant_adds_to_the_role_of_who_sees_all() -> None:
    user = person("viewer", grant("admin"))
    assert allowed(user, "device.edit") == {GATE, None}
    assert allowed(user, "device.view") == set(SPOTS)


def test_the_grants_of_its_user_bind_a_token_too() -> None:
    sees = frozenset({GATE.id, DOCK.id})
    user = limited(grant("admin", site="north"), session=None, token=1, devices=sees)
    assert allowed(user, "device.view") == {GATE, None}
    assert allowed(user, "device.edit") == {GATE, None}
    assert allowed(replace(user, scope="read"), "device.edit") == set()


def test_an_action_that_nobody_wrote_down_is_an_error() -> None:
    """A typing mistake in a route must not let anybody in."""
    with pytest.raises(KeyError):
        may(person("admin"), "device.veiw", GATE, NOON)


@pytest.mark.parametrize("right", RIGHTS)
def test_a_single_right_is_needed_beside_the_level(
    monkeypatch: pytest.MonkeyPatch, right: str
) -> None:
    monkeypatch.setitem(RULES, "test.it", Rule("operator", "control", right=right))
    others = tuple(other for other in RIGHTS if other != right)
    assert allowed(limited(grant("control", rights=(right,))), "test.it") == {GATE, None}
    assert allowed(limited(grant("admin", rights=others)), "test.it") == set()
    assert allowed(limited(grant("view", rights=RIGHTS)), "test.it") == set()
    assert allowed(person("operator"), "test.it") == set(SPOTS)


# -- hours and weekdays ----------------------------------------------------------------------

DAY, NIGHT = Hours(time(8), time(18)), Hours(time(22), time(6))
TIMES: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "always": ({}, ["mon 00:00", "sun 23:59"], []),
    "by day": ({"hours": DAY}, ["mon 08:00", "mon 17:59"], ["mon 07:59", "mon 18:00", "mon 00:00"]),
    "by night": (
        {"hours": NIGHT},
        ["mon 22:00", "mon 23:59", "tue 00:00", "tue 05:59"],
        ["tue 06:00", "mon 21:59", "mon 12:00"],
    ),
    "until midnight": (
        {"hours": Hours(time(20), time(0))},
        ["mon 20:00", "mon 23:59"],
        ["tue 00:00", "mon 19:59"],
    ),
    "from midnight": (
        {"hours": Hours(time(0), time(6)), "weekdays": ("tue",)},
        ["tue 00:00", "tue 05:59"],
        ["mon 00:00", "wed 00:00", "tue 06:00"],
    ),
    "never": ({"hours": Hours(time(8), time(8))}, [], ["mon 08:00", "mon 07:59", "mon 20:00"]),
    "on two days": (
        {"weekdays": ("mon", "sun")},
        ["mon 00:00", "sun 23:59"],
        ["tue 00:00", "sat 23:59"],
    ),
    "on a day by day": (
        {"hours": DAY, "weekdays": ("fri",)},
        ["fri 08:00"],
        ["fri 18:00", "thu 12:00", "sat 12:00"],
    ),
    "a night counts to the day on which it began": (
        {"hours": NIGHT, "weekdays": ("fri",)},
        ["fri 22:00", "fri 23:59", "sat 00:00", "sat 05:59"],
        ["fri 00:00", "fri 05:59", "sat 22:00", "sat 06:00"],
    ),
    "the night from Sunday to Monday": (
        {"hours": NIGHT, "weekdays": ("sun",)},
        ["sun 22:00", "mon 05:59"],
        ["sun 05:59", "mon 22:00"],
    ),
    "until midnight on one day": (
        {"hours": Hours(time(20), time(0)), "weekdays": ("fri",)},
        ["fri 23:59"],
        ["sat 00:00", "thu 23:59"],
    ),
}


def at(text: str) -> datetime:
    """ "mon 08:00" of a week in March."""
    day, clock = text.split()
    monday = datetime(2026, 3, 2, tzinfo=ZONE)
    wall = datetime.combine(monday, time.fromisoformat(clock), ZONE)
    return wall + timedelta(days=WEEKDAYS.index(day))


@pytest.mark.parametrize("what", TIMES)
def test_a_grant_holds_at_its_times_only(what: str) -> None:
    given_times, inside, outside = TIMES[what]
    user = limited(grant("admin", **given_times))
    for moment in inside:
        assert allowed(user, "device.edit", at(moment)) == {GATE, None}, moment
    for moment in outside:
        assert allowed(user, "device.edit", at(moment)) == set(), moment
        assert allowed(user, "device.view", at(moment)) == {None}, moment


def test_the_last_second_before_the_end_is_in() -> None:
    user = limited(grant(hours=DAY))
    last = at("mon 18:00") - timedelta(microseconds=1)
    assert may(user, "device.view", GATE, last)


def test_hours_are_by_the_wall_clock_on_the_day_when_it_changes() -> None:
    """29 March 2026: 02:00 is 03:00. The same hours as on any other day."""
    user = limited(grant(hours=Hours(time(3), time(4))))
    change = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert not may(user, "device.view", GATE, (change - timedelta(minutes=1)).astimezone(ZONE))
    assert may(user, "device.view", GATE, change.astimezone(ZONE))


# -- less is never more ----------------------------------------------------------------------

moments = st.datetimes(
    datetime(2026, 1, 1),  # noqa: DTZ001  (the zone is given beside it)
    datetime(2026, 12, 31),  # noqa: DTZ001
    timezones=st.just(ZONE),
)
hours = st.builds(Hours, st.times(), st.times())
grants = st.builds(
    Grant,
    st.integers(1, 9),
    st.just(1),
    st.sampled_from(LEVELS),
    device=st.sampled_from([None, 1, 2, 3]),
    site=st.sampled_from([None, "north", "south"]),
    store=st.sampled_from([None, "Cork", "Bergen"]),
    hours=st.none() | hours,
    weekdays=st.sets(st.sampled_from(WEEKDAYS)).map(tuple),
    rights=st.sets(st.sampled_from(RIGHTS)).map(tuple),
)
stores_of_spots = st.fixed_dictionaries(
    dict.fromkeys((GATE.id, YARD.id, DOCK.id), st.sampled_from(["", "Cork", "Bergen"]))
)
people = st.builds(
    Person,
    st.just("Vera"),
    st.sampled_from(ROLES),
    st.booleans(),
    st.lists(grants, max_size=3).map(tuple),
    st.just(1),
    st.sampled_from(SCOPES),
    st.none() | st.frozensets(st.integers(1, 3)),
    token=st.sampled_from([None, 1]),
)


def lower(value: str, order: Sequence[str]) -> list[str]:
    return list(order[: order.index(value)])


def lesser_grants(grant: Grant) -> list[Grant]:
    weaker = [replace(grant, level=level) for level in lower(grant.level, LEVELS)]
    weaker += [replace(grant, rights=grant.rights[1:])]
    if grant.hours is None:
        weaker += [replace(grant, hours=DAY)]
    if grant.hours is None and not grant.weekdays:  # else it is the morning after instead
        weaker += [replace(grant, hours=NIGHT)]
    if (grant.device, grant.site) == (None, None):
        weaker += [replace(grant, store=None)]
    if grant.device is None and grant.site == "north":
        weaker += [replace(grant, device=GATE.id), replace(grant, device=YARD.id)]
    days = grant.weekdays or WEEKDAYS
    return weaker + [replace(grant, weekdays=days[1:])] * (len(days) > 1)


def lesser(user: Person) -> list[Person]:
    """Everybody who was given one thing less."""
    weaker = [replace(user, role=role) for role in lower(user.role, ROLES)]
    weaker += [replace(user, sees_all=False), replace(user, token=1), replace(user, scope="read")]
    for number, grant in enumerate(user.grants):
        rest = user.grants[:number], user.grants[number + 1 :]
        weaker += [replace(user, grants=rest[0] + rest[1])]
        weaker += [
            replace(user, grants=(*rest[0], less, *rest[1])) for less in lesser_grants(grant)
        ]
    only = frozenset({1, 2, 3}) if user.devices is None else user.devices
    return weaker + [replace(user, devices=only - {gone}) for gone in (0, 1, 2, 3)]


@settings(deadline=None, max_examples=50)
@given(people, moments, stores_of_spots)
def test_giving_a_person_less_never_allows_more(
    user: Person, now: datetime, stores: dict[int, str]
) -> None:
    for action in RULES:
        before = allowed(user, action, now, stores)
        for less in lesser(user):
            assert allowed(less, action, now, stores) <= before, (action, less)


@settings(deadline=None)
@given(people, moments, stores_of_spots)
def test_what_is_not_asked_of_a_camera_is_true_of_one_that_may(
    user: Person, now: datetime, stores: dict[int, str]
) -> None:
    """Who may edit a camera may open the page from which cameras are edited."""
    for action in RULES:
        spots = allowed(user, action, now, stores)
        assert None in spots or not spots, action
