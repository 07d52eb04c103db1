"""The page "Add camera": test an address with its login, choose a stream or channels, save.

Without script each step is a page of its own. With script the steps of the test arrive as lines of
JSON with the same HTML.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson
from flask import Blueprint, Response, redirect, render_template, request, stream_with_context

from discovery.trial_steps import Step
from fleet import labels
from fleet.channels import is_channel
from fleet.kinds import RECORDER
from fleet.logins import SHARING, may_lend
from fleet.model import DEFAULT_SITE, Device, Invalid, Refused
from fleet.natural_order import natural_key
from fleet.texts import sentences
from web.http.actions import adding
from web.http.actions.adding import Connection, NewChannel, Saved
from web.http.actions.camera_places import elsewhere
from web.http.authorization import needs
from web.http.entered_logins import Entry
from web.http.errors import page_hint, status_of
from web.http.monitor import current_monitor
from web.http.visible_fleet import current_person, visible_fleet
from web.pages import connection_form, new_camera, pickers, trial_view, trials
from web.pages.connection_form import TypedLogin
from web.pages.new_camera import Choice, NewCamera, Result, logins
from web.pages.still_view import ShownStill, newest_shown
from web.pages.trial_view import SOURCES

bp = Blueprint("adding_pages", __name__)
LINES = "application/x-ndjson"
MAX_SITES = 500
"""Names of sites that the field offers."""
FIELDS = {
    **dict.fromkeys(("host", "port", "path", "rtsp_url"), "address"),
    "secret": "password",  # nosec B105
}
"""The field of the form for a field of the edit."""
OF_FORM = ("address", "username", "password", "credentials", "stream", "channel", "parents")
MAX_REFUSED = 5
"""Channels whose reason is shown after saving."""
ANOTHER, CHANNEL, LENT = "another", "channel-of-", "login-of-"
"""That the camera is not one of the devices at its address, and before the number of one, that its
stream is another channel of it, or that the camera is that one and has the login saved there."""


@bp.get("/cameras/add")
@needs("device.add")
def add() -> str:
    """The empty form."""
    return _page(NewCamera())


@bp.post("/cameras/add")
@needs("device.add")
def submit() -> Any:
    """The buttons "Test connection", "Save" and "Save without testing"."""
    form = new_camera.from_request()
    try:
        if request.form.get("do", "test") == "test":
            return _test(form)
        saved = _save(form, is_tested=request.form["do"] == "save")
    except Refused as fault:
        return Response(_with_fault(form, fault), status_of(fault))
    if (person := current_person()) is not None:
        logins().forget(person, form.token)
    added = ",".join(map(str, saved.undo))
    refused = f"&refused={_refused(saved)}" if saved.refused else ""
    return redirect(f"/cameras/{saved.device}?added={added}{refused}", 303)


def _refused(saved: Saved) -> str:
    """The token under which the page of the device finds which channels were refused."""
    shown, more = saved.refused[:MAX_REFUSED], len(saved.refused) - MAX_REFUSED
    text = " ".join([*shown, *([f"{more} more."] if more > 0 else [])])
    entry, person = Entry(result=(saved.device, text)), current_person()
    return current_monitor().check_results.keep(person, entry, "") if person else ""


# -- the test ------------------------------------------------------------------------------


def _test(form: NewCamera) -> Any:
    """Test the connection. Raises Invalid and HttpError before it begins."""
    connection_form.check(form.login, has_password=bool(form.entry.secret))
    steps = trials.run(form)
    if LINES in request.headers.get("Accept", ""):
        return Response(stream_with_context(_lines(form, steps)), mimetype=LINES)
    return _page(_tested(form, list(steps)))


def _lines(form: NewCamera, steps: Iterator[Step]) -> Iterator[bytes]:
    """Each step as it comes, and at the end all that follows the login in the form."""
    done = []
    for step in steps:
        done.append(step)
        if trial_view.is_shown(step):
            row = trial_view.row(step, trials.trial_form(form))
            html = render_template("parts/trial_step.html", row=row)
            yield orjson.dumps({"step": html}) + b"\n"
    form = _tested(form, done)
    end = {"html": render_template("parts/add_trial.html", **_values(form))}
    yield orjson.dumps({**end, "entered": form.token}) + b"\n"


def _tested(form: NewCamera, steps: Sequence[Step]) -> NewCamera:
    """The form with the result of its test, and a new token for both."""
    return _kept(form, Entry(form.secret, trials.result(form, steps)))


def _kept(form: NewCamera, entry: Entry) -> NewCamera:
    person = current_person()
    token = logins().keep(person, entry, form.token) if person else ""
    return replace(form, entry=entry, token=token)


# -- saving --------------------------------------------------------------------------------


def _save(form: NewCamera, is_tested: bool) -> Saved:
    """Save what the form has. Raises Refused."""
    result = form.result
    if form.texts.get("same_as", "").startswith(LENT):
        form = replace(form, login=TypedLogin(connection_form.SHARED))
    connection_form.check(form.login, has_password=bool(form.entry.secret))
    values, place = form.values(), form.place()
    channels: list[NewChannel] = []
    if not is_tested:
        connections = [form.connection(place.source, new_camera.fields_of(place))]
    else:
        if result is None or not result.is_ready:
            raise Invalid(
                "The address or the login was changed after the test, or the test is too old",
                "Test again, or save without testing.",
            )
        connections = [
            form.connection(source, connection) for source, connection in result.connections
        ]
        if result.is_recorder:
            values["likely_kind"] = RECORDER
            channels = _channels(result)
        elif result.choices:
            connections.append(form.connection(trials.RTSP, _chosen(result).connection))
    return _saved(form, values, connections, channels)


def _saved(
    form: NewCamera,
    values: dict[str, Any],
    connections: Sequence[Connection],
    channels: Sequence[NewChannel],
) -> Saved:
    """Save as a new device, or as the known one that the person chose. Raises Refused."""
    known = {str(device.id): device for device in known_at(form)}
    choice = form.texts.get("same_as", "").removeprefix(LENT)
    channel_of = choice.removeprefix(CHANNEL) if choice.startswith(CHANNEL) else ""
    is_lent = form.login.choice == connection_form.SHARED
    is_known = choice != ANOTHER and (channel_of or choice) in known
    if (known or is_lent) and choice != ANOTHER and not is_known:
        raise connection_form.invalid(
            "same_as", "There is a device at this address", "Choose whether it is the same one."
        )
    if choice in known:
        return adding.add_connections(known[choice], connections, is_lent=is_lent)
    if channel_of in known:
        streams = [connection for connection in connections if connection.source == trials.RTSP]
        return adding.add_device(
            {**values, "channel_of": known[channel_of].id}, streams or connections
        )
    return adding.add_device({**values, "is_another": choice == ANOTHER}, connections, channels)


def _chosen(result: Result) -> Choice:
    """The stream that the form chose. Raises Invalid."""
    number = pickers.number_in(request.form.get("stream", ""))
    if number is None or number >= len(result.choices):
        raise connection_form.invalid("stream", "No stream is chosen", "Choose one of them.")
    return result.choices[number]


def _channels(result: Result) -> list[NewChannel]:
    """The channels of the form: those that are not ticked are ignored. Raises Invalid."""
    ticked = set(request.form.getlist("channel"))
    if not ticked & set(map(str, range(len(result.choices)))):
        raise connection_form.invalid("channel", "No channel is chosen", "Choose at least one.")
    return [
        NewChannel(
            choice.key,
            _channel_name(number, choice),
            str(number) in ticked,
            str(choice.connection.get("path", "")),
            choice.title,
        )
        for number, choice in enumerate(result.choices)
        if choice.key
    ]


def _channel_name(number: int, choice: Choice) -> str:
    """The name that a person gave; empty for the device's own, which it may change."""
    name = request.form.get(f"channel_name_{number}", "").strip()
    return "" if name == choice.name else name


