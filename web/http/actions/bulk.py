"""Edit many devices in one write, in the name of the person of the request, and undo it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from fleet import labels, logins, stream_url
from fleet.edit import acts, editing
from fleet.fleet_secrets import Seal
from fleet.model import Access, Device, Edit, Event, Invalid, NotFound, Refused
from web.http.actions import imports
from web.http.actions.camera_places import invalid
from web.http.actions.devices import (
    check_may_connect,
    check_may_edit,
    check_may_undo,
    edit_of,
    needs_full_view,
)
from web.http.auditing import actor_name, note
from web.http.errors import HttpError
from web.http.live_views import is_watchable
from web.http.monitor import current_monitor
from web.http.selection import selected, unpaged
from web.http.shapes.devices import MAX_BULK, BulkFailure, ListQuery, bulk_failure
from web.http.visible_fleet import visible_fleet

DELETED = "device.deleted"
WITH_LOGIN = ("rtsp", "onvif")
"""The sources that log in with a user name and a password."""
MAX_NUMBERS = 1000
"""Numbers of devices that the audit log keeps of one act; the journal has all of them."""


@dataclass(frozen=True, slots=True)
class BulkChange:
    """What changes on each device. `fields` as in an edit, `interval` and `credentials` for each
    source that has an access to it, of `recording` the settings that change. `retired`: retire or
    restore. `access`: the `source`, and of its connection `port`, `path`, `username` and
    `password`, as far as they change."""

    add_tags: Sequence[str] = ()
    remove_tags: Sequence[str] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    retired: bool | None = None
    access: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        fields = {
            name: value for name, value in self.fields.items() if value or name != "recording"
        }
        given = (self.add_tags, self.remove_tags, fields, self.access.keys() - {"source"})
        return self.retired is None and not any(given)


@dataclass(frozen=True, slots=True)
class BulkResult:
    """The devices that changed, the number that did not need to, the failed ones with the error,
    the numbers of the events that undo it, and what was changed as a sentence."""

    changed: list[int]
    unchanged: int
    failed: list[BulkFailure]
    undo: list[int]
    text: str


def devices_of(ids: Iterable[int]) -> tuple[list[Device], list[BulkFailure]]:
    """The visible devices with these numbers, and an error for each other number."""
    visible, redirects = visible_fleet().devices(), current_monitor().redirects
    known, failed = dict[int, Device](), list[BulkFailure]()
    for id in ids:
        device = visible.get(redirects.get(id, id))
        if device is None:
            failed.append(_failure(id, _gone(), visible))
        else:
            known[device.id] = device
    return list(known.values()), failed


def devices_matching(query: ListQuery, but: Iterable[int], count: int | None) -> list[Device]:
    """The devices that the query selects, but for some.

    Raises Refused when their number is not `count`: then the list is not what the person saw.
    """
    excluded = set(but)
    devices = [device for device in selected(unpaged(query)).devices if device.id not in excluded]
    if count is not None and count != len(devices):
        raise Refused(
            f"The list has {labels.device_count(devices)} now, not {count}",
            "Nothing was changed. Review the list, then try again.",
        )
    return devices


def _gone() -> NotFound:
    return NotFound("This device no longer exists", "It was deleted, or its number is wrong.")


def edit_many(
    devices: Sequence[Device], change: BulkChange, failed: Sequence[BulkFailure] = ()
) -> BulkResult:
    """Change all the devices in one write. A device that cannot be changed is reported, and the
    others are changed. Raises Refused for too many devices or no change, and HttpError."""
    if change.is_empty:
        raise Invalid(
            "Nothing to change",
            "Give tags, a site, a parent device, an interval, credentials, access, recording or "
            "retired.",
        )
    if len(devices) > MAX_BULK:
        raise Invalid(
            f"{len(devices)} devices are too many at once",
            f"Select at most {MAX_BULK}, for example by site.",
        )
    change = replace(change, access=_without_path_login(change.access))
    has_password = "password" in change.access
    # While passwords are sealed and saved, other edits with passwords wait.
    with current_monitor().secrets.sealing() if has_password else nullcontext() as seal:
        edits, problems = _collect(
            (device.id, partial(_edits_of, device, change, seal)) for device in devices
        )
        return _apply(edits, [*failed, *problems], len(devices))


def undo_many(sequences: Sequence[int]) -> BulkResult:
    """Take back the edits of these events in one write, the newest first. What somebody changed
    since is reported and stays."""
    if len(sequences) > MAX_BULK:
        raise Invalid(f"{len(sequences)} events are too many at once", "Undo fewer of them.")
    events = sorted(_events(sequences), key=lambda event: event.sequence, reverse=True)
    if missing := {*sequences} - {event.sequence for event in events}:
        raise NotFound(f"Event {min(missing)} does not exist", "GET /api/events lists the events.")
    edits, problems = _collect((event.device or 0, partial(_undo_of, event)) for event in events)
    return _apply(edits, problems, len({event.device for event in events if event.device}))


def _collect(
    makers: Iterable[tuple[int, Callable[[], list[Edit]]]],
) -> tuple[list[Edit], list[BulkFailure]]:
    """The edits of each device, and an error for each device that can have none."""
    edits, failed, visible = list[Edit](), list[BulkFailure](), visible_fleet().devices()
    for id, make in makers:
        try:
            edits += make()
        except (Refused, HttpError) as error:
            failed.append(_failure(id, error, visible))
    return edits, failed


def _edits_of(device: Device, change: BulkChange, seal: Seal | None) -> list[Edit]:
    """The edits of one device. Raises Refused and HttpError."""
    check_may_edit(device)
    # The tags are worked out within the write: somebody else can change them until then.
    tags = {"add_tags": [*change.add_tags], "remove_tags": [*change.remove_tags]}
    fields = {**change.fields, **{key: value for key, value in tags.items() if value}}
    interval = {"interval": fields.pop("interval")} if "interval" in fields else {}
    has_choice, chosen = "credentials" in fields, fields.pop("credentials", None)
    if "recording" in fields:
        fields["recording"] = _recording_of(device, fields["recording"])
    edits = [edit_of(device, "change", fields)] if fields else []
    if has_choice:
        edits += _login_edits(device, chosen or "")
    if interval:
        edits += _interval_edits(device, interval)
    if change.access:
        edits.append(_access_edit(device, change.access, seal))
    if change.retired is not None:
        edits.append(edit_of(device, "retire" if change.retired else "restore", {}))
    return edits


def _recording_of(device: Device, given: Mapping[str, Any]) -> dict[str, Any]:
    """The recording settings of the device with those that change. Raises Refused for one that
    cannot be recorded."""
    if not (device.recording or is_watchable(device)):
        raise Refused(
            f"{labels.name(device)} has no stream, so it cannot be recorded",
            "Add an RTSP connection on its page first.",
        )
    return {**device.recording, **given}


def _interval_edits(device: Device, interval: dict[str, Any]) -> list[Edit]:
    """The edits of each access of the device. Raises Refused for one without any."""
    if not device.access:
        raise Refused(
            f"{labels.name(device)} is only found by scans, so it has no interval of its own",
            "Add its address and login first.",
        )
    return [edit_of(device, "change", {**interval, "source": name}) for name in device.access]


def _access_edit(device: Device, given: Mapping[str, Any], seal: Seal | None) -> Edit:
    """The edit of the connection by one protocol. Raises Refused for a device without it, and
    HttpError (403)."""
    check_may_connect()
    source, fields = given["source"], dict(given)
    access, password = device.access.get(source), fields.pop("password", None)
    if access is None:
        raise Refused(
            f"{labels.name(device)} has no {labels.protocol(source)} connection",
            "Add a connection on its page first.",
        )
    if password and not (fields.get("username") or access.username):
        raise Invalid("The user name is missing", "Enter the user name of the password.")
    if fields.get("username") and not password and access.credentials:
        raise Refused(
            f"{labels.name(device)} uses a credential set, so a user name alone is no login",
            "Enter the password, too.",
        )
    is_moved = fields.get("port", access.port) != access.port
    if password and seal and (is_moved or not imports.has_password(device, source, password)):
        fields["secret"] = seal(password)
    if password or "username" in fields:
        fields |= {"credentials": "", "options": _without_login_choice(access)}
    elif access.credentials and is_moved:
        # Who may choose a set for the device chooses it for the new port.
        fields["credentials"] = access.credentials
    return edit_of(device, "change", fields)


def _without_path_login(given: Mapping[str, Any]) -> dict[str, Any]:
    """The access with the login in its path taken out, as an edit of one device does it. Raises
    Invalid."""
    fields = dict(given)
    stream_url.valid_password(fields.get("password"))
    if "path" not in fields:
        return fields
    inner = stream_url.parse_path(fields["path"])
    login = {"username": inner.username, "password": inner.password}
    for name, value in login.items():
        if value and fields.get(name) not in (None, value):
            raise invalid(
                name,
                "The path contains another login than the one beside it",
                "Remove one of the two.",
            )
    return {**fields, "path": inner.path, **{name: v for name, v in login.items() if v}}


def _without_login_choice(access: Access) -> dict[str, Any]:
    return {name: value for name, value in access.options.items() if name != "login"}


def _login_edits(device: Device, credentials: str) -> list[Edit]:
    """The edits that choose a credential set for each access of the device, or none. Raises
    Refused for a device without any, and HttpError (403)."""
    if not visible_fleet().may("device.add"):
        raise HttpError(
            403,
            "Only users with access to all devices can choose a credential set",
            "Ask an administrator.",
        )
    accesses = {name: access for name, access in device.access.items() if name in WITH_LOGIN}
    if not accesses:
        has_access = bool(device.access)
        raise Refused(
            f"{labels.name(device)} has no RTSP or ONVIF connection, so no login is sent to it"
            if has_access
            else f"{labels.name(device)} is only found by scans, so no login is sent to it",
            "Add a connection on its page first." if has_access else "Add its address first.",
        )
    return [
        edit_of(
            device,
            "change",
            {
                **(logins.choice_of(credentials, access) if credentials else {"credentials": ""}),
                "source": name,
            },
        )
        for name, access in accesses.items()
    ]


def _events(sequences: Sequence[int]) -> list[Event]:
    """The events with these numbers that the person may know; an unknown one is left out."""
    monitor, wanted = current_monitor(), {*sequences}
    if not wanted:
        return []
    waiting = {event.sequence: event for event in monitor.tracker.fleet().outbox}
    events = [waiting[sequence] for sequence in wanted & waiting.keys()]
    rest = sorted(wanted - waiting.keys())
    if rest:
        events += monitor.journal.find(sequences=rest, limit=len(rest))
    return [event for event in events if visible_fleet().may_know_edit(event)]


def _undo_of(event: Event) -> list[Edit]:
    """The edit that takes back the event. Raises Refused and HttpError."""
    if editing.is_of_set(event):
        raise Refused("This is an edit of a credential set", "Undo it with POST /api/undo.")
    if event.device is not None:
        check_may_undo(event, current_monitor().tracker.device(f"{event.device}"))
    elif not visible_fleet().may("device.add"):
        raise needs_full_view()
    if not visible_fleet().may_move and "site" in event.before:
        raise needs_full_view()
    return [editing.inverse(event, actor_name(), current_monitor().clock())]


def _apply(edits: Sequence[Edit], failed: Sequence[BulkFailure], total: int) -> BulkResult:
    """Apply those of the edits that can be applied, in one write, and note it."""
    monitor = current_monitor()
    visible, refused = visible_fleet().devices(), dict[int, Refused | HttpError]()
    judge = visible_fleet().judge_each("device.edit", [*map(_number, edits)], refused)
    events = monitor.tracker.apply(edits, monitor.clock(), judge, refused) if edits else []
    errors = [
        (_number(edits[place]), _gone() if isinstance(error, NotFound) else error)
        for place, error in refused.items()
    ]
    problems = [*failed, *(_failure(id, error, visible) for id, error in errors)]
    undo = [event.sequence for event in events if editing.can_undo(event)]
    # To undo an addition is to delete.
    acted = [event for event in events if editing.can_undo(event) or event.kind == DELETED]
    changed = list(dict.fromkeys(event.device for event in acted if event.device))
    text = acts.sentence(acted, actor_name())
    if changed:
        note("fleet.edited", "fleet", text, {}, {"numbers": changed[:MAX_NUMBERS]})
    failed_numbers = {problem["id"] for problem in problems} - {*changed}
    unchanged = max(0, total - len(changed) - len(failed_numbers))
    return BulkResult(changed, unchanged, problems, undo, text)


def _number(edit: Edit) -> int:
    """The number of the device; 0 for keys of no known one."""
    return int(edit.identity.removeprefix("id:") or 0)


def _failure(id: int, error: Refused | HttpError, visible: Mapping[int, Device]) -> BulkFailure:
    """The error of one device, with its name where the person sees it."""
    device = visible.get(id)
    name = labels.name_among(device, visible) if device else ""
    return bulk_failure(id, name, error.error, error.hint)


def summary(result: BulkResult) -> str:
    """What happened, in one sentence."""
    if result.unchanged and not (result.text or result.failed):
        return f"Nothing to change on {labels.counted(result.unchanged, 'device')}"
    parts = [result.text or "Nothing changed"]
    if result.unchanged:
        parts.append(f"{result.unchanged} unchanged")
    if result.failed:
        parts.append(f"{len(result.failed)} failed")
    return ", ".join(parts)
