"""The page that edits how a source reaches a device, with the same test as for a new one."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
from flask import Blueprint, Response, redirect, render_template, request, stream_with_context

from discovery import verdicts
from discovery.trial_steps import Step, TrialConnection, TrialRequest
from fleet import access_fields, identity, labels
from fleet import logins as known_logins
from fleet.channels import PORT, STREAM, stream_access
from fleet.model import Access, Device, Invalid, NotFound, Refused
from fleet.texts import sentences
from web.http.actions import credentials, trials
from web.http.actions.devices import (
    apply_and_audit,
    check_may_connect,
    device_edit,
    undo_number,
)
from web.http.authorization import needs
from web.http.entered_logins import Entry
from web.http.errors import HttpError, page_hint, status_of
from web.http.monitor import current_monitor
from web.http.visible_fleet import current_person, visible_fleet
from web.pages import connection_form, connection_view, trial_view
from web.pages.adding import LINES
from web.pages.connection_form import EMPTY, KEEP, NONE, PASSWORD, SAVED, SHARED, TypedLogin
from web.pages.connection_view import EDITABLE, ONVIF, RTSP, presented_certificate, refused_text
from web.pages.new_camera import credential_sets, logins, offered_sets
from web.pages.trial_view import SOURCES, TrialForm

bp = Blueprint("connection_pages", __name__)
FIELDS = ("host", "port", "path", "interval", "tls_pin")
OPTIONS = ("tls", access_fields.SUB_PATH, access_fields.EVENTS)
OF_FORM = {"secret": "password", "options": "host", "login_of": "login"}  # nosec B105
LOGIN_FIELDS = ("login", "username", "password", "credentials")
"""The field of the form for a field of the edit."""
LONGEST = 1300
TITLES = {
    "host": "the address",
    "port": "the port",
    "path": "the path",
    "interval": "the check interval",
    "tls_pin": "the certificate fingerprint",
    "tls": "TLS",
    access_fields.SUB_PATH: "the path of the sub stream",
    access_fields.EVENTS: "reading the camera's own events",
}
"""The names of the fields in a sentence."""
KEEP_LOGIN = "Keep current login"
NOT_SENT = (
    "The saved login is sent only to the address, the port and the protocol that are saved. Enter "
    "the login again to test it now"
)
NOT_LENT = (
    "The login of the other connection is saved for another address. Enter the login to test it now"
)
IN_DOUBT = (
    "Another device may be at this address, so the saved login is not sent. Enter the "
    "login again to test it now"
)
DOUBTS = ("identity.other", "tls.changed")
"""The findings that say so."""


class Conflict(Refused):
    """Raised when another person changed what the form showed."""


@bp.get("/cameras/<key>/connection")
@needs("device.edit")
def connection(key: str) -> Any:
    """The form with the values that are saved."""
    device, source = _subject(key)
    return _page(device, source, _saved_values(device, source), TypedLogin(_choice(device, source)))


@bp.post("/cameras/<key>/connection")
@needs("device.edit")
def submit(key: str) -> Any:
    """The buttons "Test connection", "Save" and "Confirm the new certificate"."""
    device, source = _subject(key)
    typed = {name: request.form.get(name, "").strip()[:LONGEST] for name in (*FIELDS, *OPTIONS)}
    address = connection_form.without_login(typed["host"])
    typed["host"] = address.text
    login = connection_form.with_login_in(address, connection_form.login_of(request.form, KEEP))
    path = connection_form.without_path_login(typed["path"])
    typed["path"], login = path.text, connection_form.with_login_in(path, login)
    person, token = current_person(), request.form.get("entered", "")[:100]
    entry = (logins().entry(person, token) if person else None) or Entry()
    secret = (login.password or entry.secret) if login.choice == PASSWORD else None
    try:
        connection_form.check(login, has_password=bool(secret))
        if login.choice == SAVED and not offered_sets():
            raise connection_form.invalid(
                "credentials",
                "Only users with access to all devices can choose a credential set",
                "Enter a user name and a password.",
            )
        if request.form.get("do", "test") == "test":
            return _test(device, source, typed, login, secret)
        return _save(device, source, typed, login, secret)
    except Refused as fault:
        text = sentences(fault.error, page_hint(fault.hint))
        field = OF_FORM.get(fault.field, fault.field)
        shown = field if field in (*FIELDS, *OPTIONS, *LOGIN_FIELDS) else ""
        more: dict[str, Any] = {"fault": {"field": shown, "text": text}}
        if isinstance(fault, Conflict):  # The person has read what changed.
            more["shown"] = _json(_saved_values(device, source))
        page = _page(device, source, typed, login, secret, **more)
        return Response(page, status_of(fault))


def _json(values: dict[str, str]) -> str:
    return orjson.dumps(values).decode()


def _subject(key: str) -> tuple[Device, str]:
    """The device, and the source that the URL names or that it has. Raises NotFound."""
    device = visible_fleet().device(key)
    own = [source for source in device.access if source in EDITABLE]
    # ONVIF names the stream and the channels, so a device that speaks it needs no path.
    usual = ONVIF if ONVIF in device.states or identity.endpoints(device.identities) else RTSP
    source = request.args.get("source") or next(iter(own), usual)
    if source not in EDITABLE:
        raise NotFound("There is no such connection", "Open the details of the device.")
    return device, source


def _saved_values(device: Device, source: str) -> dict[str, str]:
    access = device.access.get(source, Access())
    values = {name: getattr(access, name) for name in FIELDS}
    shown = {name: "" if value is None else str(value) for name, value in values.items()}
    sub_path = access.options.get(access_fields.SUB_PATH, "")
    ticked = {
        name: "on" if access.options.get(name) else "" for name in ("tls", access_fields.EVENTS)
    }
    return {**shown, **ticked, access_fields.SUB_PATH: sub_path}


def _choice(device: Device, source: str) -> str:
    """The choice of the login that is saved."""
    access = device.access.get(source)
    if access is not None and access.options.get("login") == known_logins.NO_LOGIN:
        return NONE
    if _saved_title(device, source):
        return KEEP
    return SHARED if _lender(device, source) else PASSWORD


# -- the test ------------------------------------------------------------------------------


def _test(
    device: Device, source: str, typed: dict[str, str], login: TypedLogin, secret: str | None
) -> Any:
    """Test what the form has. Raises Invalid and HttpError before it begins."""
    wanted = _trial(device, source, typed, login, secret)
    form = TrialForm(has_path=True, has_login=login.choice != NONE)
    steps = iter(trials.begin(wanted))
    if LINES in request.headers.get("Accept", ""):
        lines = _lines(form, secret, steps)
        return Response(stream_with_context(lines), mimetype=LINES)
    return _page(device, source, typed, login, secret, steps=trial_view.rows(steps, form))


def _lines(form: TrialForm, secret: str | None, steps: Iterator[Step]) -> Iterator[bytes]:
    done = []
    for step in steps:
        done.append(step)
        if trial_view.is_shown(step):
            html = render_template("parts/trial_step.html", row=trial_view.row(step, form))
            yield orjson.dumps({"step": html}) + b"\n"
    html = render_template("parts/trial.html", steps=trial_view.rows(done, form))
    yield orjson.dumps({"html": html, "entered": _kept(secret)}) + b"\n"


def _trial(
    device: Device, source: str, typed: dict[str, str], login: TypedLogin, secret: str | None
) -> TrialRequest:
    """The trial of what the form has. Raises Invalid and SecretLost."""
    access = replace(Access(), **_access_values(typed))
    host = access.host or device.address
    if host is None:
        raise connection_form.invalid(
            "host", "The address of the device is not known yet", "Enter it."
        )
    _check_may_test(device, source, host, access)
    connection = TrialConnection(
        source, access.port, access.path, bool(access.options.get("tls")), access.tls_pin
    )
    wanted = _trial_with_login(device, host, connection, login, secret)
    return _with_reported_stream(wanted, device) if source == RTSP else wanted


def _with_reported_stream(wanted: TrialRequest, device: Device) -> TrialRequest:
    """The trial of the stream that ONVIF reported, where the form has no path, as checks ask it. A
    port that only the device named gets no password unencrypted."""
    (connection,) = wanted.connections
    stream = stream_access(device.links.get(STREAM))
    if connection.path or stream is None:
        return wanted
    if stream.port and connection.port in (None, PORT):
        connection = replace(connection, port=stream.port)
        wanted = replace(wanted, digest_only=True, access=None)
    return replace(wanted, connections=(replace(connection, path=stream.path),))


def _trial_with_login(
    device: Device,
    host: str,
    connection: TrialConnection,
    login: TypedLogin,
    secret: str | None,
) -> TrialRequest:
    """The trial of a connection with the login of the form. Raises SecretLost."""
    source = connection.source
    match login.choice:
        case connection_form.KEEP:
            return _trial_of_saved(device, source, host, connection)
        case connection_form.SHARED:
            return _trial_of_lent(device, source, host, connection)
        case connection_form.SAVED:
            chosen = credentials.login_of(login.credentials)
            return TrialRequest(host, (connection,), *chosen, digest_only=True, device=device)
    has_name = login.choice in (PASSWORD, EMPTY)
    return TrialRequest(host, (connection,), login.username if has_name else None, secret)


def _trial_of_saved(
    device: Device, source: str, host: str, connection: TrialConnection
) -> TrialRequest:
    """The trial with the login that the device has, which nothing is sent to but that device where
    it is saved to be, in the ways in which its checks log in. Raises SecretLost."""
    fleet = current_monitor().tracker.fleet()
    known = _resolved(device, source)
    is_of_set = known_logins.is_of_set(device, source, fleet.devices, fleet.credentials)
    reason = _doubt(device, source, known, host, connection)
    wanted = _trial_with(device, known, host, connection, reason)
    return wanted if is_of_set else replace(wanted, access=known)


def _trial_of_lent(
    device: Device, source: str, host: str, connection: TrialConnection
) -> TrialRequest:
    """The trial with the login of the other connection, which is for another port of the same
    address, and the same otherwise. Raises SecretLost."""
    lender = known_logins.lender_for(device, source, host)
    known, own = _resolved(device, lender), device.access.get(source, Access())
    reason = "" if lender else NOT_LENT
    if _has_doubt(device, source):
        reason = IN_DOUBT
    return _trial_with(device, replace(known, tls_pin=own.tls_pin), host, connection, reason)


def _resolved(device: Device, source: str) -> Access:
    fleet = current_monitor().tracker.fleet()
    return known_logins.resolved(device, source, fleet.devices, fleet.credentials)


def _trial_with(
    device: Device, known: Access, host: str, connection: TrialConnection, reason: str
) -> TrialRequest:
    """The trial with the login of this access, or with none for a reason. Raises SecretLost."""
    if reason:
        return TrialRequest(host, (connection,), may_login=False, no_login_reason=reason)
    monitor = current_monitor()
    return TrialRequest(
        host,
        # What the form has as certificate is not confirmed yet.
        (replace(connection, tls_pin=known.tls_pin),),
        known.username,
        monitor.secrets.unseal(known.secret) if known.secret else None,
        digest_only=True,
        device=device,
        shows_username=False,
    )


def _doubt(
    device: Device, source: str, known: Access, host: str, connection: TrialConnection
) -> str:
    """Why the saved login is not sent there; empty if it may be."""
    saved = known.host or device.address, known.port, bool(known.options.get("tls"))
    if saved != (host, connection.port, connection.tls):
        return NOT_SENT
    is_elsewhere = known.secret is not None and known.secret_host != host
    return IN_DOUBT if is_elsewhere or _has_doubt(device, source) else ""


def _has_doubt(device: Device, source: str) -> bool:
    """True if another device may be there. The finding about a channel is its recorder's."""
    devices = current_monitor().tracker.devices()
    subjects = device, verdicts.subject_of(device, source, devices)
    return any(fault.kind in DOUBTS for subject in subjects for fault in subject.findings)


