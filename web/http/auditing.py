"""Writes the audit log for routes: who asks and from where is known here."""

from collections.abc import Mapping
from typing import Any

from flask import g

from audit.audit_log import without_secrets
from audit.model import Entry
from web.http.authentication import client_address, over_command_socket
from web.http.monitor import monitor


def who() -> str:
    """Who asks, as it stands in events and in the audit log."""
    person = g.get("person")
    return str(person.name) if person else "nobody"


def note(
    action: str,
    about: str,
    text: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    by: str = "",
) -> None:
    """One line of the audit log. `by`: who, where it is not who asks."""
    here = monitor()
    address = "command socket" if over_command_socket() else client_address(here.access)
    here.audit.note(
        Entry(
            here.clock(),
            by or who(),
            address,
            action,
            about,
            text,
            without_secrets(before or {}),
            without_secrets(after or {}),
        )
    )
