"""The folder of recordings proves who it is: nothing is written where a share dropped out."""

import json
import logging
import os
import shutil
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from tests.home import until
from tests.store.disks import Disk, Disks, disks
from video.disk_calls import MOST_STUCK, DiskCalls, NotAnswering
from video.folder_proof import KNOWN, MARKER, OWNER, FolderProof, NotProved
from video.mounts import mounts_of

__all__ = ["disks"]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def proof(tmp_path: Path, data_dir: Path) -> FolderProof:
    """Of a folder on the disk of the system."""
    return FolderProof(tmp_path / "media" / "recordings", data_dir)


@pytest.fixture
def share(disks: Disks, tmp_path: Path) -> Disk:
    return disks.small(tmp_path / "share")


@pytest.fixture
def on_share(share: Disk, data_dir: Path) -> FolderProof:
    proof = FolderProof(share.folder, data_dir)
    assert proof.prove() == ""
    return proof


def drop_out(share: Disk, disks: Disks) -> Path:
    """Take the share away, and return where it can be seen meanwhile."""
    elsewhere = share.folder.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    disks.bind(share.folder, elsewhere)
    subprocess.run(["umount", "--lazy", share.folder], check=True)
    return elsewhere


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_start_creates_folder_and_marker_for_this_user_alone(proof: FolderProof) -> None:
    assert proof.prove() == ""
    assert mode(proof.folder) == 0o700
    assert mode(proof.folder / MARKER) == 0o600
    known = json.loads((proof.data_dir / KNOWN).read_text())
    owner = (proof.data_dir / OWNER).read_text()
    assert (proof.folder / MARKER).read_text() == f"{known['id']}\n{owner}"
    assert proof.prove() == ""
    assert FolderProof(proof.folder, proof.data_dir).prove() == ""


def test_nothing_is_created_before_the_first_recording(proof: FolderProof) -> None:
    assert proof.is_new()
    with pytest.raises(NotProved, match="Nothing has been recorded in"), proof.opened():
        pass
    assert not proof.folder.parent.exists()
    assert proof.prove() == ""
    assert not proof.is_new()


def test_a_share_that_dropped_out_is_not_mistaken_for_its_mount_point(
    on_share: FolderProof, share: Disk, disks: Disks, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = drop_out(share, disks)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            text = on_share.prove()
    assert text.startswith(f"{share.folder} is not the folder of the recordings")
    assert [each.getMessage() for each in caplog.records] == [text]
    assert on_share.trouble == text
    assert list(share.folder.iterdir()) == []
    with pytest.raises(NotProved), on_share.opened():
        pass
    # Also after a restart.
    assert FolderProof(share.folder, on_share.data_dir).prove() == text
    disks.bind(elsewhere, share.folder)
    caplog.clear()
    assert [on_share.prove(), on_share.prove()] == ["", ""]
    assert [each.getMessage() for each in caplog.records] == [
        f"{share.folder} can be used again; recording continues"
    ]


def test_a_copy_of_the_marker_below_the_share_does_not_help(
    on_share: FolderProof, share: Disk, disks: Disks
) -> None:
    elsewhere = drop_out(share, disks)
    shutil.copy(elsewhere / MARKER, share.folder / MARKER)
    assert "is not the folder of the recordings" in on_share.prove()


def test_a_share_that_is_another_device_after_its_mount_is_the_same(
    on_share: FolderProof, share: Disk, disks: Disks
) -> None:
    before = json.loads((on_share.data_dir / KNOWN).read_text())
    elsewhere = drop_out(share, disks)
    disks.small(share.folder)
    shutil.copy(elsewhere / MARKER, share.folder / MARKER)
    assert on_share.prove() == ""
    after = json.loads((on_share.data_dir / KNOWN).read_text())
    assert after["device"] == share.folder.stat().st_dev != before["device"]


def test_a_folder_below_a_mount_point_is_not_created_again(
    share: Disk, disks: Disks, data_dir: Path
) -> None:
    proof = FolderProof(share.folder / "media" / "recordings", data_dir)
    assert proof.prove() == ""
    drop_out(share, disks)
    assert "does not exist: its disk or share may not be mounted" in proof.prove()
    assert list(share.folder.iterdir()) == []


def test_an_open_folder_stays_the_same_one_when_something_is_mounted_over_it(
    on_share: FolderProof, share: Disk, disks: Disks
) -> None:
    with on_share.opened() as handle:
        drop_out(share, disks)
        assert os.stat(MARKER, dir_fd=handle)


def test_a_full_disk_can_be_cleaned_and_not_recorded_to(on_share: FolderProof, share: Disk) -> None:
    share.fill()
    assert on_share.prove() == f"The disk of {share.folder} is full. Free disk space there."
    with on_share.opened() as handle:
        assert os.stat(MARKER, dir_fd=handle)
    share.make_room()
    assert on_share.prove() == ""


def test_a_disk_that_is_full_from_the_beginning_is_named(share: Disk, data_dir: Path) -> None:
    share.fill()
    proof = FolderProof(share.folder / "media" / "recordings", data_dir)
    assert proof.prove() == f"The disk of {proof.folder} is full. Free disk space there."
    share.make_room()
    assert proof.prove() == ""


def test_a_read_only_disk_is_named(on_share: FolderProof, share: Disk) -> None:
    share.lock()
    assert on_share.prove() == (
        f"{share.folder} cannot be written (Read-only file system). Allow this user to write "
        "there, or set MEDIA_DIR to another folder."
    )
    share.unlock()
    assert on_share.prove() == ""


def test_a_folder_that_was_replaced_is_refused_until_a_person_accepts_it(
    proof: FolderProof,
) -> None:
    assert proof.prove() == ""
    proof.folder.rename(proof.folder.with_name("old"))
    assert "does not exist" in proof.prove()
    proof.folder.mkdir()
    assert f"delete {proof.data_dir / KNOWN}." in proof.prove()
    (proof.data_dir / KNOWN).unlink()
    assert proof.prove() == ""


@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "empty"])
def test_a_marker_that_is_no_file_proves_nothing_and_hangs_nothing(
    proof: FolderProof, kind: str
) -> None:
    assert proof.prove() == ""
    marker = proof.folder / MARKER
    copy = shutil.copy(marker, proof.data_dir / "copy")
    marker.unlink()
    make = {
        "pipe": lambda: os.mkfifo(marker),
        "link": lambda: marker.symlink_to(copy),
        "folder": marker.mkdir,
        "empty": marker.touch,
    }
    make[kind]()
    assert proof.prove().startswith(f"{proof.folder} ")


