"""Time-lapses: the frames of the film of a day are the stills of that day."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from threading import Event
from threading import enumerate as threads
from time import monotonic
from typing import Any

import av
import numpy as np
import pytest

from stills.film import (
    FAILED,
    LARGEST_SIDE,
    MAKING,
    MOST_STILLS,
    NONE,
    READY,
    Busy,
    Films,
    FilmState,
    _size_of_most,
    frame_rate,
)
from stills.film_files import Film
from stills.film_making import Cancelled, FilmOrder, NotMade, make_film
from stills.model import Still
from stills.taking import STREAM
from tests.stills.studio import NOON, Studio, jpeg, no_more_threads

DAY = date(2026, 11, 28)
SIZE = (160, 90)
Pictures = Sequence[bytes]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    """Eight pictures, each in other colours, and one of half the height."""
    folder = tmp_path_factory.mktemp("pictures")
    source = f"testsrc2=s={SIZE[0]}x{SIZE[1]}:r=1:d=8,hue=h=45*n"
    quiet = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i"]
    subprocess.run([*quiet, source, "-q:v", "2", str(folder / "%d.jpg")], check=True)
    wide = ["testsrc2=s=160x40", "-frames:v", "1", str(folder / "9.jpg")]
    subprocess.run([*quiet, *wide], check=True)
    return [(folder / f"{number}.jpg").read_bytes() for number in range(1, 10)]


def take(studio: Studio, *pictures: bytes, since: datetime = NOON) -> list[Still]:
    """A still of each of these pictures, ten minutes apart."""
    studio.is_checked = True
    stills = []
    for number, picture in enumerate(pictures):
        studio.now = since + number * timedelta(minutes=10)
        studio.answers[STREAM, 1] = picture
        stills.append(studio.stills.take(1))
    return stills


def settled(films: Films, day: date = DAY, device: int = 1) -> FilmState:
    """The state once nothing is being made."""
    until, pause = monotonic() + 60, Event()
    while (state := films.state(device, day)).state == MAKING and monotonic() < until:
        pause.wait(0.02)
    return state


def film_of(studio: Studio, day: date = DAY) -> Film:
    studio.films.make(1, day)
    state = settled(studio.films, day)
    assert state.state == READY, state
    assert state.film is not None
    return state.film


def pixels(picture: Any, size: tuple[int, int] = SIZE) -> Any:
    return picture.reformat(*size, format="rgb24").to_ndarray().astype(int)


def frames_of(film: Film) -> list[Any]:
    with av.open(film.path) as opened:
        stream = opened.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        return [pixels(frame, (frame.width, frame.height)) for frame in opened.decode(stream)]


def still_pixels(data: bytes) -> Any:
    with av.open(BytesIO(data), format="mjpeg") as opened:
        return pixels(next(opened.decode(video=0)))


def shown_in(film: Film, pictures: Pictures) -> list[int]:
    """Which of the pictures each frame shows."""
    known = [still_pixels(picture) for picture in pictures]
    shown = []
    for frame in frames_of(film):
        differences = [np.abs(frame - other).mean() for other in known]
        assert min(differences) < 12
        shown.append(differences.index(min(differences)))
    return shown


def test_the_frames_of_the_film_are_the_stills_of_the_day_in_order(
    studio: Studio, pictures: Pictures
) -> None:
    order = [3, 0, 5, 1]
    take(studio, pictures[7], since=NOON - timedelta(days=1))
    take(studio, *(pictures[number] for number in order))
    take(studio, pictures[6], since=NOON + timedelta(days=1))
    assert studio.films.state(1, DAY) == FilmState(NONE, 4)
    film = film_of(studio)
    assert shown_in(film, pictures[:8]) == order
    assert (film.frames, film.total) == (4, 4)
    assert film.path.stat().st_mode & 0o777 == 0o600
    data = film.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(film.path) as opened:
        assert float(opened.duration or 0) / 1e6 == pytest.approx(4 / frame_rate(4))


def test_damaged_stills_in_the_middle_are_left_out_and_counted(
    studio: Studio, pictures: Pictures
) -> None:
    broken, gone = pictures[1][: len(pictures[1]) // 2] + b"\xff\xd9", pictures[2]
    stills = take(studio, pictures[0], broken, gone, jpeg(), pictures[4])
    studio.shelf.path(stills[2]).unlink()
    film = film_of(studio)
    assert shown_in(film, pictures[:8]) == [0, 4]
    assert (film.frames, film.total) == (2, 5)
    for still in (stills[0], stills[4]):
        studio.shelf.path(still).write_bytes(b"")
    film.path.unlink()
    studio.films.make(1, DAY)
    state = settled(studio.films)
    assert (state.state, state.film) == (FAILED, None)
    assert "None of the 5 stills of 2026-11-28 can be decoded" in state.problem


def test_pictures_of_another_size_or_on_their_side_fit_into_the_frame(
    studio: Studio, pictures: Pictures
) -> None:
    turned = bytearray(pictures[0])
    tiff = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned[2:2] = b"\xff\xe1" + (len(tiff) + 2).to_bytes(2, "big") + tiff
    take(studio, pictures[0], pictures[8], bytes(turned), pictures[1])
    frames = frames_of(film_of(studio))
    assert {frame.shape for frame in frames} == {(90, 160, 3)}
    upright, wide, side, _last = frames
    assert wide[:20].mean() < 5 < wide[30:60].mean()
    assert side[:, :40].mean() < 5 < side[:, 60:100].mean()
    narrow = Image(upright).turned_right().scaled(side[:, 55:105].shape)
    assert np.abs(narrow - side[:, 55:105]).mean() < 25


class Image:
    """A frame, to be compared with another one."""

    def __init__(self, frame: Any) -> None:
        self.frame = frame

    def turned_right(self) -> "Image":
        return Image(np.rot90(self.frame, -1))

    def scaled(self, shape: tuple[int, ...]) -> Any:
        rows = np.linspace(0, self.frame.shape[0] - 1, shape[0]).astype(int)
        columns = np.linspace(0, self.frame.shape[1] - 1, shape[1]).astype(int)
        return self.frame[rows][:, columns]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(640, 360), (640, 360), (3280, 2464)], (640, 360)),
        ([(3280, 2464)], (1920, 1442)),
        ([(2464, 3280)], (1442, 1920)),
        ([(641, 361)], (640, 360)),
        ([(1, 20_000)], (2, 1920)),
    ],
)
def test_the_film_has_the_size_of_most_stills_and_at_most_1920(
    sizes: list[tuple[int, int]], expected: tuple[int, int]
) -> None:
    still = Still(1, 1, NOON, True, "stream", 1, 1, 9, "x.jpg", "hour")
    shown = [(replace(still, width=width, height=height), 1) for width, height in sizes]
    assert _size_of_most(shown) == expected
    assert max(expected) <= LARGEST_SIDE
    if len(sizes) == 1:
        assert _size_of_most([(shown[0][0], 6)]) == expected[::-1]


def test_a_film_lasts_ten_seconds_but_is_neither_too_slow_nor_too_fast() -> None:
    assert [frame_rate(count) for count in (1, 24, 96, 1440)] == [4, 4, 10, 12]


def test_a_film_is_made_once_and_again_when_the_stills_changed(
    studio: Studio, pictures: Pictures
) -> None:
    take(studio, *pictures[:2])
    first = film_of(studio)
    assert studio.films.make(1, DAY) == studio.films.state(1, DAY)
    assert film_of(studio).path == first.path
    take(studio, pictures[2], since=NOON + timedelta(hours=2))
    state = studio.films.state(1, DAY)
    assert (state.state, state.newer, state.film) == (READY, 1, first)
    second = film_of(studio)
    assert (second.frames, first.path.exists()) == (3, False)
    assert second.digest != first.digest


def test_a_film_is_deleted_with_the_first_of_its_stills(studio: Studio, pictures: Pictures) -> None:
    take(studio, *pictures[:2], since=NOON - timedelta(days=31))
    take(studio, *pictures[2:4])
    old, new = film_of(studio, DAY - timedelta(days=31)), film_of(studio)
    studio.now = NOON
    studio.keeping.forget()
    assert (old.path.exists(), new.path.exists()) == (False, True)


def test_a_film_with_another_cameras_stills_is_never_shown(
    studio: Studio, pictures: Pictures
) -> None:
    take(studio, pictures[0])
    studio.answers[STREAM, 2] = pictures[1]
    studio.stills.take(2)
    fleet = studio.story.fleet
    studio.story.fleet = replace(fleet, redirects={2: 1})
    assert film_of(studio).frames == 2
    studio.story.fleet = fleet
    assert studio.films.state(1, DAY) == FilmState(NONE, 1)
    assert studio.films.state(2, DAY) == FilmState(NONE, 1)


def test_films_count_in_the_budget_and_go_before_stills(studio: Studio, pictures: Pictures) -> None:
    stills = take(studio, *pictures[:3])
    film = film_of(studio)
    size = sum(still.size for still in stills)
    assert studio.keeping.films.total_size() == film.size
    studio.keeping._max_bytes = size + film.size
    assert studio.keeping.run() == ""
    studio.keeping._max_bytes = size + film.size - 1
    assert studio.keeping.run() == "Time-lapses deleted"
    assert not film.path.exists()
    assert [studio.shelf.path(still).exists() for still in stills] == [True] * 3
    assert studio.keeping.trouble == ""
    film_of(studio)
    assert studio.keeping.make_room(100)
    assert [studio.shelf.path(still).exists() for still in stills] == [True] * 3


def test_what_a_crash_left_of_a_film_is_deleted(studio: Studio, pictures: Pictures) -> None:
    take(studio, pictures[0])
    film = film_of(studio)
    strays = [film.path.with_name(f".20261128T000000Z-{n}.mp4.new") for n in ("a1", "b2")]
    for stray in strays:
        stray.write_bytes(b"half a film")
    os.utime(strays[0], (1e9, 1e9))
    studio.keeping.forget()
    assert [path.exists() for path in (*strays, film.path)] == [False, True, True]


@pytest.mark.parametrize("hours", [23, 24, 25])
def test_a_film_has_all_of_a_day_on_which_the_clocks_change(
    studio: Studio, pictures: Pictures, hours: int
) -> None:
    day = {23: date(2026, 3, 29), 24: DAY, 25: date(2026, 10, 25)}[hours]
    begin = datetime.combine(day, datetime.min.time(), studio.zone).astimezone(UTC)
    studio.doubt = ""
    for number in range(-1, hours + 1):
        studio.now = begin + timedelta(hours=number, seconds=1)
        studio.is_checked, studio.answers[STREAM, 1] = True, pictures[number % 8]
        studio.stills.take(1)
    assert film_of(studio, day).frames == hours


# -- nothing to make, and what goes wrong ----------------------------------------------------


def test_a_day_without_stills_or_with_too_many_has_no_film(studio: Studio) -> None:
    with pytest.raises(NotMade, match=r"There is no still of 2026-11-28\."):
        studio.films.make(1, DAY)
    many = [Still(n, 1, NOON, True, "stream", 1, 1, 9, "x", "hour") for n in range(MOST_STILLS + 1)]
    studio.shelf.of_day = lambda _device, _day: many  # type: ignore[method-assign]
    with pytest.raises(NotMade, match=r"2001 stills of 2026-11-28 are too many"):
        studio.films.make(1, DAY)


@pytest.fixture
def slow(studio: Studio, pictures: Pictures) -> Iterator[tuple[Films, Event]]:
    """Films whose pictures go through one at a time, when the event is set."""
    take(studio, *pictures[:2], since=NOON - timedelta(days=1))
    take(studio, *pictures[:3])
    go_on = Event()

    def make(
        order: FilmOrder, on_picture: Callable[[], object], is_unwanted: Callable[[], bool]
    ) -> int:
        on_picture()
        while not go_on.wait(0.01):
            if is_unwanted():
                raise Cancelled
        return make_film(order, on_picture, is_unwanted)

    films = Films(studio.shelf, studio.keeping.films, make=make)
    yield films, go_on
    go_on.set()
    films.stop()


def test_one_film_of_a_camera_is_made_at_a_time(slow: tuple[Films, Event]) -> None:
    films, go_on = slow
    first = films.make(1, DAY)
    assert (first.state, first.total) == (MAKING, 3)
    assert films.make(1, DAY).state == MAKING
    with pytest.raises(Busy, match="The time-lapse of 2026-11-28 of this camera") as caught:
        films.make(1, DAY - timedelta(days=1))
    assert caught.value.is_same_camera
    go_on.set()
    assert settled(films).state == READY
    films.make(1, DAY - timedelta(days=1))
    assert settled(films, DAY - timedelta(days=1)).state == READY


def test_a_film_can_be_cancelled_and_made_again(slow: tuple[Films, Event], studio: Studio) -> None:
    films, go_on = slow
    films.make(1, DAY)
    films.cancel(1, DAY - timedelta(days=1))
    assert films.state(1, DAY).state == MAKING
    films.cancel(1, DAY)
    assert films.state(1, DAY) == FilmState(NONE, 3)
    films.make(1, DAY)
    go_on.set()
    assert settled(films).state == READY
    folder = studio.folder / "stills" / "1" / "films"
    assert [path.name[:1] for path in folder.iterdir()] == ["2"]


def test_whoever_cancels_and_asks_again_leaves_no_thread_behind(
    slow: tuple[Films, Event], studio: Studio
) -> None:
    films, _go_on = slow
    for device in (1, 2, 3):
        studio.answers[STREAM, device] = jpeg()
        studio.stills.take(device)
    day = studio.now.date()
    films.make(1, day), films.make(2, day)
    for _time in range(30):
        films.make(3, day)
        films.cancel(3, day)
    until, pause = monotonic() + 30, Event()
    while (left := [each.name for each in threads()].count("film")) > 2 and monotonic() < until:
        pause.wait(0.05)
    assert left == 2
    assert films.state(1, day).state == MAKING


def test_without_another_thread_nothing_is_said_to_be_made(
    studio: Studio, pictures: Pictures
) -> None:
    take(studio, pictures[0])
    with no_more_threads(), pytest.raises(Busy, match="too busy to make a time-lapse"):
        studio.films.make(1, DAY)
    assert film_of(studio).frames == 1


def test_what_is_in_the_place_of_a_still_is_not_in_a_film(
    studio: Studio, pictures: Pictures, tmp_path: Path
) -> None:
    stills = take(studio, *pictures[:4])
    (tmp_path / "other.jpg").write_bytes(pictures[5])
    paths = [studio.shelf.path(still) for still in stills]
    for path in paths[:3]:
        path.unlink()
    paths[0].symlink_to(tmp_path / "other.jpg")
    os.mkfifo(paths[1])
    paths[2].mkdir()
    film = film_of(studio)
    assert (film.frames, film.total) == (1, 4)
    assert shown_in(film, pictures[:8]) == [3]


def test_a_link_in_the_place_of_the_films_leads_nowhere(
    studio: Studio, pictures: Pictures, tmp_path: Path
) -> None:
    take(studio, pictures[0])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (studio.folder / "stills" / "1" / "films").symlink_to(elsewhere)
    studio.films.make(1, DAY)
    state = settled(studio.films)
    assert (state.state, "symbolic links" in state.problem) == (FAILED, True)
    assert list(elsewhere.iterdir()) == []


def test_stills_that_are_deleted_meanwhile_are_not_in_a_film(
    slow: tuple[Films, Event], studio: Studio
) -> None:
    films, go_on = slow
    films.make(1, DAY)
    studio.now = NOON + timedelta(days=30, minutes=5)
    studio.keeping.forget()
    go_on.set()
    state = settled(films)
    assert (state.state, state.total) == (FAILED, 2)
    assert "deleted while it was made" in state.problem
    assert list((studio.folder / "stills" / "1" / "films").iterdir()) == []


def child(text: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-c", text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import time; print('+', flush=True); time.sleep(600)", "nothing happened for 0 s"),
        ("print('+')", "has ended early"),
        ("print('!No space left on device')", "cannot be saved (No space left on device)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "has ended early"),
    ],
    ids=["hangs", "ends", "full disk", "crashes"],
)
def test_a_process_that_hangs_or_dies_makes_no_film(text: str, problem: str) -> None:
    order = FilmOrder("none", 2, 2, 4, [])
    stall = 0.4 if "sleep" in text else 30
    with pytest.raises(NotMade) as caught:
        make_film(order, lambda: None, lambda: False, stall, child(text))
    assert problem in caught.value.reason


def test_an_unwanted_process_is_ended_at_once(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    text = f"import os,time; open({str(mark)!r},'w').write(str(os.getpid())); time.sleep(600)"
    order = FilmOrder("none", 2, 2, 4, [])
    with pytest.raises(Cancelled):
        make_film(
            order, lambda: None, lambda: mark.exists() and bool(mark.read_text()), 30, child(text)
        )
    assert not Path(f"/proc/{mark.read_text()}").exists()
