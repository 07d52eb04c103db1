"""Full, read-only and bind-mounted: nothing is lost, and it is said in one sentence."""

from pathlib import Path

import pytest

from store.json_file import CannotKeep, CannotOpen, JsonFile
from tests.store.disks import Disks
from tests.store.test_json_file import NAME, parse

OLD, NEW = b"[" + b"o" * 60_000 + b"]", b"[" + b"n" * 70_000 + b"]"


def opened(path: Path, data_dir: Path) -> JsonFile:
    file = JsonFile(path, data_dir)
    file.acquire()
    return file


def content(path: Path, data_dir: Path) -> bytes:
    """What a program that starts now reads."""
    file = opened(path, data_dir)
    try:
        return b"[" + file.load(parse).value.encode() + b"]"
    finally:
        file.release()


def one_sentence(error: BaseException, *words: str) -> None:
    text = str(error)
    assert "\n" not in text
    assert "Errno" not in text
    for phrase in words:
        assert phrase in text


# -- a full disk -----------------------------------------------------------------------------


def test_a_full_disk_under_the_file_is_said_and_nothing_is_lost(
    disks: Disks, tmp_path: Path
) -> None:
    disk = disks.small(tmp_path / "disk")
    path, data_dir = disk.folder / NAME, tmp_path / "data"
    file = opened(path, data_dir)
    file.write(OLD)
    disk.fill()
    for _ in range(3):
        with pytest.raises(CannotKeep) as refused:
            file.write(NEW)
        one_sentence(refused.value, str(path), "No space left on device", "Free disk space")
        assert path.read_bytes() == OLD
    disk.make_room()
    file.write(NEW)
    file.release()
    assert content(path, data_dir) == NEW


def test_what_could_not_be_written_is_not_there_after_a_restart(
    disks: Disks, tmp_path: Path
) -> None:
    """Here the data folder is full and the file's own disk is not."""
    disk = disks.small(tmp_path / "data")
    path = tmp_path / NAME
    file = opened(path, disk.folder)
    file.write(OLD)
    disk.fill()
    try:
        file.write(NEW)
        expected = NEW
    except CannotKeep as error:
        one_sentence(error, "No space left on device")
        expected = OLD
    file.release()
    disk.make_room()
    assert content(path, disk.folder) == expected, "refused, and yet it is done"


def test_a_full_disk_under_both_keeps_the_last_good_content(disks: Disks, tmp_path: Path) -> None:
    disk = disks.small(tmp_path / "disk", "400k")
    path, data_dir = disk.folder / NAME, disk.folder / "data"
    file = opened(path, data_dir)
    file.write(OLD)
    disk.fill()
    with pytest.raises(CannotKeep):
        file.write(NEW)
    file.release()
    assert content(path, data_dir) == OLD
    disk.make_room()
    file = opened(path, data_dir)
    file.write(NEW)
    file.release()
    assert content(path, data_dir) == NEW


def test_damage_on_a_full_disk_is_said_in_words(disks: Disks, tmp_path: Path) -> None:
    disk = disks.small(tmp_path / "data")
    path = tmp_path / NAME
    file = opened(path, disk.folder)
    path.write_bytes(b"[tw" + bytes(5000))
    disk.fill()
    with pytest.raises(CannotOpen) as refused:
        file.load(parse)
    one_sentence(refused.value, str(disk.folder), "No space left on device")
    file.release()
    assert path.read_bytes() == b"[tw" + bytes(5000)


def test_an_original_that_did_not_fit_on_a_full_disk_is_kept_whole_later(
    disks: Disks, tmp_path: Path
) -> None:
    """Half of it under the final name would pass for the whole at the next start."""
    disk = disks.small(tmp_path / "data")
    file = opened(tmp_path / NAME, disk.folder)
    disk.fill()
    with pytest.raises((CannotOpen, CannotKeep, OSError)):
        file.keep_original(OLD)
    assert list((disk.folder / "copies").iterdir()) == []
    disk.make_room()
    file.keep_original(OLD)
    file.release()
    kept = list((disk.folder / "copies").glob("*original*"))
    assert [path.read_bytes() for path in kept] == [OLD]


# -- a read-only folder ----------------------------------------------------------------------


def test_a_read_only_folder_is_said_and_works_again_later(disks: Disks, tmp_path: Path) -> None:
    disk = disks.small(tmp_path / "disk")
    path, data_dir = disk.folder / NAME, tmp_path / "data"
    file = opened(path, data_dir)
    file.write(OLD)
    disk.lock()
    with pytest.raises(CannotKeep) as refused:
        file.write(NEW)
    one_sentence(refused.value, str(path), "Read-only file system", "allow this user to write")
    assert path.read_bytes() == OLD
    disk.unlock()
    file.write(NEW)
    file.release()
    assert content(path, data_dir) == NEW


