"""What events tell of devices, as it leaves this server: in answers about events and in the audit
log. Pure.

An allow-list, so a new field is hidden until its name is added. It filters JSON that is written
already, of every version; `fleet.shapes` builds the JSON of the devices as they are now. A new
field of a device that people may see is added to both.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fleet.recording import CHECKS

DEVICE = frozenset(
    {
        *("id", "kind", "kind_source", "site", "identities", "name", "notes", "tags"),
        *("address", "addresses", "source_addresses", "claims", "first_seen", "last_seen"),
        *("sightings", "moved_at", "states", "facts", "links", "findings", "parents"),
        *("never_merge", "listed", "retired_at", "status", "since", "vendor", "recording"),
        # As version 1 called them, in events of its time.
        *("words", "apart", "parent"),
    }
)
"""Fields of a device as JSON."""
STATE = frozenset({"seen_at", "missed_at", "asked", "misses", "reason", "scope"})
"""Fields of what a source last said, as JSON."""
FINDING = frozenset({"kind", "since", "text", "source", "evidence"})
ADDRESS = frozenset({"ip", "at", "previous"})
"""Fields of one change of address as JSON."""
ACCESS = frozenset(
    {
        *("host", "port", "path", "method", "interval", "credentials"),
        *("refusals", "attempts_left", "worked_at", "clock"),
    }
)
"""Fields of an access as JSON; of a password it is shown that there is one."""
EVENT = frozenset(
    {
        *("name", "notes", "tags", "site", "parent", "parents", "retired", "kind", "listed"),
        "vendor",
        *("source", "key", "id", *ACCESS),
        *("stays", "goes", "ignored", "restored", "identities"),
        *("status", "reason", "misses", "since", "scope", "seconds"),
        *("model", "serial", "firmware", "address"),
        # The evidence of findings.
        *("addresses", "keys", "others"),
    }
)
"""Fields of an event that are shown where they are a plain value, or a list of plain ones."""
ROW = frozenset({"row_site", "serial", "store", "name", "columns"})
"""Fields of a row of the workbook; its columns are masked before they are kept."""
LOST = frozenset({"id", "key", "source", "access"})
"""Fields of what a link took from another device."""
_PRESENCE = "has_password"
_SECRET = ("secret", "secret_options")


def device(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object of a device without what is not shown."""
    shown = _only(DEVICE, stored)
    for name in ("states", "words"):
        if isinstance(states := shown.get(name), Mapping):
            shown[name] = {source: _only(STATE, state) for source, state in states.items()}
    for name, fields in (("findings", FINDING), ("addresses", ADDRESS)):
        if isinstance(entries := shown.get(name), list | tuple):
            shown[name] = [_only(fields, entry) for entry in entries]
    if isinstance(settings := stored.get("recording"), Mapping):
        shown["recording"] = _recording(settings)
    if isinstance(accesses := stored.get("access"), Mapping):
        shown["access"] = {source: access(value) for source, value in accesses.items()}
    return shown


def access(stored: Any) -> Any:
    """The JSON object of an access without what is not shown; anything else is nothing."""
    if not isinstance(stored, Mapping):
        return None
    return _only(ACCESS, stored) | {_PRESENCE: any(stored.get(name) for name in _SECRET)}


def of_event(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The `before` or `after` of an event, as people may see it."""
    shown: dict[str, Any] = {}
    for key, value in facts.items():
        if key in _SECRET:
            shown[_PRESENCE] = bool(value) or shown.get(_PRESENCE, False)
        elif key in _OBJECTS and isinstance(value, Mapping):
            shown[key] = _OBJECTS[key](value)
        elif key in EVENT and _is_plain(value):
            shown[key] = value
    return shown


def _only(names: frozenset[str], stored: Any) -> dict[str, Any]:
    """The fields of the JSON object that have one of the names."""
    if not isinstance(stored, Mapping):
        return {}
    return {key: value for key, value in stored.items() if key in names}


def _is_plain(value: Any) -> bool:
    entries = value if isinstance(value, list | tuple) else (value,)
    return all(entry is None or isinstance(entry, str | int | float) for entry in entries)


def _accesses(value: Mapping[str, Any]) -> Any:
    """One access, or one for each source."""
    is_by_source = all(entry is None or isinstance(entry, Mapping) for entry in value.values())
    if value and is_by_source:
        return {source: access(entry) for source, entry in value.items()}
    return access(value)


def _row(value: Mapping[str, Any]) -> dict[str, Any]:
    shown = _only(ROW, value)
    columns = shown.pop("columns", None)
    shown = {key: text for key, text in shown.items() if _is_plain(text)}
    if isinstance(columns, Mapping):
        shown["columns"] = {title: text for title, text in columns.items() if _is_plain(text)}
    return shown


def _recording(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name in CHECKS and _is_plain(item)}


def _lost(value: Mapping[str, Any]) -> dict[str, Any]:
    return of_event(_only(LOST, value))


_OBJECTS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "stays": device,
    "goes": device,
    "access": _accesses,
    "row": _row,
    "recording": _recording,
    "from": _lost,
}
"""The fields of an event that are objects, each by its own list."""