def _check_may_test(device: Device, source: str, host: str, access: Access) -> None:
    """A person who may not change how devices are reached tests only where the device is: any other
    address would be a way to look into the network of the server. Raises HttpError (403)."""
    known = device.access.get(source, Access())
    is_present = host in (device.address, known.host) and access.port == known.port
    if not is_present and not visible_fleet().may("device.add"):
        raise HttpError(
            403,
            "Only users with access to all devices can test another address or port",
            "Leave address and port as they are saved, or ask an administrator.",
        )


# -- saving --------------------------------------------------------------------------------


def _access_values(typed: dict[str, str]) -> dict[str, Any]:
    """The fields of an access that the form has. Raises Invalid."""
    fields: dict[str, Any] = {name: typed[name] or None for name in FIELDS}
    fields["path"] = typed["path"]
    fields["options"] = {name: True for name in ("tls", access_fields.EVENTS) if typed[name]}
    if sub_path := typed[access_fields.SUB_PATH]:
        try:
            given = access_fields.values({"options": {access_fields.SUB_PATH: sub_path}})
            fields["options"] |= given["options"]
        except Invalid as fault:
            fault.field = access_fields.SUB_PATH
            raise
    return access_fields.values(fields)


def _save(
    device: Device, source: str, typed: dict[str, str], login: TypedLogin, secret: str | None
) -> Any:
    """Save the connection. Raises Refused."""
    check_may_connect()
    known = device.access.get(source)
    if request.form.get("do") == "confirm":
        fields: dict[str, Any] = {"tls_pin": _confirmed_certificate(device, source)}
    else:
        typed = _merged(typed, _saved_values(device, source))
        fields = {**_access_values(typed), **_login_fields(device, source, login)}
        fields["options"] = _options(known, fields["options"], login)
    kind = "change" if known is not None else "link"
    with current_monitor().secrets.sealing() as seal:
        if "username" in fields:
            fields["secret"] = seal(secret) if secret else None
        edit = device_edit(str(device.id), kind, {**fields, "source": source})
        events = apply_and_audit(edit)
    undo = undo_number(events)
    return redirect(f"/cameras/{device.id}{f'?undo={undo}' if undo else ''}", 303)


