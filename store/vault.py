"""Encrypt secrets for the records; the keys are in files of their own.

A sealed text can be unsealed only under the id that it was sealed for. The key file holds one
key a line, the newest first: the first one seals, every one unseals.
"""

import base64
import binascii
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from store.folders import sync_folder
from store.json_file import CannotKeep

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

VERSION = "v1:"
SIGNING_BYTES = 32
LOCK_WAIT = 10.0
"""Seconds to wait for another process that is changing a key."""


class SecretLost(Exception):
    """A secret or a key cannot be read; the text is for people."""


class Vault:
    """The keys in `folder`, which is created (0700) with the first key, not before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = _KeyFile(
            folder / "vault.key",
            "the stored passwords cannot be read",
            "Restore the key from a backup, or enter the passwords again",
        )

    @property
    def exists(self) -> bool:
        """True if there is a key file, readable or not."""
        return os.path.lexists(self._file.path)

    def seal(self, text: str, secret_id: str) -> str:
        """Seal a text as `v1:...` in ASCII, which only `unseal` with the same id opens.

        Without a key file a key is made. Raises SecretLost if
        there is one that cannot be used (it is not changed), CannotKeep if none can be written.
        """
        keys = self._file.read_or_make(_new_key)
        content = json.dumps([secret_id, text]).encode()
        return VERSION + self._cipher(keys).encrypt(content).decode()

    def unseal(self, sealed: str, secret_id: str) -> str:
        """Unseal a text. Raises SecretLost for a lost key, damage, or another record's secret."""
        from cryptography.fernet import InvalidToken

        if not sealed.startswith(VERSION):
            raise SecretLost(
                f"The secret of {secret_id} is damaged or was stored by a newer Camera "
                "Monitor. Enter it again, or install the newer version."
            )
        cipher = self._cipher(self._file.read())
        try:
            content = cipher.decrypt(sealed.removeprefix(VERSION).encode(errors="replace"))
        except InvalidToken:
            raise SecretLost(
                f"The secret of {secret_id} is damaged, or its key is not in {self._file.path}. "
                "Add the old key to that file as another line, or enter the secret again."
            ) from None
        sealed_for, text = json.loads(content)
        if sealed_for != secret_id:
            raise SecretLost(
                f"The secret of {secret_id} was copied from another record, so it cannot be "
                "used. Enter it again."
            )
        return str(text)

    def _cipher(self, keys: bytes) -> "MultiFernet":
        from cryptography.fernet import Fernet, MultiFernet

        try:
            return MultiFernet([Fernet(line) for line in keys.split()])
        except ValueError:
            raise self._file.lost("is damaged") from None

    # -- changing the key ------------------------------------------------------------------
    # In this order: rotate, renew and store every secret, forget_old. Whenever it is
    # interrupted every secret opens, and beginning again does no harm.

    def rotate(self) -> None:
        """Seal with a new key from now on; the older ones still open what they sealed.

        Raises SecretLost if the key file cannot be used, CannotKeep if it cannot be written.
        """
        self._file.change(lambda keys: _new_key() + self._checked(keys))

    def newest_key(self) -> Callable[[str], bool]:
        """Return a test whether the newest key sealed a text. Raises SecretLost."""
        from cryptography.fernet import Fernet, InvalidToken

        newest = Fernet(self._checked(self._file.read()).split()[0])

        def is_newest(sealed: str) -> bool:
            try:
                newest.decrypt(sealed.removeprefix(VERSION).encode(errors="replace"))
            except InvalidToken:
                return False
            return True

        return is_newest

    def renew(self, sealed: str, secret_id: str) -> str:
        """Seal the secret again with the newest key. Raises like `unseal`."""
        return self.seal(self.unseal(sealed, secret_id), secret_id)

    def forget_old(self) -> None:
        """Drop every key but the newest: what was not renewed is lost. Raises like `rotate`.

        Nothing may be sealed between the last `renew` and this by a process that read the
        key before `rotate`.
        """
        if self.exists:
            self._file.change(lambda keys: self._checked(keys).splitlines(keepends=True)[0])

    def _checked(self, keys: bytes) -> bytes:
        """The keys, one a line. Raises SecretLost when one is damaged."""
        if keys:
            self._cipher(keys)
        return b"".join(line + b"\n" for line in keys.split())

    # -- keys that sign --------------------------------------------------------------------

    def signing_key(self, name: str) -> bytes:
        """Read 32 random bytes from `folder/<name>.key`, which is made on first use.

        Raises SecretLost if the file is there and cannot be used, CannotKeep if it cannot
        be written.
        """
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", name) or name == "vault":
            raise ValueError(f"{name!r} is not a valid name for a signing key")
        file = _KeyFile(
            self.folder / f"{name}.key",
            "sessions and tokens signed with it cannot be verified",
            "Restore the key from a backup, or move the file away: a new key is then "
            "created, and everyone must log in again",
        )
        line = file.read_or_make(lambda: secrets.token_hex(SIGNING_BYTES).encode() + b"\n")
        with suppress(binascii.Error):
            key = binascii.unhexlify(line.strip())
            if len(key) == SIGNING_BYTES:
                return key
        raise file.lost("is damaged")


