"""The pretend Panasonic network: as exact as its captures, as strict as its description."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest

from simulators import panasonic_captures as captures
from simulators.panasonic import Camera, Network, build_reply, checksum, crowd, fault
from simulators.panasonic_life import DeviceChanges, addresses

ROOT = Path(__file__).parents[2]
LIMIT = 20.0  # seconds: generous, only a broken network waits so long

WV = Camera(
    mac="d4:2d:c5:2a:8d:13",
    ip="192.168.1.101",
    name="WV-X22700-V2L",
    port=443,
    serial="XBV30463",
    gateway="192.168.1.254",
)
NX = Camera("d4:2d:c5:28:db:fc", "192.168.1.241", family="NX", serial="XAV51428")
AW = Camera("a8:13:74:76:a8:6b", "10.1.0.210", "AW-HE130", family="AW", setup_open=True)


class Client:
    """A search tool on 127.0.0.1: asks one network, hears what comes back."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(LIMIT)

    @property
    def address(self) -> tuple[str, int]:
        return self.socket.getsockname()

    def ask(self, network: Network, request: bytes = captures.REQUEST) -> None:
        self.socket.sendto(request, ("127.0.0.1", network.port))

    def hear(self) -> bytes:
        return self.socket.recv(65535)

    def hear_waiting(self) -> list[bytes]:
        """All that has arrived by now."""
        heard = []
        while select.select([self.socket], [], [], 0)[0]:
            heard.append(self.hear())
        return heard


@pytest.fixture
def client():
    made = Client()
    yield made
    made.socket.close()


def wait_until(fact) -> None:
    end = time.monotonic() + LIMIT
    while not fact():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def answers_to(client, network, requests=1) -> list[bytes]:
    """What the network answers to so many requests, however few answers that is."""
    for _ in range(requests):
        client.ask(network)
    wait_until(lambda: network.requests == requests and network.is_quiet)
    return client.hear_waiting()


def with_checksum(datagram: bytes) -> bytes:
    return datagram[:-2] + checksum(datagram[:-2])


def changed(datagram: bytes, offset: int, value: bytes) -> bytes:
    """`datagram` with `value` at `offset`, and a checksum that is right."""
    return with_checksum(datagram[:offset] + value + datagram[offset + len(value) :])


def tag(datagram: bytes, wanted: int) -> bytes | None:
    offset = 48
    while offset < len(datagram) - 4:
        number = int.from_bytes(datagram[offset : offset + 2], "big")
        size = int.from_bytes(datagram[offset + 2 : offset + 4], "big")
        if number == wanted:
            return datagram[offset + 4 : offset + 4 + size]
        offset += 4 + size
    return None


# --- what a device says -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("camera", "capture"),
    [(WV, captures.WV_REPLY), (NX, captures.NX_REPLY), (AW, captures.AW_REPLY)],
)
def test_an_untouched_device_answers_with_its_capture_byte_for_byte(client, camera, capture):
    with Network([camera], reply_to=client.address) as network:
        client.ask(network, changed(captures.REQUEST, 12, capture[12:22]))
        assert client.hear() == capture


def test_an_unasked_announcement_is_the_captured_one(client):
    camera = Camera(AW.mac, "10.1.0.215", "AW-HE130", family="AW", setup_open=True)
    with Network([camera], reply_to=client.address) as network:
        network.announce(AW.mac)
        assert client.hear() == captures.AW_ANNOUNCEMENT


def test_the_window_and_the_password_change_only_what_they_changed_in_the_captures():
    # WV-X22700-V2L replies #2 and #3 differ from #1 in tag b4, byte 37 and these checksums.
    sender = captures.WV_REPLY[12:18], captures.WV_REPLY[18:22]
    window = build_reply(Camera(**{**vars(WV), "setup_open": True}), *sender)
    both = build_reply(Camera(**{**vars(WV), "setup_open": True, "password_set": False}), *sender)
    assert tag(window, 0xB4) == b"\x00\x00"
    assert window[-2:].hex() == "3dae"
    assert both[37] == 1
    assert both[-2:].hex() == "3dad"


def test_an_aw_camera_never_tells_whether_its_password_is_set():
    sender = b"\x02" * 6, b"\x7f\x00\x00\x01"
    secured, open_to_all = (
        build_reply(Camera(AW.mac, AW.ip, family="AW", password_set=is_set), *sender)
        for is_set in (True, False)
    )
    assert secured == open_to_all
    assert secured[37] == 0


