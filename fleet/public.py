"""What of a record may be shown. A new field is not shown until it is named here. Pure."""

from collections.abc import Mapping
from typing import Any

DEVICE = frozenset(
    {
        *("id", "kind", "kind_source", "site", "identities", "name", "notes", "tags"),
        *("address", "addresses", "source_addresses", "claims", "first_seen", "last_seen"),
        *("sightings", "moved_at", "states", "facts", "links", "findings", "parents"),
        *("never_merge", "listed", "retired_at", "status", "since"),
        # As version 1 called them, in events of its time.
        *("words", "apart", "parent"),
    }
)
"""Fields of a device as JSON."""
ACCESS = frozenset({"host", "port", "path", "method", "interval"})
"""Fields of an access as JSON; of a password it is shown that there is one."""
_PRESENCE = "has_password"
_DEVICES = ("stays", "goes")
"""Where the event of a merge keeps whole records."""
_SECRET = ("secret", "secret_options")


def device(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object of a device without what is not shown."""
    found = {key: value for key, value in stored.items() if key in DEVICE}
    if isinstance(accesses := stored.get("access"), Mapping):
        found["access"] = {source: access(one) for source, one in accesses.items()}
    return found


def access(stored: Any) -> Any:
    """The JSON object of an access without what is not shown; anything else is nothing."""
    if not isinstance(stored, Mapping):
        return None
    found = {key: value for key, value in stored.items() if key in ACCESS}
    return found | {_PRESENCE: bool(stored.get("secret"))}


def of_event(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The `before` or `after` of an event, as people may see it."""
    found: dict[str, Any] = {}
    for key, value in facts.items():
        if key in _DEVICES and isinstance(value, Mapping):
            found[key] = device(value)
        elif key == "access" and isinstance(value, Mapping):
            found[key] = _accesses(value)
        elif key in _SECRET:
            found[_PRESENCE] = bool(value) or found.get(_PRESENCE, False)
        else:
            found[key] = value
    return found


def _accesses(value: Mapping[str, Any]) -> Any:
    """One access, or one for each source."""
    is_by_source = all(one is None or isinstance(one, Mapping) for one in value.values())
    if value and is_by_source:
        return {source: access(one) for source, one in value.items()}
    return access(value)
