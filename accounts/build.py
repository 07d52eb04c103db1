"""Build the accounts, and create the first one where options name it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path

from pydantic import SecretStr

from accounts.accounts import Accounts
from accounts.bootstrap import bootstrap_admin
from accounts.jwt_tokens import JwtTokens
from accounts.model import NotAllowed
from accounts.preferences import Preferences
from audit.build import AuditPackage
from audit.model import AuditEntry
from fleet.build import FleetPackage
from fleet.package import Package
from fleet.texts import sentences
from store.json_file import CannotOpen
from store.sql import Unreachable
from store.vault import SecretLost, Vault


@dataclass(frozen=True, slots=True)
class AccountsOptions:
    """Options of the accounts, by their names in `settings.py`."""

    data_dir: Path
    secret_key: SecretStr | None
    jwt_secret_key: SecretStr | None
    admin_username: str
    admin_password: SecretStr | None


@dataclass(frozen=True, slots=True)
class AccountsPackage(Package):
    """Users, their sessions, tokens and preferences."""

    options: AccountsOptions
    clock: Callable[[], datetime]
    audit: AuditPackage
    accounts: Accounts
    jwt_tokens: JwtTokens
    preferences: Preferences

    def open(self) -> None:
        try:
            self.load()
            self._bootstrap_admin()
        except SecretLost as error:
            raise CannotOpen(str(error)) from error
        except Unreachable as error:
            raise CannotOpen(sentences(str(error), "Check DATABASE_URL and DATA_DIR.")) from error

    def load(self) -> None:
        """Load accounts and preferences, at the start and after an outage of the database."""
        self.accounts.open()
        self.preferences.open()

    def _bootstrap_admin(self) -> None:
        """Create the first account if options or moncam's file name it. Raises CannotOpen."""
        secret, was_open = self.options.admin_password, not self.accounts.has_any()
        try:
            bootstrap_admin(
                self.accounts,
                self.options.admin_username,
                secret.get_secret_value() if secret else None,
            )
        except NotAllowed as error:
            reason = f"Invalid ADMIN_USERNAME or ADMIN_PASSWORD: {error.error}"
            raise CannotOpen(sentences(reason, error.hint)) from error
        for user in self.accounts.snapshot.users.values() if was_open else ():
            text = f"{user.name} was created as the first administrator"
            entry = AuditEntry(self.clock(), "start", "", "user.added", user.name, text)
            self.audit.audit.note(entry)

    def tick(self) -> str:
        with suppress(Unreachable):  # reported already; unsaved times stay for the next tick
            self.accounts.save_last_uses()
        return ""


def build_accounts(
    options: AccountsOptions,
    clock: Callable[[], datetime],
    fleet: FleetPackage,
    audit: AuditPackage,
) -> AccountsPackage:
    """Build the accounts beside the journal; keys from the options or the data folder."""
    vault = Vault(options.data_dir / "keys")

    def key_source(name: str, option: SecretStr | None) -> Callable[[], bytes]:
        if option is not None:
            secret = option.get_secret_value().encode()
            return lambda: secret
        return cache(partial(vault.signing_key, name))

    accounts = Accounts(fleet.journal.engine, key_source("session", options.secret_key), clock)
    # Existing installations have the key in ticket.key; another name would end their logins.
    jwt_tokens = JwtTokens(key_source("ticket", options.jwt_secret_key), clock)
    preferences = Preferences(fleet.journal.engine)
    package = AccountsPackage(options, clock, audit, accounts, jwt_tokens, preferences)
    fleet.journal_writer.on_recovery.append(package.load)
    return package
