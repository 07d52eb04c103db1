"""Cameras take each other's address, and strangers a known one; no password goes to another device.

The real sources ask pretend cameras, each at an address of its own, over real sockets.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.identity import ENDPOINT, mac_key
from fleet.model import Device, Edit
from simulators.logins import Accounts
from simulators.onvif import OnvifDevice, OnvifServers
from simulators.rtsp import RtspDevice, RtspServers
from sources import onvif, rtsp
from sources.onvif import OnvifOptions
from sources.ws_discovery import SearchOptions
from tests.discovery import listed as fleets
from tests.discovery.engine import Engine
from tests.discovery.listed import listed, now
from tests.home import free_port
from tests.sources.tls_servers import certificate, server_context

COUNT = 20
IDS = range(1, COUNT + 1)
Make = Callable[[Sequence[Device]], Engine]
STRANGERS = Accounts("admin", "other", offers=("basic",))


def host(id: int) -> str:
    return f"127.93.0.{id}"


HOSTS = tuple(host(id) for id in IDS)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    engines: list[Engine] = []

    def made(devices: Sequence[Device]) -> Engine:
        fleets.write_fleet(tmp_path / "fleet.json", devices)
        search = SearchOptions(HOSTS, asks=(0, 0.1, 0.2), window=1.0)
        sources = (onvif.source(OnvifOptions(now, search)), rtsp.source(now))
        engines.append(Engine(tmp_path, now, *sources, unseal=str))  # type: ignore[arg-type]
        return engines[-1]

    yield made
    for engine in engines:
        engine.close()


def cameras(rtsp_port: int) -> tuple[list[OnvifDevice], list[RtspDevice]]:
    """20 cameras by ONVIF and RTSP; one in three takes only Basic, one in four writes its MAC
    backwards."""
    services, streams = [], []
    for id in IDS:
        offers = ("basic",) if id % 3 == 0 else ("md5",)
        accounts = Accounts("root", f"p{id}", offers=offers)
        service = OnvifDevice(host(id), accounts=accounts, rtsp_port=rtsp_port)
        service.mac, service.reversed_mac = f"00:00:5e:00:53:{id:02x}", id % 4 == 0
        services.append(replace(service, serial=f"A{id:07}"))
        streams.append(RtspDevice(host(id), accounts=accounts))
    return services, streams


def record(id: int, *keys: str, **ports: int) -> Device:
    """A device with its login for its own address, at these ports."""
    device = listed(id, *ports, address=host(id), username="root", secret=f"p{id}", options={})
    access = {name: replace(device.access[name], port=port) for name, port in ports.items()}
    access["rtsp"] = replace(access["rtsp"], path="/stream1")
    return replace(device, identities=keys or (f"rtsp:{id}",), access=access)


def states(engine: Engine, ids: Sequence[int]) -> set[str]:
    return {answer.state for answer in engine.scanner.ask(ids)}


def kinds(engine: Engine, id: int = 1) -> set[str]:
    return {fault.kind for fault in engine.devices()[id].findings}


def keys_of(services: Sequence[OnvifDevice]) -> dict[int, tuple[str, ...]]:
    return {
        id: (mac_key(service.mac) or "", f"{ENDPOINT}{service.endpoint_reference}")
        for id, service in zip(IDS, services, strict=True)
    }


def is_basic(service: OnvifDevice) -> bool:
    return service.accounts.offers == ("basic",)


def assert_only_own_passwords(services: Sequence[OnvifDevice], *, have_moved: bool = False) -> None:
    """One that takes only Basic gets its password only where that was entered."""
    for id, service in zip(IDS, services, strict=True):
        seen = [other for other in IDS if service.accounts.saw(f"p{other}")]
        own = [] if have_moved and is_basic(service) else [id]
        assert (seen, service.accounts.wrong) == (own, 0)


def test_20_cameras_that_swap_their_addresses_keep_their_records_and_passwords(make: Make) -> None:
    onvif_port, rtsp_port = free_port(), free_port()
    services, streams = cameras(rtsp_port)
    keys = keys_of(services)
    with (
        OnvifServers(services, onvif_port, 3702) as by_onvif,
        RtspServers(streams, rtsp_port) as by_rtsp,
    ):
        engine = make([record(id, *keys[id], onvif=onvif_port, rtsp=rtsp_port) for id in IDS])
        assert states(engine, IDS) == {"answered"}
        assert all(service.accounts.right for service in services)
        swapped = dict(zip(HOSTS, reversed(HOSTS), strict=True))
        by_onvif.move(swapped)
        by_rtsp.move(swapped)
        assert states(engine, IDS) == {"missed"}
        assert_only_own_passwords(services)
        assert engine.scanner.start("test")
        engine.ended()
        assert {id: engine.devices()[id].address for id in IDS} == {
            id: service.address for id, service in zip(IDS, services, strict=True)
        }
        for service in services:
            service.accounts.attempts.clear()
        assert states(engine, IDS) == {"answered"}
        assert_only_own_passwords(services, have_moved=True)
        for id, service in zip(IDS, services, strict=True):
            assert ("login.method" in kinds(engine, id)) is is_basic(service)
        assert {id: {*device.identities} for id, device in engine.devices().items()} == {
            id: {*keys[id]} for id in IDS
        }, "no record is lost, and none is new"


def test_a_copied_endpoint_reference_at_another_address_gets_no_basic(make: Make) -> None:
    port, accounts = free_port(), Accounts("root", "p1")
    camera = OnvifDevice(host(1), accounts=accounts, mac="00:00:5e:00:53:01")
    key = f"{ENDPOINT}{camera.endpoint_reference}"
    with OnvifServers([camera], port, 3702) as servers:
        engine = make([record(1, key, onvif=port, rtsp=free_port())])
        states(engine, [1])
        assert engine.devices()[1].access["onvif"].method.startswith("digest")
        stranger = replace(camera, address=host(2), accounts=replace(STRANGERS, attempts=[]))
        servers.turn(camera, "off")
        assert states(engine, [1]) == {"missed"}
        servers.add(stranger)
        assert engine.scanner.start("test")
        engine.ended()
        assert engine.devices()[1].address == host(2), "an announcement moves the record"
        states(engine, [1])
        assert "login.method" in kinds(engine)
        assert not stranger.accounts.attempts


def test_a_new_path_does_not_let_a_device_ask_for_basic(make: Make) -> None:
    port, accounts = free_port(), Accounts("root", "p1")
    with RtspServers([RtspDevice(host(1), accounts=accounts)], port) as servers:
        engine = make([record(1, rtsp=port)])
        assert states(engine, [1]) == {"answered"}
        servers.turn(servers.devices[0], "off")
        stranger = RtspDevice(host(1), accounts=replace(STRANGERS, attempts=[]))
        servers.add(stranger)
        edit = Edit("change", "id:1", {"source": "rtsp", "path": "/other"}, "eva", now())
        engine.tracker.apply([edit], now())
        assert states(engine, [1]) == {"answered"}
        assert "login.method" in kinds(engine)
        assert not stranger.accounts.attempts


def test_a_stranger_at_a_known_address_that_asks_for_basic_gets_nothing(make: Make) -> None:
    port, accounts = free_port(), Accounts("root", "p1")
    with RtspServers([RtspDevice(host(1), accounts=accounts)], port) as servers:
        engine = make([record(1, rtsp=port)])
        assert states(engine, [1]) == {"answered"}
        assert engine.devices()[1].access["rtsp"].method == "digest-md5"
        assert kinds(engine) == {"identity.unproven"}
        servers.turn(servers.devices[0], "off")
        stranger = RtspDevice(host(1), accounts=replace(STRANGERS, attempts=[]))
        servers.add(stranger)
        assert states(engine, [1]) == {"answered"}, "something is alive there"
        assert kinds(engine) == {"identity.unproven", "login.method"}
        assert not stranger.accounts.attempts


def test_a_camera_that_takes_only_basic_works_with_the_login_that_was_entered_for_it(
    make: Make,
) -> None:
    port, accounts = free_port(), Accounts("root", "p1", offers=("basic",))
    with RtspServers([RtspDevice(host(1), accounts=accounts)], port):
        engine = make([record(1, rtsp=port)])
        for _ in range(2):
            assert states(engine, [1]) == {"answered"}
        assert (engine.devices()[1].access["rtsp"].method, accounts.wrong) == ("basic", 0)
        assert kinds(engine) == {"identity.unproven"}
        assert len(accounts.attempts) >= 2


def test_a_stranger_with_another_certificate_gets_nothing(make: Make, tmp_path: Path) -> None:
    port, seen = free_port(), []
    for name in ("own", "other"):
        device = RtspDevice(host(1), accounts=Accounts("root", "p1", offers=("basic",)))
        with RtspServers([device], port, server_context(certificate(tmp_path, name))):
            if not seen:
                known = record(1, rtsp=port)
                access = replace(known.access["rtsp"], options={"tls": True})
                engine = make([replace(known, access={"rtsp": access})])
            assert states(engine, [1]) == {"answered"}
            seen.append(len(device.accounts.attempts))
    assert seen[0] > 0
    assert seen[1] == 0
    assert "tls.changed" in kinds(engine)
