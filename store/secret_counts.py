"""Numbers by a keyed fingerprint of secret texts, and when each was changed: who reads the file
learns none of the texts, and cannot try guesses without the key, which is a file of its own."""

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
MAX_COUNTS = 15_000
"""Fingerprints that are kept; then the oldest are dropped."""
Count = tuple[int, float]
"""A number, and the Unix time at which it was changed."""
UNKNOWN: Count = 0, 0.0
LARGEST = 2_000_000
"""Bytes of a file that is read."""


class SecretCounts:
    """The numbers in the file `path`, signed with the key `name` of the vault. Neither exists
    before the first `add` and `save`. What cannot be written is kept in memory."""

    def __init__(self, path: Path, vault: Vault, name: str) -> None:
        self._path = path
        self._vault = vault
        self._name = name
        self._key: bytes | None = None
        self._counts: dict[str, Count] | None = None

    @property
    def is_empty(self) -> bool:
        return not self._read()

    def of(self, *texts: str) -> int:
        """The number of these texts; 0 for unknown ones."""
        return self._count(*texts)[0]

    def time_of(self, *texts: str) -> float:
        """The Unix time at which the number of these texts was changed; 0 for unknown ones."""
        return self._count(*texts)[1]

    def add(self, *texts: str, number: int = 1, now: float = 0.0) -> None:
        """Add to the number of these texts, in memory."""
        counts, fingerprint = self._read(), self.fingerprint(*texts)
        counts[fingerprint] = counts.pop(fingerprint, UNKNOWN)[0] + number, now
        while len(counts) > MAX_COUNTS:
            del counts[next(iter(counts))]

    def forget(self, *texts: str) -> bool:
        """Set the number of these texts to 0, in memory. True if it was another one."""
        return not self.is_empty and bool(self._read().pop(self.fingerprint(*texts), None))

    def snapshot(self) -> Mapping[str, Count]:
        """What `save` writes, also from another thread."""
        return dict(self._read())

    def save(self, counts: Mapping[str, Count]) -> None:
        """Write the file, forced to disk."""
        try:
            replace_file(self._path, json.dumps(counts).encode(), is_forced=True)
        except OSError as error:
            log.warning("%s cannot be written (%s).", self._path, error.strerror)

    def _count(self, *texts: str) -> Count:
        return UNKNOWN if self.is_empty else self._read().get(self.fingerprint(*texts), UNKNOWN)

    def fingerprint(self, *texts: str) -> str:
        """The keyed fingerprint of the texts."""
        if self._key is None:
            try:
                self._key = self._vault.signing_key(self._name)
            except (SecretLost, CannotKeep) as error:
                log.warning("Refused logins are remembered until the next restart only: %s", error)
                self._key = secrets.token_bytes(32)
        return hmac.new(self._key, json.dumps(texts).encode(), hashlib.sha256).hexdigest()

    def _read(self) -> dict[str, Count]:
        if self._counts is None:
            self._counts = {}
            with suppress(OSError, ValueError), self._path.open("rb") as file:
                self._counts = _valid(json.loads(file.read(LARGEST)))
        return self._counts


def _valid(content: object) -> dict[str, Count]:
    """The numbers that can be read. Those of older versions have no time."""
    counts = dict[str, Count]()
    for key, value in content.items() if isinstance(content, dict) else ():
        match value if isinstance(value, list) else [value, 0]:
            case [int(number), int() | float() as at] if number > 0 and number is not True:
                counts[key] = number, float(at)
    return counts
