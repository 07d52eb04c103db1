"""Create the first account unattended, from the environment or from moncam's password file."""

import logging
from pathlib import Path

from accounts import passwords
from accounts.accounts import Accounts
from accounts.model import NotAllowed

log = logging.getLogger(__name__)
MONCAM_PASSWORD_FILE = Path("pass_user")
"""The file in which moncam's setup left the hash of its one password."""
NAME = "admin"


def bootstrap_admin(
    accounts: Accounts, name: str, password: str | None, password_file: Path = MONCAM_PASSWORD_FILE
) -> None:
    """Make the first account from ADMIN_USERNAME and ADMIN_PASSWORD, else from moncam's file.

    Does nothing when there is one. Raises NotAllowed for a name or password that does not fit.
    """
    if accounts.has_any():
        return
    if name or password:
        if not (name and password):
            raise NotAllowed(
                "Only one of ADMIN_USERNAME and ADMIN_PASSWORD is set", "Set both, or neither."
            )
        accounts.add_first(name, password)
        log.info("Created the first account: %s", name)
    elif password_file.is_file():
        _import_password(accounts, password_file)


def _import_password(accounts: Accounts, password_file: Path) -> None:
    try:
        stored = password_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        stored = ""
    if passwords.is_supported(stored):
        accounts.add_hashed(NAME, stored, "admin")
        log.info("Imported the password in %s for the account %s", password_file, NAME)
    else:
        log.warning(
            "The password in %s has an unsupported format. Set it again: cli.py user add %s",
            password_file,
            NAME,
        )