def _merged(typed: dict[str, str], saved: dict[str, str]) -> dict[str, str]:
    """What to save of a form that may be old. Raises Refused for what another person changed since
    it was opened; a certificate that a check accepted meanwhile stays."""
    shown = _shown_values()
    changed = [name for name, value in shown.items() if saved.get(name) != value]
    if "tls_pin" in changed and typed["tls_pin"] == shown["tls_pin"]:
        changed.remove("tls_pin")
        typed = {**typed, "tls_pin": saved["tls_pin"]}
    changed = [name for name in changed if typed[name] != saved[name]]
    if not changed:
        return typed
    values = [f"{TITLES[name]} is now {_quoted(name, saved[name])}" for name in changed]
    fault = Conflict(
        f"Somebody changed this connection after you opened the form: {', '.join(values)}",
        "Nothing was saved. Correct the values in the form, then save again.",
    )
    fault.field = changed[0]
    raise fault


def _quoted(name: str, value: str) -> str:
    if name in ("tls", access_fields.EVENTS):
        return "on" if value else "off"
    return f"“{value}”" if value else "empty"


def _shown_values() -> dict[str, str]:
    """The values that were saved when the form was opened; none of a form without them."""
    try:
        shown = orjson.loads(request.form.get("shown", "")[: 8 * LONGEST])
    except orjson.JSONDecodeError:
        return {}
    known = shown if isinstance(shown, dict) else {}
    return {name: value for name in TITLES if isinstance(value := known.get(name), str)}


