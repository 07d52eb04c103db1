"""The event stream: as it happens, in order, once, and nobody can hold the monitor up."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest

from discovery.progress import Scan
from fleet.model import Event
from simulators.panasonic import Camera
from tests.accounts.people import NOON, PASSWORD, add
from tests.home import Clock, Home, Running, until
from tests.store.postgres import Cluster
from tests.web.conftest import edit, fill, running_with
from tests.web.live_pictures import Follower
from web.http.broadcaster import (
    KEPT_MESSAGES,
    MAX_STREAMS,
    MAX_STREAMS_OF_USER,
    PING_EVERY,
    EventBroadcaster,
)

Make = Callable[..., Home]
STREAM = {"Accept": "text/event-stream"}
FOUND = 5


class Message:
    """One message of a stream: its id, its kind and its data."""

    def __init__(self, text: str) -> None:
        lines = dict(line.split(": ", 1) for line in text.split("\n") if not line.startswith(":"))
        self.id = int(lines["id"]) if "id" in lines else None
        self.kind = lines.get("event")
        self.data = json.loads(lines["data"]) if "data" in lines else None


def messages(text: str) -> list[Message]:
    """The messages in a piece of a stream, without its comments."""
    parsed = [Message(part) for part in text.split("\n\n") if part and not part.startswith(":")]
    return [message for message in parsed if message.kind]


class EventFollower(Follower):
    """A reader of a running monitor's events."""

    def __init__(self, monitor: Running, query: str = "", **headers: str) -> None:
        super().__init__(monitor, f"/api/events?{query}", **{**STREAM, **headers})

    @property
    def text(self) -> str:
        return self.data.decode(errors="replace")

    @property
    def messages(self) -> list[Message]:
        return messages(self.text[: self.text.rfind("\n\n") + 2])

    def of(self, kind: str) -> list[Message]:
        return [message for message in self.messages if message.kind == kind]


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A real monitor with five cameras to find."""
    cameras = [Camera(f"d4:2d:c5:00:00:0{n}", f"127.20.0.{n}") for n in range(1, FOUND + 1)]
    with running_with(tmp_path_factory.mktemp("stream"), *cameras) as started:
        yield started


@pytest.fixture(scope="module")
def scanned(monitor: Running) -> Iterator[EventFollower]:
    """Who followed the scan in which they were found, and still does."""
    follower = EventFollower(monitor)
    until(lambda: follower.text, what="the stream is open")
    assert monitor.request("POST", "/api/scan").status == 200
    until(lambda: any(message.data["finished"] for message in follower.of("progress")))
    yield follower
    follower.close()


def rename(monitor: Running, name: str) -> int:
    """Rename camera 1; the number of the event."""
    answer = monitor.request("PATCH", "/api/camera/1", {"name": name})
    assert answer.status == 200, answer.body
    number: int = answer.json["undo"]
    return number


def ended(monitor: Running, *last_ids: str) -> list[EventFollower]:
    """Readers that came back with these ids, all at once, after their streams ended."""
    followers = [EventFollower(monitor, "for=1", **{"Last-Event-ID": last}) for last in last_ids]
    for follower in followers:
        until(lambda follower=follower: follower.has_ended)
        follower.close()
    return followers


def readers(monitor: Running) -> int:
    text = monitor.get("/metrics").body.decode()
    line = next(
        line for line in text.splitlines() if line.startswith("camera_monitor_event_streams ")
    )
    return int(float(line.split()[1]))


def until_one_follows(monitor: Running) -> None:
    """Who has left is noticed as soon as there is something to tell."""

    def is_alone() -> bool:
        rename(monitor, f"Something to tell {time.monotonic()}")
        return readers(monitor) == 1

    until(is_alone, what="only the first reader follows")


def test_a_stream_says_what_it_is_and_that_nobody_may_keep_it(scanned: EventFollower) -> None:
    assert scanned.answer.status == 200
    assert scanned.answer.headers["Content-Type"].startswith("text/event-stream")
    assert scanned.answer.headers["Cache-Control"] == "no-store"
    assert scanned.answer.headers["X-Accel-Buffering"] == "no"
    assert scanned.text.startswith("retry: 3000\n\n")


def test_cameras_are_told_as_they_are_found(scanned: EventFollower) -> None:
    received = scanned.of("found")
    assert {message.data["device"] for message in received} == set(range(1, FOUND + 1))
    assert all(message.data["kind"] == "device.found" for message in received)
    keys = {"id", "at", "kind", "device", "text", "before", "after"}
    assert all(
        set(message.data) == keys and message.data["id"] == message.id for message in received
    )


def test_progress_is_told_from_start_to_end_and_has_no_id(scanned: EventFollower) -> None:
    progress = scanned.of("progress")
    assert [message.data["state"] for message in progress][0] == "running"
    assert [message.data["state"] for message in progress][-1] == "done"
    assert [message.data["found"] for message in progress][-1] == FOUND
    assert all(message.id is None for message in progress)
    assert progress[0].data["sources"][0]["title"] == "Panasonic and i-PRO"


def test_ids_rise_by_one(scanned: EventFollower) -> None:
    ids = [message.id for message in scanned.messages if message.id is not None]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert len(ids) >= FOUND


def test_an_edit_is_told_to_everybody_who_follows(monitor: Running, scanned: EventFollower) -> None:
    second = EventFollower(monitor)
    until(lambda: second.text)
    number = rename(monitor, "North gate")
    for follower in (scanned, second):
        until(lambda reader=follower: [m for m in reader.of("status") if m.id == number])
    edited = next(message for message in second.of("status") if message.id == number)
    assert edited.data["after"] == {"name": "North gate"}
    second.close()


def test_a_reader_that_comes_back_gets_exactly_what_it_missed(
    monitor: Running, scanned: EventFollower
) -> None:
    numbers = [rename(monitor, f"Name {n}") for n in range(6)]
    until(lambda: monitor.get(f"/api/events?after={numbers[-1] - 1}").json["count"] == 1)
    lasts = (numbers[0], numbers[3], numbers[-1])
    for last, follower in zip(lasts, ended(monitor, *map(str, lasts)), strict=True):
        assert [message.id for message in follower.messages] == [n for n in numbers if n > last]


def test_after_in_the_url_does_what_last_event_id_does(
    monitor: Running, scanned: EventFollower
) -> None:
    numbers = [rename(monitor, f"Again {n}") for n in range(3)]
    until(lambda: monitor.get(f"/api/events?after={numbers[-1] - 1}").json["count"] == 1)
    follower = EventFollower(monitor, f"for=1&after={numbers[0]}")
    until(lambda: follower.has_ended)
    assert [message.id for message in follower.messages] == numbers[1:]
    follower.close()


def test_a_last_id_that_is_none_is_as_if_it_were_not_there(
    monitor: Running, scanned: EventFollower
) -> None:
    for follower in ended(monitor, "", "x", "-5", "1.5", "9" * 400, "\xb2"):
        assert (follower.answer.status, follower.messages) == (200, [])


def test_a_stream_ends_by_itself_when_it_was_asked_to(monitor: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", monitor.port, timeout=60)
    connection.request("GET", "/api/events?for=1", headers=STREAM)
    assert connection.getresponse().read().startswith(b"retry: 3000\n\n")
    connection.close()


def test_many_follow_at_once_and_free_their_places_when_they_leave(
    monitor: Running, scanned: EventFollower
) -> None:
    until_one_follows(monitor)
    followers = [EventFollower(monitor) for _ in range(50)]
    for follower in followers:
        until(lambda follower=follower: follower.text)
    assert readers(monitor) == 51
    number = rename(monitor, "Seen by all")
    for follower in followers:
        until(lambda follower=follower: [m for m in follower.of("status") if m.id == number])
    for follower in followers:
        follower.close()
    until_one_follows(monitor)


def test_a_head_request_takes_no_place(monitor: Running, scanned: EventFollower) -> None:
    for _ in range(3):
        assert monitor.request("HEAD", "/api/events", headers=STREAM).status == 200
    until_one_follows(monitor)


# -- in this process ---------------------------------------------------------------------


def everything() -> Any:
    """The judge of a reader who may hear all of it."""
    return lambda _event: True


def follow(home: Home, **headers: str) -> Any:
    """An open stream, of which only the first line was read."""
    return home.client.get("/api/events?for=1", headers={**STREAM, **headers}, buffered=False)


def test_what_is_told_while_the_missed_is_read_comes_once(make_home: Make) -> None:
    """The journal has an event a moment before the broadcaster tells it: both may have it."""
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1"))
    home.scan()
    newest = home.events()[-1].sequence
    numbers = [edit(home, "1", name=name) for name in ("One", "Two")]
    edits = home.events()[1:]
    for last, missed in ((newest, numbers), (numbers[-1], [])):
        stream = follow(home, **{"Last-Event-ID": str(last)})
        home.monitor.broadcaster.publish(edits)
        assert [message.id for message in messages(stream.text)] == missed
        stream.close()


def test_an_id_that_is_still_to_come_does_not_silence_the_stream(make_home: Make) -> None:
    """As when the database is an older copy than what the reader saw."""
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1"))
    home.scan()
    stream = follow(home, **{"Last-Event-ID": str(10**17)})
    number = edit(home, "1", name="One")
    assert number in [message.id for message in messages(stream.text)]
    stream.close()


def test_readers_that_come_back_while_much_happens_get_each_event_once(make_home: Make) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1"))
    home.scan()
    newest = home.events()[-1].sequence
    heard: list[list[int | None]] = []

    def come_back() -> None:
        stream = home.app.test_client().get(
            "/api/events?for=1", headers={**STREAM, "Last-Event-ID": str(newest)}, buffered=False
        )
        heard.append([message.id for message in messages(stream.text)])
        stream.close()

    threads = [Thread(target=come_back, daemon=True) for _ in range(40)]
    for number, thread in enumerate(threads):
        thread.start()
        edit(home, "1", name=f"Name {number}")
    for thread in threads:
        thread.join(60)
    assert len(heard) == 40
    for ids in heard:
        assert ids == list(range(newest + 1, newest + 1 + len(ids)))


def test_what_happens_while_the_database_is_away_is_streamed_once_when_it_is_back(
    make_home: Make, postgres: Cluster
) -> None:
    """A stream brings what the journal has: a reader that comes back finds it there too."""
    home = make_home(
        Camera("d4:2d:c5:00:00:01", "127.20.0.1"), database_url=postgres.new_database()
    )
    home.scan()
    broadcaster, journal = home.monitor.broadcaster, home.monitor.journal
    newest = home.events()[-1].sequence
    until(lambda: journal.readers.positions()["event_stream"] == newest)
    frames = broadcaster.follow(broadcaster.position(), time.monotonic() + 60, everything)
    until(lambda: home.monitor.journal_writer.has_rolled_up, what="nothing else is under way")
    postgres.stop()
    numbers = [edit(home, "1", name=name) for name in ("One", "Two")]
    until(lambda: home.monitor.journal_writer.trouble, what="the writer has noticed")
    postgres.start()
    text = ""
    until(lambda: home.events()[-1].sequence == numbers[-1], what="the journal has them")
    while f"id: {numbers[-1]}" not in text:
        text += next(frames).decode()
    assert [message.id for message in messages(text)] == numbers


def test_an_event_that_cannot_be_encoded_is_left_out_and_the_next_ones_come(
    make_home: Make,
) -> None:
    home = make_home(Camera("d4:2d:c5:00:00:01", "127.20.0.1"))
    home.scan()
    broadcaster, journal = home.monitor.broadcaster, home.monitor.journal
    last = home.events()[-1].sequence
    until(lambda: journal.readers.positions()["event_stream"] == last)
    frames = broadcaster.follow(broadcaster.position(), time.monotonic() + 60, everything)
    beyond = Event(last + 1, home.clock(), "device.edited", 1, "", {}, {"name": 2**70})
    journal.write([beyond, Event(last + 2, home.clock(), "device.edited", 1, "fits")])
    journal.readers.wake()
    assert [message.id for message in messages(next(frames).decode())] == [last + 2]


def test_a_reader_that_missed_too_much_has_to_reload(make_home: Make) -> None:
    home = make_home()
    fill(home, 1001)
    last, readers = home.events()[-1].sequence, home.monitor.journal.readers
    until(lambda: readers.positions()["event_stream"] == last)
    stream = follow(home, **{"Last-Event-ID": "0"})
    assert [message.kind for message in messages(stream.text)] == ["reset"]
    stream.close()
    stream = follow(home, **{"Last-Event-ID": "500"})
    assert [message.id for message in messages(stream.text)] == list(range(501, 1002))
    stream.close()


def test_one_reader_too_many_is_told_so_and_a_free_place_is_given_again(make_home: Make) -> None:
    home = make_home()
    broadcaster = home.monitor.broadcaster
    for number in range(MAX_STREAMS):
        broadcaster.enter(f"user {number}")
    refused = home.client.get("/api/events?for=1", headers=STREAM)
    assert refused.status_code == 503
    assert set(refused.json) == {"error", "hint"}
    broadcaster.leave("user 7")
    stream = follow(home)
    assert stream.status_code == 200
    assert broadcaster.streams == MAX_STREAMS
    stream.close()
    assert broadcaster.streams == MAX_STREAMS - 1


def test_one_person_has_a_share_of_the_streams(make_home: Make) -> None:
    home = make_home()
    broadcaster = home.monitor.broadcaster
    for _ in range(MAX_STREAMS_OF_USER):
        broadcaster.enter("127.0.0.1")
    refused = home.client.get("/api/events?for=1", headers=STREAM)
    assert refused.status_code == 429
    assert refused.json["error"] == f"You already have {MAX_STREAMS_OF_USER} open event streams"
    other = home.client.get(
        "/api/events?for=1",
        headers=STREAM,
        environ_base={"REMOTE_ADDR": "127.0.0.2"},
        buffered=False,
    )
    assert other.status_code == 200
    other.close()
    assert broadcaster.streams == MAX_STREAMS_OF_USER
    broadcaster.leave("127.0.0.1")
    stream = follow(home)
    assert stream.status_code == 200
    stream.close()
    assert broadcaster.streams == MAX_STREAMS_OF_USER - 1


def test_a_user_has_one_share_from_whatever_address(make_home: Make) -> None:
    home = make_home()
    add(home.monitor.authenticator.accounts, "Ada", "admin")
    for _ in range(MAX_STREAMS_OF_USER):
        home.monitor.broadcaster.enter("user Ada")
    for address in ("127.0.0.1", "127.0.0.2"):
        refused = home.client.get(
            "/api/events?for=1",
            headers=STREAM,
            auth=("Ada", PASSWORD),
            environ_base={"REMOTE_ADDR": address},
        )
        assert refused.status_code == 429


def test_a_reader_that_hangs_up_frees_its_place_though_nothing_happens(monitor: Running) -> None:
    before = readers(monitor)
    followers = [EventFollower(monitor) for _ in range(5)]
    for follower in followers:
        until(lambda follower=follower: follower.text)
    assert readers(monitor) == before + 5
    for follower in followers:
        follower.close()
    until(lambda: readers(monitor) == before, PING_EVERY / 2, "sooner than by their next ping")


def test_a_reader_that_fell_behind_is_told_to_load_anew(clock: Clock) -> None:
    broadcaster = EventBroadcaster()
    place = broadcaster.position()
    for number in range(1, KEPT_MESSAGES + 2):
        broadcaster.publish([Event(number, clock(), "device.found", 1, "found")])
    frames = broadcaster.follow(place, time.monotonic() + 60, everything)
    assert messages(next(frames).decode())[0].kind == "reset"
    assert [message.id for message in messages(next(frames).decode())] == list(
        range(2, KEPT_MESSAGES + 2)
    )


def test_a_reader_within_what_is_kept_gets_all_of_it(clock: Clock) -> None:
    broadcaster = EventBroadcaster()
    place = broadcaster.position()
    for number in range(1, KEPT_MESSAGES + 1):
        broadcaster.publish([Event(number, clock(), "device.found", 1, "found")])
    text = next(broadcaster.follow(place, time.monotonic() + 60, everything)).decode()
    assert [message.id for message in messages(text)] == list(range(1, KEPT_MESSAGES + 1))


def test_a_closing_broadcaster_ends_every_stream_at_once() -> None:
    broadcaster = EventBroadcaster()
    heard: list[int] = []
    ended: list[int] = []

    def read(number: int) -> None:
        for _ in broadcaster.follow(0, time.monotonic() + 3600, everything):
            heard.append(number)
        ended.append(number)

    threads = [Thread(target=read, args=(number,), daemon=True) for number in range(10)]
    for thread in threads:
        thread.start()
    broadcaster.progress(Scan(NOON, "auto-scan", {}))
    until(lambda: len(set(heard)) == 10, what="all follow")
    broadcaster.close()
    until(lambda: len(ended) == 10, PING_EVERY / 2, "all ended, and not by their next ping")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("device.found", "found"),
        ("device.offline", "status"),
        ("device.edited", "status"),
        ("finding.raised", "event"),
        ("source.down", "event"),
    ],
)
def test_messages_are_named_by_what_happened(clock: Clock, kind: str, name: str) -> None:
    broadcaster = EventBroadcaster()
    place = broadcaster.position()
    broadcaster.publish([Event(7, clock(), kind, 1, 'line one\nline two "quoted"')])
    received = messages(next(broadcaster.follow(place, time.monotonic() + 60, everything)).decode())
    assert [(message.id, message.kind) for message in received] == [(7, name)]
    assert received[0].data["text"] == 'line one\nline two "quoted"'