class _KeyFile:
    """A file with keys, 0600. `loss` and `remedy` are sentences about a lost file."""

    def __init__(self, path: Path, loss: str, remedy: str) -> None:
        self.path = path
        self._loss = loss
        self._remedy = remedy

    def lost(self, fact: str) -> SecretLost:
        return SecretLost(f"The key in {self.path} {fact}, so {self._loss}. {self._remedy}.")

    def read(self) -> bytes:
        """Read the key, never empty. Raises SecretLost."""
        try:
            with self.path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode & 0o777
                content = file.read()
        except FileNotFoundError:
            raise self.lost("is missing") from None
        except OSError as error:
            raise self.lost(f"cannot be read ({error.strerror})") from error
        if mode & 0o077:
            raise SecretLost(
                f"The key in {self.path} can be read by other users of this server (mode "
                f"{mode:03o}), so {self._loss}. Run chmod 600 on it. If someone may have read "
                "it, replace the key and the passwords afterwards."
            )
        if not content.strip():
            raise self.lost("is damaged")
        return content

    def read_or_make(self, make_key: Callable[[], bytes]) -> bytes:
        """Read the key; make it when there is no file. Of two that make it, one wins."""
        if not os.path.lexists(self.path):
            with self._locked():
                if not os.path.lexists(self.path):
                    self._write(make_key(), self._link_new)
        return self.read()

    def change(self, new: Callable[[bytes], bytes]) -> None:
        """Replace the content by `new(content)`, durably; a missing file has an empty content."""
        with self._locked():
            exists = os.path.lexists(self.path)
            content = new(self.read() if exists else b"")
            self._write(content, os.replace if exists else self._link_new)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Create the folder and lock the file against changes. Raises CannotKeep."""
        try:
            if not self.path.parent.is_dir():
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                sync_folder(self.path.parent.parent)
            self.path.parent.chmod(0o700)
            with FileLock(str(self.path.with_name(f".{self.path.name}.lock")), LOCK_WAIT, 0o600):
                yield
        except Timeout:
            raise CannotKeep(
                f"{self.path} is being changed by another program. Try again in a moment."
            ) from None
        except OSError as error:
            raise CannotKeep(
                f"{self.path} cannot be written ({error.strerror}). Free disk space or allow "
                "this user to write there."
            ) from error

    def _write(self, content: bytes, put: Callable[[Path, Path], None]) -> None:
        """Write the file whole under another name first, 0600 from its first moment."""
        real = self.path.resolve()
        staged = real.with_name(f".{real.name}.new")
        # What a crash left is no key that anybody used, but may hold forgotten ones.
        staged.unlink(missing_ok=True)
        handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        put(staged, real)
        sync_folder(real.parent)

    @staticmethod
    def _link_new(staged: Path, real: Path) -> None:
        """Link the staged file: unlike a rename, it never replaces a key that was restored."""
        with suppress(FileExistsError):
            os.link(staged, real)
        staged.unlink()


def _new_key() -> bytes:
    """A key as Fernet wants it (32 random bytes in URL-safe base64) and the end of the line."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)) + b"\n"