def _confirmed_certificate(device: Device, source: str) -> str:
    """The fingerprint that the person saw. Raises Invalid unless it is still the one that the
    device presents."""
    presented = presented_certificate(device, source)
    if presented is None:
        raise connection_form.invalid(
            "tls_pin",
            "No new certificate needs confirmation now",
            "Reload this page.",
        )
    if request.form.get("presented", "") != presented:
        raise connection_form.invalid(
            "tls_pin",
            "The certificate changed again",
            "Compare the new fingerprint, then confirm it.",
        )
    return presented


def _options(known: Access | None, given: dict[str, Any], login: TypedLogin) -> dict[str, Any]:
    """The options of the access: those that the form does not have stay."""
    options = dict(known.options) if known else {}
    if login.choice != KEEP:
        options.pop("login", None)
    for name in OPTIONS:
        options.pop(name, None)
    return {
        **options,
        **given,
        **({"login": known_logins.NO_LOGIN} if login.choice == NONE else {}),
    }


def _login_fields(device: Device, source: str, login: TypedLogin) -> dict[str, Any]:
    match login.choice:
        case connection_form.KEEP:
            return {}
        case connection_form.SHARED:
            return {"login_of": _lender(device, source)}
        case connection_form.SAVED:
            return {"username": None, "credentials": login.credentials}
        case connection_form.NONE:
            return {"username": None, "credentials": ""}
    return {"username": login.username, "credentials": ""}


# -- the page ------------------------------------------------------------------------------


def _kept(secret: str | None) -> str:
    """The token of the password that was typed; empty without one."""
    person, token = current_person(), request.form.get("entered", "")[:100]
    return logins().keep(person, Entry(secret), token) if person and secret else ""


def _page(
    device: Device,
    source: str,
    typed: dict[str, str],
    login: TypedLogin,
    secret: str | None = None,
    **more: Any,
) -> str:
    opened = request.form.get("shown") or _json(_saved_values(device, source))
    return render_template(
        "connection_page.html",
        device=device,
        name=labels.name(device),
        source=source,
        source_title=SOURCES[source],
        sources=[(other, SOURCES[other]) for other in EDITABLE],
        typed=typed,
        may_save=visible_fleet().may("device.add"),
        login=login,
        saved=_saved_title(device, source),
        lender=SOURCES.get(_lender(device, source), ""),
        refused=refused_text(device, source),
        presented=presented_certificate(device, source),
        has_password=bool(secret),
        token=_kept(secret),
        sets=offered_sets(),
        **{"steps": (), "fault": None, "shown": opened, **more},
    )


def _lender(device: Device, source: str) -> str:
    """The other connection whose login this one can use; empty if there is none."""
    access = device.access.get(source, Access())
    return known_logins.lender_for(device, source, access.host)


def _saved_title(device: Device, source: str) -> str:
    """The choice that keeps the login; empty without one to keep."""
    access = device.access.get(source)
    if access is None or access.options.get("login") == known_logins.NO_LOGIN:
        return ""
    if access.secret:
        return f"Keep current login ({access.username})" if access.username else KEEP_LOGIN
    if access.credentials:
        name = dict(credential_sets()).get(access.credentials, "")
        return f"Keep credential set ({name})" if name else "Keep credential set"
    if access.username:
        return KEEP_LOGIN
    fleet = current_monitor().tracker.fleet()
    is_lent = connection_view.lender(device, source, fleet.devices, fleet.credentials)
    return "Login of the recorder" if is_lent else ""