def known_at(form: NewCamera) -> list[Device]:
    """The devices at this address and site that are not retired."""
    try:
        host = form.place().host
    except Invalid:
        return []
    return [
        device
        for device in visible_fleet().devices().values()
        if device.retired_at is None
        and device.site == form.site
        and not is_channel(device)
        and (
            device.address == host or any(access.host == host for access in device.access.values())
        )
    ]


# -- the page ------------------------------------------------------------------------------


def _with_fault(form: NewCamera, fault: Refused) -> str:
    """The page with what was typed, and the error beside its field."""
    name = FIELDS.get(fault.field, fault.field)
    text = sentences(fault.error, page_hint(fault.hint))
    if form.secret:
        form = _kept(form, replace(form.entry, secret=form.secret))
    is_known = name in (*new_camera.TEXTS, *OF_FORM)
    return _page(form, {"field": name if is_known else "", "text": text})


def _page(form: NewCamera, fault: dict[str, str] | None = None) -> str:
    return render_template("add.html", **_values(form, fault))


def _values(form: NewCamera, fault: dict[str, str] | None = None) -> dict[str, Any]:
    """The values of the templates."""
    result = form.result
    is_open = fault is not None and request.form.get("do") == "untested"
    return {
        "typed": {**form.texts, "address": form.address},
        "login": form.login,
        "has_password": bool(form.secret),
        "sets": new_camera.credential_sets(),
        "token": form.token,
        "fault": fault,
        "steps": result.steps if result else (),
        "is_ready": bool(result and result.is_ready),
        "is_recorder": bool(result and result.is_recorder),
        "choices": _choices(result) if result else (),
        "own_name": result.own_name if result else "",
        "picture": result.picture if result else None,
        "known": _known_rows(form) if form.address else (),
        "elsewhere": elsewhere(form.place().host, form.site) if result else (),
        "is_stream": _is_stream(form),
        "needs_protocol": "://" not in form.address,
        "is_open": is_open,
        "parents": pickers.as_typed("parents"),
        "site_names": site_names(),
    }


