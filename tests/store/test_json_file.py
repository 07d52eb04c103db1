"""One file that survives a careless hand: written whole, copied, mended, owned by one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.json_file import CannotOpen, JsonFile

NAME = "fleet.json"


def parse(data: bytes) -> str:
    """Good content is text in square brackets."""
    if not (data.startswith(b"[") and data.endswith(b"]")):
        raise ValueError("it is not in brackets")
    return data[1:-1].decode()


class Place:
    """A folder with the file and its data folder; each `file()` is a program that starts."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.data_dir = folder / "data"
        self.copies_dir = self.data_dir / "copies"
        self._owned: list[JsonFile] = []

    def file(self) -> JsonFile:
        self.end()
        file = JsonFile(self.path, self.data_dir)
        file.acquire()
        self._owned.append(file)
        return file

    def end(self) -> None:
        while self._owned:
            self._owned.pop().release()

    def write(self, *texts: str) -> None:
        """Each text by a program that starts anew, so that each begins a copy."""
        for text in texts:
            self.file().write(f"[{text}]".encode())

    def aside(self, label: str) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.copies_dir.glob(f"*.{label}-*"))]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.end()


# -- writing ---------------------------------------------------------------------------------


def test_what_is_written_is_read(place: Place) -> None:
    place.write("one", "two")
    assert place.path.read_bytes() == b"[two]"
    loaded = place.file().load(parse)
    assert (loaded.value, loaded.damage) == ("two", "")


def test_a_reader_that_has_the_file_open_never_sees_half_of_two(place: Place) -> None:
    place.write("x" * 100_000)
    with place.path.open("rb") as reader:
        begin = reader.read(10)
        place.write("y" * 50_000)
        assert begin + reader.read() == b"[" + b"x" * 100_000 + b"]"
    assert place.path.read_bytes() == b"[" + b"y" * 50_000 + b"]"


def test_nothing_else_lies_beside_the_file_afterwards(place: Place) -> None:
    place.write("one", "two", "three")
    assert {path.name for path in place.path.parent.iterdir()} <= {NAME, "data", f".{NAME}.lock"}


def test_what_a_crash_left_half_written_is_no_hindrance(place: Place) -> None:
    place.write("one")
    place.path.with_name(f".{NAME}.new").write_bytes(b"[tw")
    assert place.file().load(parse).value == "one"
    place.write("two")
    assert place.file().load(parse).value == "two"


def test_a_database_that_is_a_symbolic_link_stays_one(place: Place, tmp_path: Path) -> None:
    elsewhere = tmp_path / "disk" / "real.json"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(b"[one]")
    place.path.symlink_to(elsewhere)
    file = place.file()
    assert file.load(parse).value == "one"
    file.write(b"[two]")
    assert place.path.is_symlink()
    assert elsewhere.read_bytes() == b"[two]"


def test_without_a_file_and_without_a_copy_there_is_nothing(place: Place) -> None:
    with pytest.raises(FileNotFoundError):
        place.file().load(parse)


# -- copies ----------------------------------------------------------------------------------


def test_five_good_copies_are_kept_newest_first(place: Place) -> None:
    place.write(*(str(number) for number in range(12)))
    copies = [path.read_bytes() for path in place.file().copies()]
    assert copies == [b"[11]", b"[10]", b"[9]", b"[8]", b"[7]"]


def test_within_a_minute_the_newest_copy_is_renewed_so_that_the_others_reach_back(
    place: Place,
) -> None:
    place.write("old")
    file = place.file()
    for number in range(20):
        file.write(f"[{number}]".encode())
    assert [path.read_bytes() for path in file.copies()] == [b"[19]", b"[old]"]


def test_a_file_that_is_read_well_is_copied_too(place: Place) -> None:
    place.path.write_bytes(b"[by hand]")
    place.file().load(parse)
    assert [path.read_bytes() for path in place.file().copies()] == [b"[by hand]"]


def test_the_original_bytes_are_kept_for_ever(place: Place) -> None:
    place.file().keep_original(b"the first")
    place.write(*(str(number) for number in range(12)))
    kept = [path.read_bytes() for path in place.copies_dir.glob("*original*")]
    assert kept == [b"the first"]


# -- damage ----------------------------------------------------------------------------------

DAMAGE = {"cut off": b"[tw", "empty": b"", "zeros": bytes(500), "something else": b"PK\x03\x04"}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_file_is_put_aside_and_the_newest_good_copy_is_used_and_said(
    place: Place, what: str
) -> None:
    place.write("one", "two")
    place.path.write_bytes(DAMAGE[what])
    loaded = place.file().load(parse)
    assert loaded.value == "two"
    assert (
        f"{place.path} is damaged: it is not in brackets. Its content is kept in" in loaded.damage
    )
    assert "The copy of " in loaded.damage
    assert place.aside("damaged") == [DAMAGE[what]]
    assert str(next(place.copies_dir.glob("*damaged*"))) in loaded.damage


