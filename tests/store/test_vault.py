"""Secrets stay readable to us, to nobody else, and through every crash."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.json_file import CannotKeep
from store.vault import SecretLost, Vault
from tests.store.disks import Disks

ROOT = Path(__file__).parents[2]
OWNER = "device:12:password"
ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "keys")


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """One vault for all the examples of a property."""
    return Vault(tmp_path_factory.mktemp("lasting") / "keys")


def key_file(vault: Vault) -> Path:
    return vault.folder / "vault.key"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def at_once(count: int, work: Callable[[], object]) -> None:
    """`count` threads begin `work` together; all have ended on return."""
    gate = Barrier(count)

    def run() -> None:
        gate.wait()
        work()

    threads = [Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# -- sealing ---------------------------------------------------------------------------------


@given(text=ANY_TEXT, owner=ANY_TEXT)
def test_what_is_sealed_opens_for_its_owner(lasting: Vault, text: str, owner: str) -> None:
    sealed = lasting.seal(text, owner)
    assert sealed.startswith("v1:")
    assert sealed.isascii()
    assert lasting.unseal(sealed, owner) == text


@given(owner=ANY_TEXT, other=ANY_TEXT)
def test_it_opens_for_nobody_else(lasting: Vault, owner: str, other: str) -> None:
    sealed = lasting.seal("hunter2", owner)
    if owner != other:
        with pytest.raises(SecretLost, match="copied from another record"):
            lasting.unseal(sealed, other)


@given(data=st.data())
def test_a_damaged_one_never_opens_to_another_text(lasting: Vault, data: st.DataObject) -> None:
    sealed = lasting.seal("hunter2", OWNER)
    place = data.draw(st.integers(0, len(sealed) - 1))
    cut = data.draw(st.integers(place, len(sealed)))
    damaged = sealed[:place] + data.draw(ANY_TEXT) + sealed[cut:]
    with suppress(SecretLost):
        assert lasting.unseal(damaged, OWNER) == "hunter2"


@pytest.mark.parametrize("place", [5, 20, 40, 80, -5])
def test_one_changed_character_closes_it(vault: Vault, place: int) -> None:
    sealed = vault.seal("hunter2", OWNER)
    changed = "A" if sealed[place] != "A" else "B"
    damaged = sealed[:place] + changed + sealed[place:][1:]
    with pytest.raises(SecretLost, match="is damaged, or its key is not in"):
        vault.unseal(damaged, OWNER)


def test_the_same_text_is_sealed_differently_each_time(vault: Vault) -> None:
    assert vault.seal("hunter2", OWNER) != vault.seal("hunter2", OWNER)


@pytest.mark.parametrize("stored", ["", "hunter2", "v2:gAAAA"])
def test_what_is_not_of_this_version_is_refused_in_words(vault: Vault, stored: str) -> None:
    vault.seal("x", OWNER)
    with pytest.raises(SecretLost, match="damaged or was stored by a newer Camera Monitor"):
        vault.unseal(stored, OWNER)


# -- the key file ----------------------------------------------------------------------------


def test_nothing_is_made_before_the_first_secret(vault: Vault) -> None:
    assert not vault.exists
    vault.forget_old()
    with pytest.raises(SecretLost):
        vault.unseal("v1:gAAAA", OWNER)
    assert not vault.folder.exists()


def test_key_and_folder_are_for_this_user_only_from_their_first_moment(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real = os.fsync

    def look(handle: int) -> None:
        seen.append(os.fstat(handle).st_mode)
        real(handle)

    monkeypatch.setattr(os, "fsync", look)
    before = os.umask(0)
    try:
        vault.seal("x", OWNER)
        vault.rotate()
        vault.signing_key("session")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(mode) for mode in seen if stat.S_ISREG(mode)] == [0o600] * 3
    assert mode(vault.folder) == 0o700
    assert mode(key_file(vault)) == mode(vault.folder / "session.key") == 0o600


def test_a_folder_that_is_there_is_closed_to_others(vault: Vault) -> None:
    vault.folder.mkdir(mode=0o755)
    vault.seal("x", OWNER)
    assert mode(vault.folder) == 0o700


def test_a_key_that_comes_back_while_a_new_one_is_made_is_kept(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = vault.seal("x", OWNER)
    backup = key_file(vault).rename(vault.folder / "backup")
    monkeypatch.setattr(os, "fsync", lambda _handle: _copy_once(backup, key_file(vault)))
    assert vault.unseal(vault.seal("y", OWNER), OWNER) == "y"
    assert vault.unseal(sealed, OWNER) == "x"


def _copy_once(source: Path, target: Path) -> None:
    if not target.exists():
        target.touch(0o600)
        target.write_bytes(source.read_bytes())


def test_a_lost_key_is_told_in_one_sentence_with_what_to_do(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "keys")
    sealed = vault.seal("x", OWNER)
    key_file(vault).unlink()
    with pytest.raises(SecretLost) as lost:
        vault.unseal(sealed, OWNER)
    assert str(lost.value) == (
        f"The key in {tmp_path}/keys/vault.key is missing, so the stored passwords cannot be "
        "read. Restore the key from a backup, or enter the passwords again."
    )


def test_after_a_loss_new_secrets_work_and_old_ones_once_the_key_is_added(vault: Vault) -> None:
    old = vault.seal("old", OWNER)
    lost_key = key_file(vault).read_text()
    key_file(vault).unlink()
    new = vault.seal("new", OWNER)
    assert vault.unseal(new, OWNER) == "new"
    with pytest.raises(SecretLost, match="as another line"):
        vault.unseal(old, OWNER)
    with key_file(vault).open("a") as file:
        file.write(lost_key)
    assert vault.unseal(old, OWNER) == "old"
    assert vault.unseal(new, OWNER) == "new"


def _scribble(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\xff\x00 scribble\n")


def _be_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


def _be_a_link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("unmounted"))


SPOILERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "is damaged"),
    "torn": (lambda path: path.write_bytes(path.read_bytes()[:20]), "is damaged"),
    "scribbled": (_scribble, "is damaged"),
    "open": (lambda path: path.chmod(0o640), "can be read by other users .* .mode 640."),
    "a folder": (_be_a_folder, "cannot be read .Is a directory."),
    "a link to nothing": (_be_a_link_to_nothing, "is missing"),
}


@pytest.mark.parametrize(("spoil", "words"), SPOILERS.values(), ids=SPOILERS)
def test_a_key_that_is_there_but_unusable_is_told_and_never_overwritten(
    vault: Vault, spoil: Callable[[Path], object], words: str
) -> None:
    sealed = vault.seal("x", OWNER)
    vault.signing_key("session")
    files = key_file(vault), vault.folder / "session.key"
    for file in files:
        spoil(file)
    before = [_fingerprint(file) for file in files]
    for use in (
        lambda: vault.unseal(sealed, OWNER),
        lambda: vault.seal("y", OWNER),
        lambda: vault.renew(sealed, OWNER),
        vault.rotate,
        vault.forget_old,
        lambda: vault.signing_key("session"),
    ):
        with pytest.raises(SecretLost, match=words):
            use()
    assert [_fingerprint(file) for file in files] == before


def _fingerprint(path: Path) -> tuple[int, int, bytes]:
    status = path.lstat()
    return status.st_mode, status.st_ino, path.read_bytes() if path.is_file() else b""


def test_a_key_that_is_a_symbolic_link_stays_one(vault: Vault, tmp_path: Path) -> None:
    sealed = vault.seal("x", OWNER)
    elsewhere = key_file(vault).rename(tmp_path / "real.key")
    key_file(vault).symlink_to(elsewhere)
    vault.rotate()
    assert key_file(vault).is_symlink()
    assert len(elsewhere.read_text().splitlines()) == 2
    assert vault.unseal(sealed, OWNER) == "x"


@pytest.mark.usefixtures("netns")
def test_a_full_disk_is_told_and_changes_nothing(disks: Disks, tmp_path: Path) -> None:
    disk = disks.small(tmp_path / "disk")
    vault = Vault(disk.folder / "keys")
    sealed = vault.seal("x", OWNER)
    before = key_file(vault).read_bytes()
    disk.fill()
    with pytest.raises(CannotKeep, match="No space left on device"):
        vault.rotate()
    with pytest.raises(CannotKeep, match=r"session.key cannot be written"):
        vault.signing_key("session")
    assert key_file(vault).read_bytes() == before
    assert vault.unseal(sealed, OWNER) == "x"
    disk.make_room()
    vault.rotate()
    assert vault.unseal(sealed, OWNER) == "x"


# -- changing the key ------------------------------------------------------------------------


def test_after_a_rotation_old_and_new_secrets_open(vault: Vault) -> None:
    old = vault.seal("old", OWNER)
    first = key_file(vault).read_text()
    vault.rotate()
    new = vault.seal("new", OWNER)
    assert key_file(vault).read_text().splitlines()[1:] == first.splitlines()
    assert [vault.unseal(sealed, OWNER) for sealed in (old, new)] == ["old", "new"]


def test_renewed_secrets_outlive_the_old_key_and_others_do_not(vault: Vault) -> None:
    old = vault.seal("old", OWNER)
    vault.rotate()
    renewed = vault.renew(old, OWNER)
    vault.forget_old()
    assert len(key_file(vault).read_text().splitlines()) == 1
    assert vault.unseal(renewed, OWNER) == "old"
    with pytest.raises(SecretLost):
        vault.unseal(old, OWNER)


def test_renewing_does_not_give_a_secret_to_another_owner(vault: Vault) -> None:
    sealed = vault.seal("x", OWNER)
    with pytest.raises(SecretLost):
        vault.renew(sealed, "device:13:password")


def test_a_first_rotation_makes_the_first_key(vault: Vault) -> None:
    vault.rotate()
    assert vault.unseal(vault.seal("x", OWNER), OWNER) == "x"


def test_a_key_added_without_an_end_of_line_survives_a_rotation(vault: Vault) -> None:
    sealed = vault.seal("x", OWNER)
    path = key_file(vault)
    path.write_text(path.read_text().strip())
    vault.rotate()
    vault.rotate()
    assert vault.unseal(sealed, OWNER) == "x"


# -- crashes ---------------------------------------------------------------------------------

DYING = """
import itertools, os, shutil, signal, sys
from pathlib import Path
import cryptography.fernet, filelock
from tests.store import test_vault

