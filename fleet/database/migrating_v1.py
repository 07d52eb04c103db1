"""Turn version 1 of the database file into version 2. Pure.

Both formats are spelled out here and nothing of ours is imported, so that it stays right when
the program goes on.
"""

from collections.abc import Mapping
from typing import Any

_FLEET = {"memo": "state"}
_DEVICE = {"words": "states", "apart": "never_merge"}
_OLD = {new: old for old, new in {**_FLEET, **_DEVICE, "parent": "parents"}.items()}
_NEW_IN_FLEET = frozenset({"state", "secrets", "disputed", "watched", "ignored", "credentials"})
_NEW_IN_DEVICE = frozenset(
    {
        *("states", "never_merge", "parents", "kind_source"),
        *("access", "source_addresses", "claims", "interfaces"),
    }
)


def migrated(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object of a version 1 file as version 2. What does not fit stays for the
    reader of version 2 to name."""
    migrated = _renamed(raw, _FLEET, _NEW_IN_FLEET)
    migrated["version"] = 2
    devices = migrated.get("devices")
    if isinstance(devices, list):
        migrated["devices"] = [device(item) for item in devices]
    return migrated


def device(raw: Any) -> Any:
    """A device of version 1 as version 2; what is no object stays as it is."""
    if not isinstance(raw, dict):
        return raw
    migrated = _renamed(raw, _DEVICE, _NEW_IN_DEVICE)
    parent = migrated.pop("parent", None)
    migrated["parents"] = [] if parent is None else [parent]
    return migrated


def is_device(raw: Any) -> bool:
    """True if the JSON object of a device is of version 1, which always had `words`."""
    return isinstance(raw, dict) and "words" in raw and "states" not in raw


def old_name(text: str) -> str:
    """A place in version 2, as messages name it, in the words of version 1."""
    return ", ".join(_OLD.get(part, part) for part in text.split(", "))


def _renamed(
    raw: Mapping[str, Any], names: Mapping[str, str], new: frozenset[str]
) -> dict[str, Any]:
    """The object under the new names. A key that version 1 did not know and version 2 does
    was written by somebody else: it is kept under another name."""
    return {
        names.get(key, f"{key} (version 1)" if key in new else key): value
        for key, value in raw.items()
    }