def test_a_folder_whose_data_folder_was_lost_is_taken_over(proof: FolderProof) -> None:
    assert proof.prove() == ""
    id = (proof.folder / MARKER).read_text()
    (proof.data_dir / KNOWN).write_text("{")
    assert proof.prove() == ""
    assert (proof.folder / MARKER).read_text() == id


def test_another_media_folder_begins_anew(proof: FolderProof, tmp_path: Path) -> None:
    assert proof.prove() == ""
    assert FolderProof(tmp_path / "other" / "recordings", proof.data_dir).prove() == ""


def test_a_path_that_is_a_file_is_named(tmp_path: Path, data_dir: Path) -> None:
    (tmp_path / "media").write_text("")
    text = FolderProof(tmp_path / "media" / "recordings", data_dir).prove()
    assert text.startswith(f"{tmp_path}/media/recordings cannot be written (")


def test_a_second_monitor_refuses_the_folder_until_a_person_hands_it_over(
    proof: FolderProof, tmp_path: Path
) -> None:
    assert proof.prove() == ""
    other = tmp_path / "other data"
    other.mkdir()
    second = FolderProof(proof.folder, other)
    assert second.prove() == (
        f"{proof.folder} belongs to another Camera Monitor, with another DATA_DIR: each would "
        "delete recordings of the other. Nothing is recorded there. Set MEDIA_DIR to another "
        "folder. If the other one no longer runs, take the folder over: delete "
        f"{proof.folder / MARKER}."
    )
    with pytest.raises(NotProved), second.opened():
        pass
    assert proof.prove() == ""
    (proof.folder / MARKER).unlink()
    assert second.prove() == ""
    assert proof.prove().startswith(f"{proof.folder} is not the folder of the recordings")


def test_a_folder_that_two_monitors_shared_stays_with_the_first_one(
    proof: FolderProof, tmp_path: Path
) -> None:
    assert proof.prove() == ""
    second = FolderProof(proof.folder, tmp_path / "other data")
    second.data_dir.mkdir()
    shutil.copy(proof.data_dir / KNOWN, second.data_dir)
    marker = proof.folder / MARKER
    marker.write_text(marker.read_text().splitlines()[0] + "\n")
    assert proof.prove() == ""
    text = second.prove()
    assert " belongs to another Camera Monitor" in text
    assert text.endswith(f" delete {marker} and {second.data_dir / KNOWN}.")