work, prepared, base = getattr(test_vault, sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])

def mortal(real):
    def call(*arguments, **options):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return real(*arguments, **options)
    return call

def die_at(step, folder):
    global left
    left = step
    for name in ("open", "mkdir", "chmod", "fsync", "link", "unlink", "replace", "rename"):
        setattr(os, name, mortal(getattr(os, name)))
    work(folder)
    os._exit(0)

for step in itertools.count():
    folder = shutil.copytree(prepared, base / str(step))
    child = os.fork()
    if child == 0:
        die_at(step, folder)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 0:
        break
    assert status == -signal.SIGKILL, status
"""


def records(folder: Path) -> dict[str, str]:
    path = folder / "records.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _store(folder: Path, stored: dict[str, str]) -> None:
    (folder / "records.new").write_text(json.dumps(stored))
    (folder / "records.new").replace(folder / "records.json")


def renew_everything(folder: Path) -> None:
    vault = Vault(folder / "keys")
    vault.rotate()
    stored = records(folder)
    for owner in stored:
        stored[owner] = vault.renew(stored[owner], owner)
        _store(folder, stored)
    vault.forget_old()


def set_first_password(folder: Path) -> None:
    _store(folder, {OWNER: Vault(folder / "keys").seal("of device:12:password", OWNER)})


def folders_after_each_kill(work: str, prepared: Path) -> list[Path]:
    """Copies of a folder as SIGKILL left them before each step that `work` takes on disk,
    and as it left the last one at its end."""
    base = prepared.with_name("killed")
    base.mkdir()
    command = [sys.executable, "-c", DYING, work, str(prepared), str(base)]
    subprocess.run(command, cwd=ROOT, check=True)
    folders = list(base.iterdir())
    assert len(folders) > 8, "too few steps to prove anything"
    return folders


def open_all(folder: Path) -> dict[str, str]:
    return {
        owner: Vault(folder / "keys").unseal(sealed, owner)
        for owner, sealed in records(folder).items()
    }


def test_a_rotation_killed_at_any_step_leaves_every_secret_readable(tmp_path: Path) -> None:
    prepared = tmp_path / "prepared"
    vault = Vault(prepared / "keys")
    expected = {owner: f"of {owner}" for owner in (OWNER, "device:13:password")}
    _store(prepared, {owner: vault.seal(text, owner) for owner, text in expected.items()})
    for folder in folders_after_each_kill("renew_everything", prepared):
        assert open_all(folder) == expected
        assert {mode(path) for path in (folder / "keys").iterdir()} == {0o600}
        renew_everything(folder)
        assert open_all(folder) == expected
        vault = Vault(folder / "keys")
        assert len(key_file(vault).read_text().splitlines()) == 1
        assert not list(vault.folder.glob("*.new")), "it may hold a key that was to be forgotten"


def test_a_first_key_killed_at_any_step_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "prepared").mkdir()
    for folder in folders_after_each_kill("set_first_password", tmp_path / "prepared"):
        assert set(open_all(folder).values()) <= {"of device:12:password"}
        before = records(folder)
        vault = Vault(folder / "keys")
        assert vault.unseal(vault.seal("x", OWNER), OWNER) == "x"
        vault.rotate()
        assert mode(vault.folder) == 0o700
        assert all(vault.unseal(sealed, owner) for owner, sealed in before.items())


# -- many at once ----------------------------------------------------------------------------


def test_of_many_threads_that_need_the_first_key_one_makes_it(vault: Vault) -> None:
    sealed: list[str] = []
    keys: set[bytes] = set()

    def work() -> None:
        own = Vault(vault.folder)
        sealed.append(own.seal("x", OWNER))
        keys.add(own.signing_key("session"))

    at_once(12, work)
    assert [vault.unseal(text, OWNER) for text in sealed] == ["x"] * 12
    assert len(keys) == 1
    assert len(key_file(vault).read_text().splitlines()) == 1


RACER = f"""
import sys; from pathlib import Path; import cryptography.fernet; from store.vault import Vault
print("ready", flush=True); sys.stdin.read()
print(Vault(Path(sys.argv[1])).seal("x", {OWNER!r}))
"""


def test_of_many_processes_that_need_the_first_key_one_makes_it(vault: Vault) -> None:
    command = [sys.executable, "-c", RACER, str(vault.folder)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    racers = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(4)]
    assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * 4
    for racer in racers:
        racer.stdin.close()
    sealed = [racer.stdout.read().strip() for racer in racers]
    for racer in racers:
        racer.stdout.close()
        assert racer.wait() == 0
    assert [vault.unseal(text, OWNER) for text in sealed] == ["x"] * 4


def test_rotations_at_once_lose_no_key(vault: Vault) -> None:
    sealed = vault.seal("x", OWNER)
    at_once(8, lambda: Vault(vault.folder).rotate())
    assert len(set(key_file(vault).read_text().splitlines())) == 9
    assert vault.unseal(sealed, OWNER) == "x"


# -- keys that sign --------------------------------------------------------------------------


def test_a_signing_key_stays_and_each_name_has_its_own(vault: Vault) -> None:
    key = vault.signing_key("session")
    assert len(key) == 32
    assert Vault(vault.folder).signing_key("session") == key
    assert vault.signing_key("jwt") != key


@pytest.mark.parametrize("content", ["ab\n", "zz" * 32, "ab" * 31, "é", "ab" * 33])
def test_a_damaged_signing_key_is_told_with_what_to_do(vault: Vault, content: str) -> None:
    vault.signing_key("session")
    (vault.folder / "session.key").write_text(content)
    with pytest.raises(SecretLost, match="everyone must log in again"):
        vault.signing_key("session")


@pytest.mark.parametrize("name", ["vault", "", "../x", "a/b", "A", "x.key"])
def test_a_signing_key_cannot_be_any_file(vault: Vault, name: str) -> None:
    with pytest.raises(ValueError, match="is not a valid name for a signing key"):
        vault.signing_key(name)
    assert not vault.folder.exists()


def test_the_monitor_starts_without_loading_the_cryptography() -> None:
    code = (
        "import store.masking, sys; from pathlib import Path; from store.vault import Vault\n"
        "Vault(Path('keys')).exists; sys.exit('cryptography' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