def test_a_camera_with_only_a_mac_and_an_address_gets_a_gateway_serial_and_link_local_address():
    reply = build_reply(Camera("d4:2d:c5:00:00:01", "10.9.8.7"), bytes(6), bytes(4))
    assert tag(reply, 0x20) == tag(reply, 0xA0) == bytes([10, 9, 8, 7])
    assert tag(reply, 0x22) == tag(reply, 0xA2) == bytes([10, 9, 8, 1])
    assert tag(reply, 0x25) == tag(reply, 0x44) == b"\x00\x50"
    assert tag(reply, 0x40).hex() == "fe80000000000000d62dc5fffe000001"
    assert tag(reply, 0xD1).rstrip(b"\0") == b"SIM000001"


def test_a_recorder_has_no_name_and_no_link_local_address():
    reply = build_reply(Camera("d4:2d:c5:00:00:05", "10.9.8.7", "Till", "NX"), bytes(6), bytes(4))
    assert tag(reply, 0xA7) is None
    assert tag(reply, 0x40) == bytes(16)
    assert reply[6:12].hex() == "d42dc5000005"


def test_a_long_name_is_cut_to_16_bytes_but_never_inside_a_character():
    reply = build_reply(Camera(WV.mac, WV.ip, "Eingang Süd-Ost ä"), bytes(6), bytes(4))
    assert tag(reply, 0xA7) == "Eingang Süd-Ost".encode()
    assert len(reply) == len(captures.WV_REPLY)


@pytest.mark.parametrize(
    ("dhcp", "announcement", "mode"),
    [(False, False, 2), (False, True, 3), (True, False, 0), (True, True, 0)],
)
def test_the_network_mode_of_a_static_device_differs_in_announcements(dhcp, announcement, mode):
    camera = Camera(WV.mac, WV.ip, dhcp=dhcp)
    assert tag(build_reply(camera, bytes(6), bytes(4), announcement), 0x00) == bytes([mode])


def test_the_checksum_is_one_more_than_the_sum_of_all_bytes_before_it():
    commit = (
        "000100000004a8137476a86b001c424bbbf80a010004000220111e11231f1e1913"
        "000002020000000000000000000000ffff"
    )
    assert checksum(bytes.fromhex(commit)).hex() == "0819"
    assert checksum(b"\xff" * 257).hex() == "0000"
    assert captures.REQUEST[-2:] == checksum(captures.REQUEST[:-2])


# --- what a device listens to -----------------------------------------------------------------

REQUEST_OF_2015 = with_checksum(
    captures.REQUEST[:2]
    + b"\x00\x28"
    + captures.REQUEST[4:50]
    + b"\x00\x24"
    + captures.REQUEST[52:84]
    + captures.REQUEST[86:]
)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (b"", "command: none"),
        (b"hello", "command: 6f, only 000d"),
        (changed(captures.REQUEST, 4, b"\x00\x02"), "command: 0002, only 000d (search)"),
        (captures.WV_REPLY, "command: 000e"),
        (REQUEST_OF_2015, "length: 92 bytes, the vendor sends 94"),
        (captures.REQUEST + b"\0", "length: 95 bytes"),
        (changed(captures.REQUEST, 0, b"\x00\x02"), "magic: bytes 0 to 1 are 0002"),
        (changed(captures.REQUEST, 2, b"\x00\x2c"), "body length: bytes 2 to 3 are 002c"),
        (changed(captures.REQUEST, 6, b"\xff"), "device MAC: bytes 6 to 11 are ff0000000000"),
        (changed(captures.REQUEST, 23, b"\x01"), "step: bytes 22 to 23 are 0001"),
        (changed(captures.REQUEST, 32, b"\x00"), "constant: bytes 24 to 32"),
        (changed(captures.REQUEST, 35, b"\x00"), "flags: bytes 33 to 47"),  # the tool of 2018
        (changed(captures.REQUEST, 53, b"\x01"), "tags wanted: bytes 48 to 89"),
        (changed(captures.REQUEST, 90, b"\0\0"), "end mark: bytes 90 to 91 are 0000"),
        (captures.REQUEST[:-2] + b"\x12\x21", "checksum: 1221, the sum gives 1170"),
    ],
)
def test_a_request_unlike_the_vendors_is_kept_with_the_reason_and_not_answered(
    client, request_, reason
):
    with Network([WV], reply_to=client.address) as network:
        client.ask(network, request_)
        client.ask(network)
        client.hear()
        assert [kept for kept, _ in network.refused] == [request_]
        assert network.refused[0][1].startswith(reason)
        assert (network.requests, network.answers) == (1, 1)
        assert client.hear_waiting() == []


def test_a_wrong_checksum_of_another_sender_is_told_from_the_right_one():
    # 11 70 belongs to 192.168.1.121 only; .122 needs 11 71.
    moved = captures.REQUEST[:21] + b"\x7a" + captures.REQUEST[22:]
    assert fault(moved) == "checksum: 1170, the sum gives 1171"
    assert fault(with_checksum(moved)) == ""


