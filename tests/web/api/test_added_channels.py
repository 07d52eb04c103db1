"""A recorder that speaks RTSP only: its streams are added one by one, as channels of the first."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from simulators.logins import Accounts
from simulators.rtsp import RtspDevice, RtspServers, recorder
from sources import rtsp
from tests.home import Clock, Home, free_port, until

ADDRESS, FREE = "127.95.10.1", "127.95.10.2"
PASSWORD = "plain-s1"  # nosec B105 (of a pretend device)


class WallClock(Clock):
    """The clock of the simulated recorder."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


class Recorder:
    """A recorder with four channels, of which a person added the first, and its monitor."""

    def __init__(self, home: Home, servers: RtspServers, device: RtspDevice) -> None:
        self.home, self.servers, self.device = home, servers, device
        self.port = servers.port
        login = {"username": "admin", "password": PASSWORD}
        self.first = self.added(1, name="Store 12", location="Gate B", **login)

    def url(self, channel: int, address: str = ADDRESS) -> str:
        path = f"/cam/realmonitor?channel={channel}&subtype=0"
        return f"rtsp://{address}:{self.port}{path}"

    def post(self, code: int, **body: Any) -> Any:
        answer = self.home.client.post("/api/cameras", json=body)
        assert answer.status_code == code, answer.text
        return answer.json

    def added(self, channel: int, **body: Any) -> int:
        return int(self.post(201, rtsp_url=self.url(channel), **body)["camera"]["id"])

    def turn(self, mode: str) -> None:
        self.servers.turn(self.device, mode)

    def statuses(self, *numbers: int) -> list[str]:
        known = self.home.monitor.statuses()[1]
        return [known[number] for number in numbers]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    clock, device = WallClock(), recorder(ADDRESS, 4, Accounts("admin", PASSWORD))
    with RtspServers([device], free_port()) as servers:
        home = Home(tmp_path_factory.mktemp("home"), clock, sources=[rtsp.source(clock)])
        yield Recorder(home, servers, device)
        home.close()


def test_another_channel_of_an_rtsp_recorder_goes_down_with_it_as_one_outage(
    store: Recorder,
) -> None:
    first = store.first
    second = store.added(2, channel_of=first)
    third = store.added(3, channel_of=second, name="Yard", location="Gate B")
    channels = [store.home.device(str(number)) for number in (second, third)]
    assert [(channel.parents, channel.site) for channel in channels] == [((first,), "Gate B")] * 2
    until(lambda: store.statuses(first, second, third) == ["ACTIVE"] * 3)
    assert store.device.accounts.wrong == 0, "the login of the recorder is used"
    store.turn("off")
    store.home.monitor.scanner.ask([first])
    until(lambda: store.statuses(first, second, third) == ["OFFLINE", *["UNREACHABLE"] * 2])
    offline = [event.device for event in store.home.events() if event.kind == "device.offline"]
    assert offline == [first]
    store.turn("well")
    store.home.monitor.scanner.ask([first])
    until(lambda: store.statuses(first, second, third) == ["ACTIVE"] * 3)


def test_a_channel_without_a_name_is_shown_with_the_device_that_serves_it(store: Recorder) -> None:
    number = store.added(4, channel_of=store.first)
    shown = store.home.client.get(f"/api/cameras/{number}").get_json()["camera_name"]
    assert shown.startswith("Store 12, channel ")
    client = store.home.client
    for path in ("/v0/api/cctv/cameras", "/api/devices"):
        listed = client.get(path).get_json()
        rows = listed if isinstance(listed, list) else listed["devices"]
        assert {row["name"] for row in rows if row["id"] == number} == {shown}, path
        single = client.get(f"{path}/{number}").get_json()
        assert single["name"] == shown
        changed = client.put(f"{path}/{number}", json={"name": shown, "description": "Top"})
        assert changed.status_code == 200, changed.text
    assert store.home.device(str(number)).name is None, "a name that was sent back is not given"


@pytest.mark.parametrize(
    ("body", "code", "error"),
    [
        ({"rtsp_url": f"rtsp://{FREE}/live"}, 422, "is at another address"),
        ({"ip_address": ADDRESS, "onvif": {}}, 422, "has one RTSP stream"),
        ({"rtsp_url": f"rtsp://{ADDRESS}/x", "location": "Gate C"}, 422, "is at another site"),
        ({"rtsp_url": f"rtsp://{ADDRESS}/x", "channel_of": 999}, 404, "999"),
    ],
)
def test_what_cannot_be_a_channel_of_the_device_is_refused(
    store: Recorder, body: dict[str, Any], code: int, error: str
) -> None:
    answer = store.post(code, **{"channel_of": store.first, **body})
    assert error in answer["error"]
    assert answer["hint"]
