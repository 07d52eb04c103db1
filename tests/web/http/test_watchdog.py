"""Long answers: a client that reads nothing or lost its permission is cut off; others go on."""

import socket
from collections.abc import Iterator
from contextlib import closing
from threading import Event, Thread

import pytest

from tests.home import until
from web.http import watchdog
from web.http.watchdog import Watchdog

PIECE = b"x" * 65536


@pytest.fixture
def dog(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watchdog]:
    monkeypatch.setattr(watchdog, "CLIENT_TIMEOUT", 0.2)
    monkeypatch.setattr(watchdog, "CHECK_EVERY", 0.02)
    made = Watchdog()
    made.start()
    yield made
    made.stop()


class Sender:
    """Sends an endless answer on one end of a pair of sockets, as a web server does."""

    def __init__(self, dog: Watchdog, pieces: Iterator[bytes]) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.allowed = Event()
        self.allowed.set()
        self.ended = Event()
        self.guarded = dog.guard(pieces, self.ours, self.allowed.is_set)
        self.thread = Thread(target=self._send)
        self.thread.start()

    def _send(self) -> None:
        try:
            with closing(self.guarded):
                for piece in self.guarded:
                    self.ours.sendall(piece)
        except OSError:
            pass
        self.ended.set()

    def close(self) -> None:
        self.theirs.close()
        self.thread.join(20)
        self.ours.close()


def endless() -> Iterator[bytes]:
    while True:
        yield PIECE


def test_who_takes_nothing_is_cut_off(dog: Watchdog) -> None:
    sender = Sender(dog, endless())
    until(sender.ended.is_set, what="the answer ended")
    sender.close()


def test_whose_right_has_ended_is_cut_off_in_the_middle_of_a_piece(
    dog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "CLIENT_TIMEOUT", 3600.0)
    sender = Sender(dog, endless())
    sender.allowed.clear()
    until(sender.ended.is_set, what="the answer ended")
    sender.close()


def test_a_question_that_fails_ends_its_answer_and_no_other_watch(
    dog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "CLIENT_TIMEOUT", 3600.0)
    for _again in range(2):
        ours, theirs = socket.socketpair()
        with ours, theirs, closing(dog.guard(endless(), ours, fail)) as pieces:
            next(pieces)
            theirs.settimeout(20)
            assert theirs.recv(1) == b""


def fail() -> bool:
    raise RuntimeError("it cannot be told")


def test_who_reads_on_is_let_alone(dog: Watchdog) -> None:
    sender = Sender(dog, endless())
    taken = 0
    while taken < 200 * len(PIECE):
        taken += len(sender.theirs.recv(1 << 20))
    assert not sender.ended.is_set()
    sender.close()
    assert sender.ended.is_set()


def test_an_answer_that_waits_for_news_is_let_alone(dog: Watchdog) -> None:
    news = Event()

    def seldom() -> Iterator[bytes]:
        yield b"first"
        news.wait(20)
        yield b"second"

    other = Sender(dog, endless())
    sender = Sender(dog, seldom())
    assert sender.theirs.recv(100) == b"first"
    until(other.ended.is_set, what="patience has ended meanwhile for the one that takes nothing")
    news.set()
    assert sender.theirs.recv(100) == b"second"
    sender.close()
    other.close()
