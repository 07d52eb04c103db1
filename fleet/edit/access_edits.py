"""Change how a source reaches a device: address, port, path, login, interval."""

from dataclasses import replace
from typing import Any

from fleet import access_fields, identity, labels
from fleet.edit.editing import EditSummary, changed_since
from fleet.model import Access, Device, Edit, Refused
from fleet.places import access_key
from fleet.reduce import access
from fleet.reduce.draft import Draft

_BOUND = {"host", "port"}
"""What a password is bound to."""
_TITLES = {
    "host": "address",
    "username": "user name",
    "secret": "password",  # nosec B105 (what people call it)
    "secret_options": "secret options",  # nosec B105 (what people call them)
    "credentials": "credential set",
    "tls_pin": "certificate fingerprint",
    "digest_only": "limit to Digest",
}


def has_access_fields(edit: Edit) -> bool:
    """True if the edit sets anything of an access."""
    return not edit.fields.keys().isdisjoint(access.FIELDS)


def apply_access_edit(
    draft: Draft, device: Device, edit: Edit, summary: EditSummary | None
) -> tuple[Device, EditSummary | None]:
    """Apply the edit of an access; return the device and the event, which begins with `summary`.

    Raises Refused when the fields do not fit, another device has the place, or the access is no
    longer as an undo expects it.
    """
    source = _source(device, edit)
    known = device.access[source]
    _check_expected(device, known, edit)
    new = access.apply_fields(
        draft, known, edit.fields, device.id, is_undo=edit.fields.get("expect", {}).keys() >= _BOUND
    )
    changed = [name for name in access.FIELDS if getattr(known, name) != getattr(new, name)]
    if not changed:
        return device, summary
    device = _with_access_key(draft, device, access_key(source, known), access_key(source, new))
    device = replace(device, access={**device.access, source: new})
    return device, _summary(device, source, (known, new), changed, edit, summary)


def _source(device: Device, edit: Edit) -> str:
    """The source whose access is meant: where there is one, it need not be named."""
    if "source" not in edit.fields and len(device.access) == 1:
        return next(iter(device.access))
    source = access_fields.source(edit.fields.get("source"))
    if source not in device.access:
        if "expect" in edit.fields:
            raise changed_since(device)
        raise Refused(
            f"{labels.name(device)} has no {labels.protocol(source)} connection",
            "Add one first.",
        )
    return source


def _check_expected(device: Device, known: Access, edit: Edit) -> None:
    expected = edit.fields.get("expect", {})
    if any(getattr(known, name) != expected[name] for name in access.FIELDS if name in expected):
        raise changed_since(device)


def _with_access_key(draft: Draft, device: Device, old: str | None, new: str | None) -> Device:
    """The device with the key of its new place. Raises Refused when another has it."""
    if old == new:
        return device
    if old in device.identities:
        device = identity.without(device, (old,))
    if new is None:
        return device
    access.check_free(draft, identity.index_key(new, device.site), new)
    owner = draft.find(new, device.site)
    if owner is None or owner.id == device.id:
        owner = access.device_asked_at(draft, device, new)
    if owner is not None:
        raise Refused(
            f"{labels.name_at(owner)} already uses {new}",
            "Merge the two if they are the same device, or enter another address.",
        )
    return access.with_key(device, new)


def _summary(
    device: Device,
    source: str,
    values: tuple[Access, Access],
    changed: list[str],
    edit: Edit,
    summary: EditSummary | None,
) -> EditSummary:
    # A password is undone only while the place for which it was saved is still the same.
    has_secrets = not {"secret", "secret_options"}.isdisjoint(changed)
    names = [*changed, *sorted(_BOUND - {*changed})] if has_secrets else changed
    before, after = ({name: getattr(value, name) for name in names} for value in values)
    titles = [_TITLES.get(name, name) for name in changed]
    text, by = (
        f"{' and '.join(titles)} for {labels.protocol(source)} changed",
        f", {labels.author(edit.by)}",
    )
    shown: dict[str, Any] = {"source": source}
    if summary is None:
        text = f"{labels.name(device)}: {text}{by}"
        return EditSummary("device.edited", text, shown | before, shown | after)
    text = f"{summary.text.removesuffix(by)}; {text}{by}"
    return EditSummary(
        summary.kind,
        text,
        {**summary.before, **shown, **before},
        {**summary.after, **shown, **after},
    )