def test_the_same_damaged_bytes_are_put_aside_once_and_others_beside_them(place: Place) -> None:
    place.write("one")
    for data in (b"[tw", b"[tw", b"[th", b"[tw"):
        place.path.write_bytes(data)
        place.file().load(parse)
    assert place.aside("damaged") == [b"[tw", b"[th"]


def test_a_damaged_copy_is_passed_over_for_an_older_good_one(place: Place) -> None:
    place.write("one", "two", "three")
    newest, next_one, oldest = place.file().copies()
    newest.write_bytes(b"[thr")
    next_one.write_bytes(b"")
    for age, copy in enumerate((newest, next_one, oldest)):
        os.utime(copy, (1_000_000 - age, 1_000_000 - age))
    place.path.write_bytes(b"[thr")
    assert place.file().load(parse).value == "one"


def test_with_nothing_good_start_is_refused_in_words_and_nothing_is_touched(place: Place) -> None:
    place.path.write_bytes(b"[tw")
    with pytest.raises(CannotOpen) as refused:
        place.file().load(parse)
    text = str(refused.value)
    assert f"{place.path} is damaged" in text
    assert f"there is no good copy in {place.copies_dir}" in text
    assert "move the damaged one away" in text
    assert "\n" not in text
    assert place.path.read_bytes() == b"[tw"


def test_a_file_that_is_gone_is_replaced_by_its_newest_copy_and_said(place: Place) -> None:
    place.write("one", "two")
    place.path.unlink()
    loaded = place.file().load(parse)
    assert loaded.value == "two"
    assert loaded.damage.startswith(f"{place.path} is missing. The copy of ")


def test_a_file_that_is_gone_with_only_damaged_copies_is_refused(place: Place) -> None:
    place.write("one")
    for copy in place.file().copies():
        copy.write_bytes(b"[on")
    place.path.unlink()
    with pytest.raises(CannotOpen, match=r"is missing, and there is no good copy"):
        place.file().load(parse)


def test_a_folder_in_the_place_of_the_file_is_said(place: Place) -> None:
    place.path.mkdir()
    with pytest.raises(CannotOpen, match=r"cannot be read \(Is a directory\)"):
        place.file().load(parse)


# -- other hands -----------------------------------------------------------------------------


def test_what_somebody_wrote_under_us_is_put_aside(place: Place) -> None:
    file = place.file()
    file.write(b"[one]")
    place.path.write_bytes(b"[theirs]")
    file.write(b"[two]")
    assert place.aside("changed") == [b"[theirs]"]
    assert place.path.read_bytes() == b"[two]"
    file.write(b"[three]")
    assert place.aside("changed") == [b"[theirs]"], "our own writes are no foreign ones"


def test_what_somebody_put_where_nothing_was_is_put_aside(place: Place) -> None:
    """They copy their old database in while the monitor runs already."""
    file = place.file()
    with pytest.raises(FileNotFoundError):
        file.load(parse)
    place.path.write_bytes(b"[theirs]")
    file.write(b"[ours]")
    assert place.aside("changed") == [b"[theirs]"]


def test_a_file_that_somebody_deleted_under_us_is_written_again(place: Place) -> None:
    file = place.file()
    file.write(b"[one]")
    place.path.unlink()
    file.write(b"[two]")
    assert place.path.read_bytes() == b"[two]"
    assert place.aside("changed") == []


# -- owning ----------------------------------------------------------------------------------

OWN = """
import sys
from pathlib import Path
from store.json_file import CannotOpen, JsonFile
try:
    JsonFile(Path(sys.argv[1]), Path(sys.argv[2])).acquire()
except CannotOpen as error:
    sys.exit(str(error))
"""


def owned_by_another(path: Path, data_dir: Path) -> str:
    """What another process that wants to own the file says; empty when it may."""
    command = [sys.executable, "-c", OWN, str(path), str(data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip()


def test_a_second_owner_is_refused_in_words(place: Place) -> None:
    place.file()
    assert owned_by_another(place.path, place.data_dir) == (
        f"{place.path} is in use by another Camera Monitor. Stop that one first, or set "
        "DATABASE_PATH and DATA_DIR to other locations."
    )
    place.end()
    assert owned_by_another(place.path, place.data_dir) == ""


def test_a_second_owner_with_another_data_folder_is_refused_too(
    place: Place, tmp_path: Path
) -> None:
    place.file().write(b"[one]")
    assert "is in use" in owned_by_another(place.path, tmp_path / "other data")
    link = tmp_path / "link.json"
    link.symlink_to(place.path)
    assert "is in use" in owned_by_another(link, tmp_path / "third data")


def test_other_files_in_the_same_folder_have_other_owners(place: Place, tmp_path: Path) -> None:
    place.file()
    other = tmp_path / "other.json"
    assert owned_by_another(other, tmp_path / "other data") == ""


def test_a_lock_that_a_killed_owner_left_is_free(place: Place) -> None:
    code = OWN + "\nimport os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    command = [sys.executable, "-c", code, str(place.path), str(place.data_dir)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == -9
    place.file()


def test_the_data_folder_is_for_its_owner_alone(place: Place) -> None:
    place.file()
    assert place.data_dir.stat().st_mode & 0o777 == 0o700