def _choices(result: Result) -> list[dict[str, Any]]:
    """The streams or channels with what the form chose of them, once it had them."""
    had_them = request.form.get("do") != "test"
    name = "channel" if result.is_recorder else "stream"
    chosen = request.form.getlist(name)
    return [
        {
            "title": choice.title,
            "about": choice.about,
            "has_signal": choice.has_signal,
            "name": request.form.get(f"channel_name_{number}") if had_them else choice.name,
            "is_chosen": str(number) in chosen if had_them else choice.is_chosen,
        }
        for number, choice in enumerate(result.choices)
    ]


def _is_stream(form: NewCamera) -> bool:
    """True if the form has the URL of a stream, which may be a channel of a known device."""
    try:
        place = form.place()
    except Invalid:
        return False
    return place.source == trials.RTSP and bool(place.path)


def _known_rows(form: NewCamera) -> list[dict[str, Any]]:
    known = known_at(form)
    stills = newest_shown(known)
    return [_known_row(device, form.place().host, stills.get(device.id)) for device in known]


def _known_row(device: Device, host: str, still: ShownStill | None) -> dict[str, Any]:
    lender = next((name for name in SHARING if may_lend(device, name, host)), "")
    model = labels.fact(device, "model")
    about = " · ".join(str(part) for part in (device.address, model) if part)
    return {
        "id": device.id,
        "name": labels.name_among(device, visible_fleet().devices()),
        "about": about,
        "still": still,
        "lender": SOURCES[lender] if lender else "",
    }


def site_names() -> list[str]:
    """The sites that the field offers."""
    names = {device.site for device in visible_fleet().devices().values()} - {DEFAULT_SITE}
    return sorted(names, key=natural_key)[:MAX_SITES]
