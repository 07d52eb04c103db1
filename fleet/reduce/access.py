"""Access of sources to a device: the key of its place, its password, and the owner of the key."""

from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

from fleet import access_fields, identity, labels, logins, status
from fleet.database import device_record
from fleet.model import Access, Device, Invalid, Refused, Secret
from fleet.places import access_key, place
from fleet.reduce import learning
from fleet.reduce.draft import Draft

FIELDS = (*access_fields.FIELDS, "secret", "secret_options", "credentials")
"""What an edit may set of an access."""
MAX_SECRET = 8000
"""Characters of a sealed text."""
MAX_ID = 64
MAX_KEY = 400


def for_event(access: Access | None) -> dict[str, Any] | None:
    """An access as events keep it, without what was only learned. Of a password it has the id."""
    return None if access is None else device_record.access_as_json(learning.forgotten(access))


def from_event(raw: Any) -> Access | None:
    """The access that an event kept. Raises Refused."""
    try:
        return None if raw is None else device_record.access_of(raw, "access")
    except ValueError:
        raise Refused(
            "The event does not contain the previous access settings", "Enter them again."
        ) from None


def with_known_secrets(access: Access, secrets: Container[str]) -> Access:
    """The access without passwords that are not among the secrets."""
    options = {name: id for name, id in access.secret_options.items() if id in secrets}
    secret = access.secret if access.secret in secrets else None
    if (secret, options) == (access.secret, access.secret_options):
        return access
    return replace(access, secret=secret, secret_options=options)


# -- what an edit sets ---------------------------------------------------------------------


def apply_fields(
    draft: Draft,
    known: Access,
    fields: Mapping[str, Any],
    device: int,
    is_undo: bool = False,
) -> Access:
    """The access with the fields of an edit. Raises Invalid, which names the field.

    A password or a secret option is kept only for the source, the address and the port for which it
    was saved, also where the edit names it by its id. An undo, whose expected place was checked,
    brings back both. `secret_options` are given whole, as `options` are. `login_of`: the source of
    the device whose login this one uses too.
    """
    values = access_fields.values(fields)
    if "secret" in fields:
        value = fields["secret"]
        is_own = value == known.secret or (is_undo and _belongs_to(draft, value, device))
        values["secret"] = stored_secret(draft, value, device, is_own)
    if "secret_options" in fields:
        given = fields["secret_options"]
        values["secret_options"] = _secret_options(draft, known, given, device, is_undo)
    if "credentials" in fields:
        values["credentials"] = credentials_id(draft, fields["credentials"])
    access = replace(known, **values)
    if "digest_only" not in values:
        access = replace(access, digest_only=_is_digest_only(known, access))
    access = replace(access, secret_host=_secret_host(draft, known, access, device))
    if access.host != known.host and "tls_pin" not in values:
        access = replace(access, tls_pin=None)
    if "login_of" in fields:
        return _with_login_of(draft, known, access, fields["login_of"], device)
    if (access.host, access.port) != (known.host, known.port):
        _check_none_stays(known, access)
        if access.credentials and "credentials" not in fields:
            raise _invalid(
                "credentials",
                f"The credential set was chosen for {place(known)}",
                "Choose it again for the new address or port, or remove it.",
            )
    return learning.with_valid(known, access)


def _with_login_of(draft: Draft, known: Access, access: Access, source: Any, device: int) -> Access:
    """The access with the login of another source of the device. Raises Invalid where that was
    saved for another address."""
    owner = draft.devices[device]
    if not logins.may_lend(owner, source, access.host):
        raise _invalid(
            "login_of",
            "The other connection of this device has no login for this address",
            "Enter a user name and a password.",
        )
    return learning.with_valid(known, logins.with_login_of(access, owner.access[source]))


