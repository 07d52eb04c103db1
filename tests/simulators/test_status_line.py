"""The pretended status-line devices, spoken to by hand."""

import socket
from collections.abc import Iterator

import pytest

from simulators.status_line import StatusLineDevice, StatusLines, crowd
from tests.home import free_port


@pytest.fixture
def lines() -> Iterator[StatusLines]:
    started = StatusLines(crowd(5), free_port()).start()
    yield started
    started.stop()


def ask(lines: StatusLines, device: StatusLineDevice, patience: float = 5.0) -> bytes:
    with socket.create_connection((device.address, lines.port), timeout=patience) as sock:
        sock.sendall(b"STATUS\n")
        return sock.makefile("rb").readline()


def test_each_device_answers_at_its_own_address(lines: StatusLines) -> None:
    answers = [ask(lines, device) for device in lines.devices]
    assert answers == [f"OK SL{n:06d} SL-1\n".encode() for n in range(5)]
    assert [len(device.asked) for device in lines.devices] == [1] * 5


def test_a_device_that_is_off_refuses_and_comes_back(lines: StatusLines) -> None:
    device = lines.devices[0]
    lines.turn(device, "off")
    with pytest.raises(ConnectionRefusedError):
        ask(lines, device)
    lines.turn(device, "well")
    assert ask(lines, device).startswith(b"OK ")


def test_a_device_is_silent_busy_slow_or_flapping_when_it_is_told(lines: StatusLines) -> None:
    silent, busy, slow, flapping, _well = lines.devices
    for device, mode in ((silent, "silent"), (busy, "busy"), (slow, "slow")):
        lines.turn(device, mode)
    lines.turn(flapping, "flapping")
    slow.delay = 0.3
    with pytest.raises(TimeoutError):
        ask(lines, silent, patience=0.2)
    assert ask(lines, busy) == b"BUSY\n"
    with pytest.raises(TimeoutError):
        ask(lines, slow, patience=0.1)
    assert ask(lines, slow).startswith(b"OK ")
    assert ask(lines, flapping).startswith(b"OK ")
    with pytest.raises(TimeoutError):
        ask(lines, flapping, patience=0.2)
    assert ask(lines, flapping).startswith(b"OK ")


def test_a_device_has_one_session(lines: StatusLines) -> None:
    device = lines.devices[0]
    with socket.create_connection((device.address, lines.port), timeout=5) as first:
        assert ask(lines, device) == b"BUSY\n"
        first.sendall(b"STATUS\n")
    assert device.most == 2