def test_a_read_only_data_folder_is_said_at_start(disks: Disks, tmp_path: Path) -> None:
    disk = disks.small(tmp_path / "data")
    disk.lock()
    with pytest.raises(CannotOpen) as refused:
        opened(tmp_path / NAME, disk.folder)
    one_sentence(refused.value, str(disk.folder), "Read-only file system", "set DATA_DIR")


def test_a_read_only_folder_of_the_file_is_said_at_start(disks: Disks, tmp_path: Path) -> None:
    disk = disks.small(tmp_path / "disk")
    disk.lock()
    with pytest.raises(CannotOpen) as refused:
        opened(disk.folder / NAME, tmp_path / "data")
    one_sentence(refused.value, str(disk.folder), "Read-only file system")


# -- a file that is itself a mount point -----------------------------------------------------


class Container:
    """A single file of the host, bind-mounted over the database, as docker -v does."""

    def __init__(self, disks: Disks, host: Path, tmp_path: Path) -> None:
        self.host = host
        self.path = tmp_path / "app" / NAME
        self.data_dir = tmp_path / "data"
        self.path.parent.mkdir()
        self.path.touch()
        host.parent.mkdir(exist_ok=True)
        host.write_bytes(b"[from the host]")
        disks.bind(host, self.path)

    def file(self) -> JsonFile:
        return opened(self.path, self.data_dir)

    def staged(self) -> Path:
        return self.data_dir / f"{NAME}.pending"


@pytest.fixture(params=["the same disk", "another disk"])
def container(request: pytest.FixtureRequest, disks: Disks, tmp_path: Path) -> Container:
    host = tmp_path / "host"
    if request.param == "another disk":
        disks.small(host, "400k")
    return Container(disks, host / NAME, tmp_path)


def test_a_bind_mounted_file_is_written_in_place(container: Container) -> None:
    before = container.host.stat().st_ino
    file = container.file()
    assert file.load(parse).value == "from the host"
    for data in (OLD, NEW, b"[short]", OLD):
        file.write(data)
        assert container.host.read_bytes() == data
    file.release()
    assert container.host.stat().st_ino == before
    assert container.path.read_bytes() == OLD
    assert content(container.path, container.data_dir) == OLD


def test_a_write_that_was_torn_is_mended_from_the_data_folder(container: Container) -> None:
    file = container.file()
    file.load(parse)
    file.write(OLD)
    file.write(NEW)
    file.release()
    container.host.write_bytes(NEW[:30_000])
    assert content(container.path, container.data_dir) == NEW
    file = container.file()
    file.load(parse)
    file.write(OLD)
    file.release()
    assert container.host.read_bytes() == OLD


def test_a_write_that_was_torn_into_something_that_looks_whole_is_mended_too(
    container: Container,
) -> None:
    """As a crash leaves it: the new content whole in the data folder, in place half of each."""
    file = container.file()
    file.write(OLD)
    file.release()
    new = b"[" + b"n" * 60_000 + b"]"
    container.staged().write_bytes(new)
    container.host.write_bytes(new[:30_000] + OLD[30_000:])
    assert content(container.path, container.data_dir) in (OLD, new)


def test_what_a_person_changes_in_it_while_the_server_is_down_counts(container: Container) -> None:
    file = container.file()
    file.write(OLD)
    file.release()
    container.host.write_bytes(b"[by hand]")
    assert content(container.path, container.data_dir) == b"[by hand]"


def test_a_full_disk_under_a_bind_mounted_file_does_not_do_what_it_refuses(
    disks: Disks, tmp_path: Path
) -> None:
    disk = disks.small(tmp_path / "host", "100k")
    container = Container(disks, disk.folder / NAME, tmp_path)
    file = container.file()
    file.load(parse)
    file.write(OLD)
    disk.fill()
    bigger = b"[" + b"b" * 90_000 + b"]"
    with pytest.raises(CannotKeep) as refused:
        file.write(bigger)
    one_sentence(refused.value, "No space left on device")
    file.release()
    assert content(container.path, container.data_dir) == OLD
    disk.make_room()
    file = container.file()
    file.load(parse)
    file.write(bigger)
    file.release()
    assert content(container.path, container.data_dir) == bigger


def test_a_read_only_bind_mount_is_said(container: Container, disks: Disks) -> None:
    file = container.file()
    file.write(OLD)
    disks.bind(container.host, container.path, "ro")
    with pytest.raises(CannotKeep) as refused:
        file.write(NEW)
    one_sentence(refused.value, str(container.path), "Read-only file system")
    file.release()
    assert container.host.read_bytes() == OLD
    with pytest.raises(CannotOpen) as at_start:
        container.file()
    one_sentence(at_start.value, str(container.path), "Read-only file system")
