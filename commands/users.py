"""The commands about accounts and keys: user add, passwd, list, remove; keys rotate."""

import argparse
import getpass
import sys
from typing import Any

from accounts.model import NotAllowed
from audit.model import AuditEntry
from commands.monitor import DONE, Failed, read_fleet, tell_monitor, with_monitor
from commands.output import as_json, show
from fleet.authors import COMMAND_LINE
from fleet.texts import sentences
from settings import Settings
from store.json_file import CannotKeep
from store.vault import SecretLost, Vault

COLUMNS = (
    ("id", "NUMBER"),
    ("username", "NAME"),
    ("role", "ROLE"),
    ("all_cameras", "ALL CAMERAS"),
    ("last_login", "LAST LOGIN"),
)


def add(settings: Settings, args: argparse.Namespace) -> int:
    """Add an account. The first one is an administrator; once it exists, everyone must log in."""
    password = _password(args)
    body = {"username": args.name, "password": password, "role": args.role}
    answer = tell_monitor(settings, "POST", "/api/users", {**body, "all_cameras": not args.limited})

    def work(monitor: Any) -> dict[str, Any]:
        accounts = monitor.authenticator.accounts
        role = args.role if accounts.has_any() else "admin"
        user = _allowed(accounts.add, args.name, password, role, not args.limited)
        _note(monitor, "user.added", user.name, f"{user.name} was added as {user.role}")
        return {"username": user.name, "role": user.role}

    added = answer or with_monitor(settings, work)
    print(f"Added {added['username']} as {added['role']}.")
    return DONE


def passwd(settings: Settings, args: argparse.Namespace) -> int:
    """Set a new password. All sessions of the user end."""
    password = _password(args)
    rows = tell_monitor(settings, "GET", "/api/users")
    if rows is not None:
        id = _number(rows["users"], args.name)
        tell_monitor(settings, "PATCH", f"/api/users/{id}", {"password": password})
    else:
        with_monitor(settings, lambda monitor: _set_password(monitor, args.name, password))
    print(f"Password of {args.name} changed.")
    return DONE


def list_users(settings: Settings, args: argparse.Namespace) -> int:
    """List the accounts."""
    answer = tell_monitor(settings, "GET", "/api/users")
    rows = answer["users"] if answer is not None else with_monitor(settings, _rows)
    if args.json:
        print(as_json([{key: row[key] for key, _title in COLUMNS} for row in rows]))
    else:
        args.csv = False
        show(rows, args, COLUMNS)
    return DONE


def remove(settings: Settings, args: argparse.Namespace) -> int:
    """Remove an account with its grants, sessions and tokens."""
    rows = tell_monitor(settings, "GET", "/api/users")
    if rows is not None:
        tell_monitor(settings, "DELETE", f"/api/users/{_number(rows['users'], args.name)}")
    else:
        with_monitor(settings, lambda monitor: _remove(monitor, args.name))
    print(f"Removed {args.name}.")
    return DONE


def rotate(settings: Settings, args: argparse.Namespace) -> int:
    """Encrypt all stored passwords with a new key, then delete the old keys."""
    answer = tell_monitor(settings, "POST", "/api/keys/rotate")
    count = answer["secrets"] if answer is not None else _rotate_on_files(settings)
    if count is None:
        print("There is no key yet. It is created when the first camera password is stored.")
    else:
        print(
            f"{count} {'password' if count == 1 else 'passwords'} encrypted with a new key. The "
            "old keys were deleted."
        )
    return DONE


def _rotate_on_files(settings: Settings) -> int | None:
    """Rotate without a running monitor. Raises Failed."""
    if not Vault(settings.data_dir / "keys").exists and not read_fleet(settings).secrets:
        return None

    def work(monitor: Any) -> int:
        try:
            count: int = monitor.secrets.rotate()
        except (SecretLost, CannotKeep) as error:
            raise Failed(str(error)) from None
        _note(
            monitor,
            "keys.rotated",
            "keys",
            f"{count} {'password' if count == 1 else 'passwords'} encrypted with a new key",
        )
        return count

    rotated: int = with_monitor(settings, work)
    return rotated


def _note(monitor: Any, action: str, name: str, text: str) -> None:
    """Write to the audit log, as the running monitor does."""
    at = monitor.clock()
    monitor.audit.note(AuditEntry(at, COMMAND_LINE, "this server", action, name, text))


def _rows(monitor: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": user.id,
            "username": user.name,
            "role": user.role,
            "all_cameras": user.sees_all,
            "last_login": user.last_login.isoformat() if user.last_login else None,
        }
        for user in monitor.authenticator.accounts.snapshot.users.values()
    ]


def _set_password(monitor: Any, name: str, password: str) -> None:
    _allowed(monitor.authenticator.accounts.change, _id_of(monitor, name), password=password)
    _note(monitor, "user.changed", name, "password")


def _remove(monitor: Any, name: str) -> None:
    _allowed(monitor.authenticator.accounts.remove, _id_of(monitor, name))
    _note(monitor, "user.removed", name, f"{name} was removed")


def _number(rows: list[dict[str, Any]], name: str) -> int:
    from accounts.names import key_of

    ids = [int(row["id"]) for row in rows if key_of(row["username"]) == key_of(name)]
    if not ids:
        raise Failed(f"User {name} does not exist. `cli.py user list` shows all users.")
    return ids[0]


def _id_of(monitor: Any, name: str) -> int:
    return _number(_rows(monitor), name)


def _allowed(act: Any, *values: Any, **more: Any) -> Any:
    """Call `act`; turn NotAllowed into Failed."""
    try:
        return act(*values, **more)
    except NotAllowed as error:
        raise Failed(sentences(error.error, error.hint)) from None


def _password(args: argparse.Namespace) -> str:
    """The password, typed twice, or from stdin; never an argument."""
    if args.password_stdin:
        try:
            return sys.stdin.readline().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise Failed(
                f"The password is not valid {error.encoding} text. Set PYTHONIOENCODING to "
                "its encoding."
            ) from None
    if not sys.stdin.isatty():
        raise Failed(
            "No terminal to read the password from. Use --password-stdin and send the password "
            "to stdin."
        )
    first = getpass.getpass("Password (at least 10 characters): ")
    if first != getpass.getpass("Repeat password: "):
        raise Failed("The passwords do not match. Nothing was changed.")
    return first