def test_at_most_a_hundred_refused_requests_are_kept(client):
    with Network([WV], reply_to=client.address) as network:
        for number in range(120):
            client.ask(network, b"nonsense" + bytes([number]))
            wait_until(lambda n=number: len(network.refused) == min(n + 1, 100))
        client.ask(network)
        client.hear()
        assert len(network.refused) == 100


# --- who answers, and when --------------------------------------------------------------------


def test_every_device_that_is_on_answers_every_request_also_a_repeated_one(client):
    cameras = [Camera(WV.mac, WV.ip), Camera(NX.mac, NX.ip, family="NX"), Camera(AW.mac, AW.ip)]
    cameras[1].on = False
    with Network(cameras, reply_to=client.address) as network:
        heard = answers_to(client, network, requests=3)
        assert [reply[6:12].hex(":") for reply in heard] == [WV.mac, AW.mac] * 3
        assert (network.requests, network.answers) == (3, 6)


def test_the_requester_is_echoed(client):
    with Network([WV], reply_to=client.address) as network:
        client.ask(network, changed(captures.REQUEST, 12, bytes(range(1, 11))))
        assert client.hear()[12:22] == bytes(range(1, 11))


def test_a_changed_camera_answers_with_its_new_values(client):
    camera = Camera(WV.mac, "10.0.0.5", "Gate")
    with Network([camera], reply_to=client.address) as network:
        client.ask(network)
        assert tag(client.hear(), 0x20) == bytes([10, 0, 0, 5])
        camera.ip, camera.name = "10.0.1.6", "Yard"
        client.ask(network)
        reply = client.hear()
        assert tag(reply, 0x20) == bytes([10, 0, 1, 6])
        assert tag(reply, 0x22) == bytes([10, 0, 1, 1])
        assert tag(reply, 0xA7).rstrip(b"\0") == b"Yard"


def test_loss_is_the_same_for_the_same_seed_and_another_for_another(client):
    def run(seed: int) -> list[bytes]:
        with Network(crowd(50), reply_to=client.address, loss=0.3, seed=seed) as network:
            return answers_to(client, network, requests=3)

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_loss_strikes_both_ways(client):
    # Of a hundred questions half arrive, and of their answers half again.
    with Network(crowd(100), reply_to=client.address, loss=0.5, seed=7) as network:
        assert 15 <= len(answers_to(client, network)) <= 35


def test_loss_of_one_camera_does_not_depend_on_the_others(client):
    def run(cameras) -> list[bytes]:
        with Network(cameras, reply_to=client.address, loss=0.5, seed=3) as network:
            return answers_to(client, network, requests=8)

    alone = run(crowd(1))
    among_others = run(crowd(9))
    assert alone == [reply for reply in among_others if reply[6:12] == alone[0][6:12]]


def test_full_loss_silences_everybody(client):
    with Network(crowd(9), reply_to=client.address, loss=1.0) as network:
        assert answers_to(client, network) == []


def test_late_answers_come_in_the_order_of_their_lateness(client):
    with Network(crowd(30), reply_to=client.address, latency=(0.05, 0.25)) as network:
        asked = time.monotonic()
        client.ask(network)
        heard = [client.hear()]
        assert time.monotonic() - asked >= 0.05
        wait_until(lambda: network.is_quiet)
        heard += client.hear_waiting()
        assert len(heard) == 30
        assert heard != sorted(heard, key=lambda reply: reply[9:12])


def test_a_device_that_dies_before_its_answer_leaves_stays_silent(client):
    camera = Camera(WV.mac, WV.ip)
    with Network([camera], reply_to=client.address, latency=(0.2, 0.2)) as network:
        client.ask(network)
        wait_until(lambda: network.requests == 1)
        camera.on = False
        wait_until(lambda: network.is_quiet)
        assert client.hear_waiting() == []


def test_a_device_that_is_off_announces_nothing(client):
    with Network([Camera(WV.mac, WV.ip, on=False)], reply_to=client.address) as network:
        network.announce(WV.mac)
        assert network.answers == 0


def test_any_bytes_can_be_sent_to_the_client(client):
    with Network([], reply_to=client.address) as network:
        network.send(b"\x00\x01\xff\xff")
        assert client.hear() == b"\x00\x01\xff\xff"


def test_a_thousand_cameras_answer_a_dozen_requests_without_overrunning_the_reader(client):
    with Network(crowd(1000), reply_to=client.address) as network:
        begin = time.monotonic()
        for _ in range(12):
            client.ask(network)
        heard = []
        while network.requests < 12 or not network.is_quiet:
            assert time.monotonic() < begin + LIMIT
            heard += client.hear_waiting()
        heard += client.hear_waiting()
        assert network.answers == 12_000
        # The reader has the usual buffer; on a loaded machine a few may be lost, as in real life.
        assert len(heard) > 11_000
        assert len({reply[6:12] for reply in heard}) == 1000


