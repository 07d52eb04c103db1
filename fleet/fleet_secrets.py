"""The secrets of the fleet: the tracker keeps them sealed, the vault opens them."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Lock

from fleet import labels
from fleet.model import OF_A_SET, ResealedSecrets, Secret
from fleet.tracker import Tracker
from store.vault import SecretLost, Vault

Seal = Callable[[str], dict[str, str]]
"""Makes of a password what an edit carries: `{"id": ..., "sealed": ...}`."""


def loss_of(count: int) -> str:
    """The sentence that the key of so many stored passwords is gone; empty for none."""
    if not count:
        return ""
    cannot = "1 stored password" if count == 1 else f"{count} stored passwords"
    it = "the password" if count == 1 else "the passwords"
    return (
        f"vault.key is missing, so {cannot} cannot be read. Restore the file, or enter {it} again."
    )


class FleetSecrets:
    """The secrets of the fleet: seal new ones, unseal stored ones, and rotate the key."""

    def __init__(self, tracker: Tracker, vault: Vault, clock: Callable[[], datetime]) -> None:
        self._tracker = tracker
        self._vault = vault
        self._clock = clock
        self._sealing = Lock()

    @contextmanager
    def sealing(self) -> Iterator[Seal]:
        """Seal secrets and apply the edit that carries them inside this block: a change of keys
        waits until it has ended. `seal` raises SecretLost and CannotKeep."""
        with self._sealing:
            yield self._seal

    def _seal(self, text: str) -> dict[str, str]:
        id = secrets.token_hex(8)
        return {"id": id, "sealed": self._vault.seal(text, id)}

    def is_newest(self, sealed: str) -> bool:
        """True if the newest key sealed the text. Raises SecretLost."""
        return self._vault.newest_key()(sealed)

    def unseal(self, id: str) -> str:
        """The secret with this id. Raises SecretLost."""
        secret = self._tracker.fleet().secrets.get(id)
        if secret is None:
            raise SecretLost(f"The secret {id[:40]} is not in the database. Enter it again.")
        return self._vault.unseal(secret.sealed, id)

    def rotate(self) -> int:
        """Seal every secret under a new key, and then drop the old keys. How many there are.

        Whenever it is interrupted every secret opens, and beginning again does no harm.
        Raises SecretLost when one cannot be opened and CannotKeep when the result cannot be
        written: then the old keys stay. A lost key is not replaced.
        """
        with self._sealing:
            if loss := self.key_loss():
                raise SecretLost(loss)
            self._vault.rotate()
            while stale := self._sealed_by_old_keys():
                sealed = {id: self._seal_again(id, secret) for id, secret in stale.items()}
                self._tracker.apply([ResealedSecrets(sealed)], self._clock())
            self._vault.forget_old()
        return len(self._tracker.fleet().secrets)

    def needs_key(self) -> bool:
        """True if there is a key file, readable or not, or a secret that was sealed with one."""
        return self._vault.exists or bool(self._tracker.fleet().secrets)

    def key_loss(self) -> str:
        """The sentence that secrets are stored and the key file is gone; else empty."""
        return "" if self._vault.exists else loss_of(len(self._tracker.fleet().secrets))

    def _sealed_by_old_keys(self) -> dict[str, Secret]:
        """The secrets that an older key sealed."""
        kept = self._tracker.fleet().secrets
        is_newest = self._vault.newest_key()
        return {id: secret for id, secret in kept.items() if not is_newest(secret.sealed)}

    def _seal_again(self, id: str, secret: Secret) -> str:
        try:
            return self._vault.renew(secret.sealed, id)
        except SecretLost as error:
            device = self._tracker.devices().get(secret.device)
            named = labels.name_at(device) if device else "a merged record"
            if secret.device == OF_A_SET:
                named = "a credential set"
            raise SecretLost(f"{named}: {error}") from None