def test_a_data_folder_that_moved_keeps_its_recordings(proof: FolderProof, tmp_path: Path) -> None:
    assert proof.prove() == ""
    moved = proof.data_dir.rename(tmp_path / "moved")
    assert FolderProof(proof.folder, moved).prove() == ""


def test_a_disk_that_hangs_is_waited_for_once_and_comes_back_by_itself(
    disks: Disks, share: Disk, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert FolderProof(share.folder, data_dir).prove() == ""
    calls = DiskCalls(limit=1.0, again=0.5)
    proof = FolderProof(share.folder, data_dir, calls)
    with caplog.at_level(logging.WARNING), disks.hanging(share.folder):
        text = proof.prove()
        assert text.startswith("The recording folder has not answered for 1 s")
        assert str(share.folder) in text
        with pytest.raises(NotProved, match="has not answered"), proof.opened():
            pass
        with pytest.raises(NotProved, match="has not answered"):
            proof.space()
        with pytest.raises(NotAnswering):
            calls.read(share.folder.stat)
        with pytest.raises(NotAnswering):
            calls.check()
        until(lambda: "for 2 s" in proof.prove(), what="it is told how long")
        until(lambda: proof.prove() and len(stuck_calls()) > 2, what="it is tried now and then")
        assert threading.active_count() < 20
    until(lambda: proof.prove() == "", what="it is back by itself")
    assert proof.space().total > 0
    assert [each.getMessage() for each in caplog.records] == [
        text,
        f"{share.folder} can be used again; recording continues",
    ]
    until(lambda: not stuck_calls(), what="no thread is left")


def test_a_dead_mount_takes_no_more_calls_and_what_replaces_it_is_asked(
    disks: Disks, share: Disk, data_dir: Path
) -> None:
    assert FolderProof(share.folder, data_dir).prove() == ""
    proof = FolderProof(share.folder, data_dir)
    # Short limits, and where it is mounted as without them.
    proof.calls = DiskCalls(limit=0.1, again=0.001, mounts=proof._mounts)
    with disks.hanging(share.folder):
        until(lambda: proof.prove() and len(stuck_calls()) >= MOST_STUCK, what="no more hang")
        for _attempt in range(20):
            assert "has not answered" in proof.prove()
        assert len(stuck_calls()) == MOST_STUCK
        subprocess.run(["umount", "--lazy", share.folder], check=True)
        until(lambda: proof.prove() == "", what="the share below it is used")
        assert len(stuck_calls()) == MOST_STUCK, "they hang for ever"
        assert proof.space().total > 0
    until(lambda: not stuck_calls(), what="no thread is left")


def test_mounts_are_known_by_path_and_by_device(disks: Disks, tmp_path: Path) -> None:
    folder = tmp_path / "a share \\ \u00e9"
    (before,) = mounts_of(folder / "recordings")
    share = disks.small(folder)
    (inside,) = mounts_of(folder / "recordings")
    assert inside != before
    assert mounts_of(tmp_path / "link", share.folder.stat().st_dev) == tuple(
        sorted((before, inside))
    )
    subprocess.run(["umount", "--lazy", folder], check=True)
    assert mounts_of(folder / "recordings") == (before,)


def stuck_calls() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "disk"]


def test_a_long_read_is_no_silence_of_the_disk_and_ends_with_it(
    disks: Disks, share: Disk, data_dir: Path
) -> None:
    calls = DiskCalls(limit=1.0)
    released = threading.Event()
    with pytest.raises(NotAnswering):
        calls.read(released.wait, 0.1)
    assert calls.silence == 0
    assert calls.ask(share.folder.is_dir)
    with disks.hanging(share.folder):
        asking = threading.Thread(target=FolderProof(share.folder, data_dir, calls).prove)
        asking.start()
        with pytest.raises(NotAnswering) as raised:
            calls.read(released.wait, 60)
        assert raised.value.seconds < 60
        asking.join()
    released.set()


def test_what_the_disk_raises_is_raised_and_a_late_answer_is_discarded() -> None:
    calls, released = DiskCalls(limit=1.0), threading.Event()
    with pytest.raises(FileNotFoundError):
        calls.ask(Path("/does/not/exist").stat)
    assert calls.silence == 0
    discarded: list[bool] = []
    with pytest.raises(NotAnswering):
        calls.ask(released.wait, discarded.append)
    assert calls.silence > 0
    released.set()
    until(lambda: discarded == [True], what="nobody waits for it any more")
    assert calls.silence == 0