def test_a_stopped_network_frees_its_port_and_can_start_again(client):
    network = Network([WV], reply_to=client.address)
    with network:
        port = network.port
    with Network([WV], listen=("127.0.0.1", port), reply_to=client.address), network:
        client.ask(network)
        client.hear()
        assert network.port != port


# --- the crowd and its life -------------------------------------------------------------------


def test_a_crowd_has_every_kind_of_trouble_in_it():
    cameras = crowd(40)
    assert len({camera.mac for camera in cameras}) == 40
    assert len({camera.ip for camera in cameras}) == 39
    assert cameras[0].ip == cameras[3].ip == "127.20.0.10"
    assert [camera.family for camera in cameras].count("NX") == 2
    assert [camera.family for camera in cameras].count("AW") == 4
    assert [camera.name for camera in cameras if not camera.password_set] == ["Camera 2"]
    assert [camera.name for camera in cameras if camera.setup_open] == ["Camera 3"]
    assert all(camera.on for camera in cameras)


def test_addresses_leave_out_those_that_no_camera_may_have():
    assert list(islice(addresses("10.0.0.254"), 3)) == ["10.0.0.254", "10.0.1.1", "10.0.1.2"]


@pytest.mark.parametrize("seed", range(20))
def test_after_four_changes_one_has_had_three_addresses_one_is_off_and_one_just_moved(seed):
    homes = list(islice(addresses("127.20.0.10"), 40))
    had = [{home} for home in homes]
    on = [True] * 40
    for change in islice(DeviceChanges(homes, range(4, 40), seed), 4):
        had[change.index].add(change.address)
        on[change.index] = change.on
    assert sorted(map(len, had))[-2:] == [2, 3]
    assert on.count(False) == 1
    assert change.text.startswith("moved")


@pytest.mark.parametrize("seed", range(20))
def test_life_goes_on_without_two_new_neighbours_at_one_address(seed):
    homes = list(islice(addresses("127.20.0.10"), 12))
    off, texts = set(), []
    for change in islice(DeviceChanges(homes, range(4, 12), seed), 300):
        homes[change.index] = change.address
        (off.discard if change.on else off.add)(change.index)
        texts.append(change.text.partition(" ")[0])
        assert len(set(homes)) == 12
        assert change.index >= 4
        assert len(texts) < 2 or 1 <= len(off) <= 2
        assert "moved" in texts[-2:]
    assert set(texts) == {"moved", "went", "is"}


def test_the_same_seed_tells_the_same_life():
    homes = list(islice(addresses("127.20.0.10"), 12))
    first, again, other = (
        list(islice(DeviceChanges(homes, range(12), seed), 50)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def run_module(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "simulators.panasonic", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_command_answers_until_it_is_told_to_end(client, ending):
    port = str(client.address[1])
    process = run_module("--count", "5", "--port", "0", "--reply-port", port)
    try:
        client.socket.sendto(captures.REQUEST, ("127.0.0.1", int(process.stdout.readline())))
        assert len({client.hear()[6:12] for _ in range(5)}) == 5
    finally:
        os.kill(process.pid, ending)
        output, complaints = process.communicate(timeout=LIMIT)
    assert (process.returncode, output, complaints) == (0, "", "")


def test_the_command_with_life_tells_each_change_and_answers_with_it(client):
    port = str(client.address[1])
    process = run_module(
        "--count", "7", "--port", "0", "--reply-port", port, "--life", "--every", "0.05"
    )
    try:
        asked = ("127.0.0.1", int(process.stdout.readline()))
        clock, kind, number, verb, before, _, after = process.stdout.readline().split()
        assert (len(clock), kind in ("Camera", "Recorder"), verb) == (8, True, "moved")
        assert before != after
        homes = {camera.name: camera.ip for camera in crowd(7)}
        assert homes[f"{kind} {number}"] == before
        client.socket.sendto(captures.REQUEST, asked)
        heard = {reply[11]: tag(reply, 0x20) for reply in (client.hear() for _ in range(5))}
        assert set(heard) >= {1, 2, 3, 4}  # the cast of parts has no life
    finally:
        process.terminate()
        process.communicate(timeout=LIMIT)
    assert process.returncode == 0


def test_the_command_refuses_life_for_too_few():
    process = run_module("--count", "3", "--life")
    _, complaints = process.communicate(timeout=LIMIT)
    assert process.returncode == 2
    assert "--life needs --count 7 or more, not 3" in complaints
