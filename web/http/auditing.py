"""Write to the audit log, with the person and the address of the request."""

from collections.abc import Mapping
from typing import Any

from flask import g

from audit.audit_log import without_secrets
from audit.model import AuditEntry
from fleet.authors import NOBODY
from web.http.authentication import client_address, over_command_socket
from web.http.monitor import current_monitor


def actor_name() -> str:
    """The name of the person of the request, as events and the audit log have it."""
    person = g.get("person")
    return str(person.name) if person else NOBODY


def note(
    action: str,
    about: str,
    text: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    by: str = "",
) -> None:
    """Add an entry to the audit log. `by`: the person, where it is not that of the request."""
    monitor = current_monitor()
    address = "command socket" if over_command_socket() else client_address(monitor.authenticator)
    monitor.audit.note(
        AuditEntry(
            monitor.clock(),
            by or actor_name(),
            address,
            action,
            about,
            text,
            without_secrets(before or {}),
            without_secrets(after or {}),
        )
    )
