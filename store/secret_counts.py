"""Numbers by a keyed fingerprint of secret texts: who reads the file learns none of the texts, and
cannot try guesses without the key, which is a file of its own."""

import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from store.folders import replace_file
from store.json_file import CannotKeep
from store.vault import SecretLost, Vault

log = logging.getLogger(__name__)
MAX_COUNTS = 5000
"""Fingerprints that are kept; then the oldest are dropped."""
LARGEST = 1_000_000
"""Bytes of a file that is read."""


class SecretCounts:
    """The numbers in the file `path`, signed with the key `name` of the vault. Neither exists
    before the first `add`. What cannot be written is kept in memory."""

    def __init__(self, path: Path, vault: Vault, name: str) -> None:
        self._path = path
        self._vault = vault
        self._name = name
        self._key: bytes | None = None
        self._counts: dict[str, int] | None = None

    @property
    def is_empty(self) -> bool:
        return not self._read()

    def of(self, *texts: str) -> int:
        """The number of these texts; 0 for unknown ones."""
        return 0 if self.is_empty else self._read().get(self.fingerprint(*texts), 0)

    def add(self, *texts: str, number: int = 1) -> None:
        """Add to the number of these texts."""
        counts, fingerprint = self._read(), self.fingerprint(*texts)
        counts[fingerprint] = counts.pop(fingerprint, 0) + number
        while len(counts) > MAX_COUNTS:
            del counts[next(iter(counts))]
        self._write(counts)

    def forget(self, *texts: str) -> None:
        """Set the number of these texts to 0."""
        if not self.is_empty and self._read().pop(self.fingerprint(*texts), 0):
            self._write(self._read())

    def fingerprint(self, *texts: str) -> str:
        """The keyed fingerprint of the texts."""
        if self._key is None:
            try:
                self._key = self._vault.signing_key(self._name)
            except (SecretLost, CannotKeep) as error:
                log.warning("Refused logins are remembered until the next restart only: %s", error)
                self._key = secrets.token_bytes(32)
        return hmac.new(self._key, json.dumps(texts).encode(), hashlib.sha256).hexdigest()

    def _read(self) -> dict[str, int]:
        if self._counts is None:
            self._counts = {}
            with suppress(OSError, ValueError), self._path.open("rb") as file:
                self._counts = _valid(json.loads(file.read(LARGEST)))
        return self._counts

    def _write(self, counts: Mapping[str, int]) -> None:
        try:
            replace_file(self._path, json.dumps(counts).encode())
        except OSError as error:
            log.warning("%s cannot be written (%s).", self._path, error.strerror)


def _valid(content: object) -> dict[str, int]:
    if not isinstance(content, dict):
        return {}
    return {str(key): value for key, value in content.items() if type(value) is int and value > 0}