def _secret_options(
    draft: Draft, known: Access, given: Any, device: int, is_undo: bool
) -> dict[str, str]:
    """Store the secret options and return their ids by name. Raises Invalid."""
    ids: dict[str, str] = {}
    for name, value in access_fields.secret_options(given).items():
        is_own = value == known.secret_options.get(name)
        is_own = is_own or (is_undo and _belongs_to(draft, value, device))
        if id := stored_secret(draft, value, device, is_own, "secret_options"):
            ids[name] = id
    return ids


def _is_digest_only(known: Access, access: Access) -> bool:
    """Who enters the password confirms the port. One that was entered for TLS is not confirmed for
    a connection without it."""
    if access.secret is not None and access.secret != known.secret:
        return False
    is_plain_now = known.options.get("tls") is True and access.options.get("tls") is not True
    return known.digest_only or (is_plain_now and access.secret is not None)


def _secret_ids(access: Access) -> set[str]:
    return {id for id in (access.secret, *access.secret_options.values()) if id}


def _secret_host(draft: Draft, known: Access, access: Access, device: int) -> str | None:
    """The address to which the secrets may be sent. Who enters the password means the device where
    it is now; a new option beside a secret that stays goes where that may. What an undo brings back
    was saved for an address of former times. Who chooses a credential set means that place too."""
    if access.credentials and access.credentials != known.credentials:
        owner = draft.devices.get(device)
        return owner.address if owner else None
    old, new = _secret_ids(known), _secret_ids(access)
    added = new - old
    if added & draft.fleet.secrets.keys():
        return None
    has_new_password = access.secret is not None and access.secret in added
    if not has_new_password and (old == new or old & new):
        return known.secret_host
    owner = draft.devices.get(device) if added else None
    return owner.address if owner else None


def credentials_id(draft: Draft, value: Any) -> str:
    """The id of a credential set, by its id or its name; empty for none. Raises Invalid."""
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        if value in draft.credentials:
            return value
        name = value.strip().casefold()
        for id, entry in draft.credentials.items():
            if entry.name.casefold() == name:
                return id
    raise _invalid(
        "credentials", "The credential set does not exist", "Choose another one, or create it."
    )


def _check_none_stays(known: Access, access: Access) -> None:
    """Raise Invalid when a secret would be sent to another place than the one it was saved for."""
    stays = _secret_ids(known) & _secret_ids(access)
    if not stays:
        return
    is_password = known.secret in stays
    raise _invalid(
        "secret" if is_password else "secret_options",
        f"The {'password was' if is_password else 'secret options were'} saved for {place(known)}",
        f"Enter {'it' if is_password else 'them'} again for the new address or port, or remove "
        f"{'it' if is_password else 'them'}.",
    )


def stored_secret(
    draft: Draft, value: Any, device: int, is_own: bool, field: str = "secret"
) -> str | None:
    """Store a password and return its id. It comes as `{"id": ..., "sealed": ...}`, already
    sealed to that id; the id alone is one that the access has or had."""
    if value is None or value == "":
        return None
    if is_own and value in draft.secrets:
        return str(value)
    if isinstance(value, Mapping):
        id, sealed = value.get("id"), value.get("sealed")
        if _is_text(id, MAX_ID) and _is_text(sealed, MAX_SECRET) and id not in draft.secrets:
            draft.secrets[str(id)] = Secret(str(sealed), device)
            draft.is_changed = True
            return str(id)
    text = "The password" if field == "secret" else "A secret option"
    raise _invalid(field, f"{text} cannot be saved", "Enter it again.")


def _belongs_to(draft: Draft, secret: Any, device: int) -> bool:
    """True if the password was saved for the device, or for one that was merged into it."""
    known = draft.secrets.get(secret) if isinstance(secret, str) else None
    return known is not None and draft.redirects.get(known.device, known.device) == device


def own_secrets(draft: Draft, access: Access, device: int) -> set[str]:
    """The passwords of the access that belong to the device."""
    return {id for id in _secret_ids(access) if _belongs_to(draft, id, device)}


