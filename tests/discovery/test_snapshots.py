"""Snapshots that are fetched by the way of a check and at its cost."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from discovery.snapshots import SnapshotFetcher
from fleet.model import Access, Device
from fleet.pictures import NotOffered, NotTaken
from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, OnvifServers, recorder_sources
from simulators.onvif_device import JPEG
from sources import onvif, ws_discovery_wire
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.home import free_port

USERNAME, PASSWORD = "admin", "s3cret-pass"
LINK = "/onvif/snapshot?profile=Profile_1"


def camera(number: int, **values: Any) -> OnvifDevice:
    given = {"accounts": Accounts(USERNAME, PASSWORD), **values}
    return OnvifDevice(f"127.84.9.{number}", mac=f"00:00:5e:00:89:{number:02x}", **given)


WELL = camera(1, inner_host="192.0.2.7")
WRONG = camera(2)
BY_QUERY = camera(
    3,
    accounts=Accounts(USERNAME, PASSWORD, offers=("basic",)),
    logins=("digest",),
    has_query_login=True,
)
RECORDER = camera(4, sources=recorder_sources(2))
OTHER = camera(5)
BROKEN = camera(6)
NO_LOGIN = camera(7)
HIDDEN = camera(8, is_discoverable=False)
CAMERAS = [WELL, WRONG, BY_QUERY, RECORDER, OTHER, BROKEN, NO_LOGIN, HIDDEN]
Make = Callable[..., tuple[Engine, SnapshotFetcher]]


@pytest.fixture(scope="module")
def servers() -> Iterator[OnvifServers]:
    with OnvifServers(CAMERAS, free_port(), ws_discovery_wire.PORT) as running:
        yield running


@pytest.fixture
def make(tmp_path: Path, servers: OnvifServers) -> Iterator[Make]:
    """An engine that knows one camera, with this link to its snapshot, and what fetches it.
    `fields` are of the device, the others of its access."""
    running: list[Engine] = []

    def made(
        known: OnvifDevice,
        link: str = "",
        fields: dict[str, Any] | None = None,
        **access: Any,
    ) -> tuple[Engine, SnapshotFetcher]:
        login = {"username": USERNAME, "secret": "1", "secret_host": known.address, **access}
        device = replace(
            fleets.listed(1, address=known.address, was_up=False),
            identities=(f"onvif:{known.endpoint_reference}",),
            access={"onvif": Access(port=servers.port, **login)},
            links={"snapshot": f":{servers.port}{link}"} if link else {},
        )
        device = replace(device, **(fields or {}))
        fleets.write_fleet(tmp_path / "fleet.json", [device])
        source = onvif.source(onvif.OnvifOptions(fleets.now))
        engine = Engine(tmp_path, fleets.now, source, unseal=lambda id: PASSWORD)  # type: ignore[arg-type]
        running.append(engine)
        return engine, SnapshotFetcher(engine.scanner)

    yield made
    for engine in running:
        engine.close()


def ask(engine: Engine) -> Device:
    """Check the device once; its record after that."""
    assert engine.scanner.ask([1], ["onvif"])
    return record(engine)


def record(engine: Engine) -> Device:
    engine.scanner.begin(engine.scanner._inbox.hand_over()).result(5)
    return engine.devices()[1]


def test_the_snapshot_that_a_check_found_is_fetched_at_our_address(make: Make) -> None:
    engine, snapshots = make(WELL)
    before = ask(engine)
    assert before.links["snapshot"].endswith(LINK)
    WELL.accounts.attempts.clear()
    began = fleets.now()
    picture = snapshots.fetch(1, 10)
    assert (picture.data, picture.width, picture.height) == (JPEG, 64, 48)
    assert began <= picture.taken_at <= fleets.now()
    assert picture.way == "snapshot"
    assert [(each.scheme, each.outcome) for each in WELL.accounts.attempts] == [("digest", "right")]
    after = record(engine)
    assert after.findings == before.findings
    assert after.access == before.access


def test_a_snapshot_is_no_check_and_brings_no_finding(make: Make) -> None:
    """The answer to a check has the MAC of this camera; that of a snapshot proves nothing."""
    engine, snapshots = make(HIDDEN, fields={"identities": (f"mac:{HIDDEN.mac}",)})
    before = ask(engine).findings
    assert snapshots.fetch(1, 10).data == JPEG
    assert record(engine).findings == before


def test_a_login_that_a_snapshot_refuses_is_sent_once_and_counted_for_checks(make: Make) -> None:
    engine, snapshots = make(WRONG)
    assert ask(engine).links
    WRONG.accounts.password = "changed in the camera"
    for _attempt in range(3):
        with pytest.raises(NotTaken, match="refuses the login") as error:
            snapshots.fetch(1, 10)
    assert error.value.wait is None
    assert WRONG.accounts.wrong == 1
    assert record(engine).access["onvif"].refusals == 1
    for _check in range(3):
        ask(engine)
    assert WRONG.accounts.wrong == 2, "one budget for both"


def test_a_spent_login_is_not_sent_to_a_snapshot(make: Make) -> None:
    _engine, snapshots = make(WELL, LINK, refusals=2)
    WELL.accounts.attempts.clear()
    with pytest.raises(NotTaken, match="To avoid a lockout") as error:
        snapshots.fetch(1, 10)
    assert error.value.wait, "no fault of the snapshot"
    assert not WELL.accounts.attempts


def test_an_address_with_the_login_in_it_is_asked_without_a_header(make: Make) -> None:
    engine, snapshots = make(BY_QUERY)
    link = ask(engine).links["snapshot"]
    assert link.endswith("&user={username}&pwd={password}")
    BY_QUERY.accounts.attempts.clear()
    assert snapshots.fetch(1, 10).data == JPEG
    assert [(each.scheme, each.outcome) for each in BY_QUERY.accounts.attempts] == [
        ("query", "right")
    ]


def test_a_channel_has_its_snapshot_from_its_recorder(make: Make) -> None:
    engine, snapshots = make(RECORDER)
    ask(engine)
    channels = [each for each in engine.devices().values() if each.id != 1]
    assert len(channels) == 2
    assert all(snapshots.fetch(each.id, 10).data == JPEG for each in channels)
    with pytest.raises(NotOffered):
        snapshots.fetch(1, 10)


def test_another_device_at_the_address_gets_no_password(make: Make) -> None:
    _engine, snapshots = make(OTHER, LINK, fields={"identities": ("onvif:urn:uuid:another",)})
    with pytest.raises(NotTaken, match="Another device"):
        snapshots.fetch(1, 10)
    assert not OTHER.accounts.attempts
    assert not OTHER.asked["snapshot"]


def test_a_broken_snapshot_says_what_came_and_leaves_the_device_online(make: Make) -> None:
    engine, snapshots = make(BROKEN)
    before = ask(engine)
    BROKEN.snapshot_works = False
    with pytest.raises(NotTaken, match="HTTP 404") as error:
        snapshots.fetch(1, 10)
    assert error.value.wait is None
    BROKEN.snapshot_kind = "silent"
    with pytest.raises(NotTaken, match="within"):
        snapshots.fetch(1, 0.5)
    BROKEN.snapshot_works, BROKEN.snapshot_kind = True, "well"
    assert snapshots.fetch(1, 10).data == JPEG
    after = record(engine)
    assert (after.findings, after.states["onvif"].misses) == (before.findings, 0)


def test_a_snapshot_whose_turn_never_came_is_not_broken(make: Make) -> None:
    _engine, snapshots = make(WELL, LINK)
    snapshots._room = asyncio.Semaphore(0)
    with pytest.raises(NotTaken, match="Too many other snapshots") as error:
        snapshots.fetch(1, 0.1)
    assert error.value.wait == 5.0


@pytest.mark.parametrize(
    ("link", "fields"), [("", {}), (LINK, {"retired_at": fleets.now()}), (LINK, {"access": {}})]
)
def test_a_device_without_a_snapshot_offers_none(
    make: Make, link: str, fields: dict[str, Any]
) -> None:
    _engine, snapshots = make(NO_LOGIN, link, fields=fields)
    for device in (1, 2):
        with pytest.raises(NotOffered):
            snapshots.fetch(device, 10)


def test_a_snapshot_without_a_saved_login_says_so(make: Make) -> None:
    _engine, snapshots = make(NO_LOGIN, LINK, username=None, secret=None)
    with pytest.raises(NotTaken, match="requires a user name") as error:
        snapshots.fetch(1, 10)
    assert "Connections" in error.value.hint


def test_nothing_is_fetched_when_the_monitor_stops(make: Make) -> None:
    engine, snapshots = make(WELL, LINK)
    engine.close()
    with pytest.raises(NotTaken, match="stopping") as error:
        snapshots.fetch(1, 10)
    assert error.value.wait
