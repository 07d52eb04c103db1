"""Disks that are small, full or read-only, or that hang: real mounts, in the mount namespace of the
tests."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)


class Disk:
    """A file system of its own at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Fill the disk to the last byte. What is there stays."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (4096, 1):
                try:
                    while file.write(b"x" * size):
                        pass
                except OSError:
                    continue

    def make_room(self) -> None:
        self._filler.unlink()

    def lock(self) -> None:
        """Make it read-only for everybody, root too, even if a file is open there."""
        mount("--bind", self.folder, self.folder)
        mount("-o", "remount,bind,ro", self.folder)

    def unlock(self) -> None:
        subprocess.run(["umount", self.folder], check=True, capture_output=True)


class Disks:
    """Mounts that are undone at the end of the test."""

    def __init__(self) -> None:
        self._mounted: list[Path] = []

    def small(self, folder: Path, size: str = "200k") -> Disk:
        folder.mkdir(parents=True, exist_ok=True)
        mount("-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", folder)
        self._mounted.append(folder)
        return Disk(folder)

    def bind(self, source: Path, target: Path, *options: str) -> None:
        """Mount `source` at `target` too, which must exist and is hidden meanwhile."""
        mount("--bind", source, target)
        self._mounted.append(target)
        if options:
            mount("-o", ",".join(("remount", "bind", *options)), target)

    @contextmanager
    def hanging(self, folder: Path) -> Iterator[None]:
        """Whoever asks for this folder waits until the block ends, as behind a share whose server
        is gone: a file system (FUSE) whose process never answers."""
        try:
            device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            pytest.skip(f"needs /dev/fuse: {error.strerror}")
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"hanging", os.fsencode(folder), b"fuse", 0, options):
            os.close(device)
            pytest.skip(f"cannot mount FUSE: {os.strerror(ctypes.get_errno())}")
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)
            os.close(device)  # who waits gets an error now

    def undo(self) -> None:
        """Undo every mount there, also one over the other."""
        for folder in reversed(self._mounted):
            while subprocess.run(["umount", "--lazy", folder], capture_output=True).returncode == 0:
                pass


@pytest.fixture
def disks() -> Iterator[Disks]:
    """Mounts for one test; skipped where it cannot mount."""
    if os.environ.get("IN_NETNS") != "1":
        pytest.skip("needs a mount namespace: run `make test` as root")
    made = Disks()
    yield made
    made.undo()