def _is_text(value: Any, limit: int) -> bool:
    return isinstance(value, str) and value.isascii() and 0 < len(value) <= limit


def _invalid(name: str, error: str, hint: str) -> Invalid:
    invalid = Invalid(error, hint)
    invalid.field = name
    return invalid


# -- keys that a person names ----------------------------------------------------------------


def validated_key(value: Any) -> str:
    """A key in its one spelling. Raises Invalid for what is none, or that nobody may name."""
    text = value.strip() if isinstance(value, str) else ""
    kind, _, rest = text.partition(":")
    is_known = bool(rest) and text.isprintable() and len(text) <= MAX_KEY
    if not is_known or f"{kind}:" in ("id:", identity.ROW, identity.FORMER):
        raise _invalid(
            "key", "The identity is invalid", "Send an identity such as mac:d4:2d:c5:14:c5:70."
        )
    login, at, _ = rest.partition("/")[0].partition("@")
    if (at and ":" in login) or access_fields.has_password(rest):
        raise _invalid(
            "key", "The identity contains a password", "Remove the user name and password."
        )
    if kind.lower() != "mac":
        return text
    mac_key = identity.mac_key(rest)
    if mac_key is None:
        raise _invalid(
            "key",
            f"{rest[:40]} is not the MAC of a single device",
            "Check the label on the device.",
        )
    return mac_key


def check_free(draft: Draft, index_key: str, key: str) -> None:
    """Raise Refused for a key that identifies no device, or that a person ignores."""
    if index_key in draft.disputed:
        raise Refused(
            f"Several devices use {key}, so it cannot identify one of them",
            "Use the address of the device instead.",
        )
    if index_key in draft.ignored:
        raise Refused(f"{key} is ignored", "Stop ignoring it first.")


# -- who has a key -------------------------------------------------------------------------


def owner_to_replace(draft: Draft, device: Device, key: str) -> Device | None:
    """The other device that has the key now, or is asked at its place, and can lose it; None when
    there is none.

    Raises Refused when that device is up and proves it, or there are two.
    """
    owner, asked = draft.find(key, device.site), device_asked_at(draft, device, key)
    if owner is None or owner.id == device.id:
        return asked
    if owner.retired_at is None and _proves(draft, owner, key):
        raise Refused(
            f"{labels.name_at(owner)} is online and uses {key}",
            "Merge the two if they are the same device. Otherwise retire that one first.",
        )
    if asked not in (None, owner):
        raise Refused(
            f"{labels.name_at(asked)} is checked at {key}, which {labels.name_at(owner)} uses",
            "Change the address of the first one, or delete it.",
        )
    return owner


def device_asked_at(draft: Draft, device: Device, key: str) -> Device | None:
    """Another device that a source asks at the place of the key. It may lack the key: a device
    that proves a place takes only the key."""
    others = (other for other in draft.asked_at(device.site, key) if other.id != device.id)
    return next(others, None)


def _proves(draft: Draft, owner: Device, key: str) -> bool:
    """True if the owner is up and proves the key; of a place, the source that asks there must
    have had the last answer."""
    if status.own_status(owner, draft.now, draft.rules) not in status.UP:
        return False
    state = owner.states.get(identity.source_of(key))
    return identity.is_global(key) or state is None or not status.is_missed(state)


def with_key(device: Device, key: str) -> Device:
    """The device with one more key, which takes the place of what it was called before."""
    if key in device.identities:
        return device
    real = (key for key in device.identities if not key.startswith(identity.FORMER))
    return replace(device, identities=(*real, key))


def without_key(device: Device, key: str) -> tuple[Device, str | None]:
    """The device without the key and the access that asks at it, and the source of that access."""
    asking = [
        source for source, access in device.access.items() if access_key(source, access) == key
    ]
    source = asking[0] if asking else None
    kept = {name: access for name, access in device.access.items() if name != source}
    device = identity.without(device, (key,)) if key in device.identities else device
    return replace(device, access=kept), source
