"""Run the connection test of a form, and what its result lets a person choose."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from discovery.trial_reports import stream_text
from discovery.trial_steps import Step, TrialConnection, TrialRequest
from web.http.actions import trials
from web.http.visible_fleet import visible_fleet
from web.pages.connection_form import NONE, SAVED
from web.pages.new_camera import Choice, NewCamera, Picture, Place, Result, fields_of
from web.pages.trial_view import RESULT, TrialForm, rows

ONVIF, RTSP = "onvif", "rtsp"


def run(form: NewCamera) -> Iterator[Step]:
    """The steps of the test as they come. Raises Invalid and HttpError before it begins."""
    place, (username, password) = form.place(), form.tried_login
    is_of_set = form.login.choice == SAVED
    request = TrialRequest(
        place.host,
        _connections(place),
        username,
        password,
        digest_only=is_of_set,
        wants_picture=visible_fleet().may("still.take"),
    )
    return iter(trials.begin(request))


def _connections(place: Place) -> tuple[TrialConnection, ...]:
    """The stream of a URL first, else ONVIF, which names the streams. A URL leaves the other
    protocol at its usual place."""
    given = TrialConnection(place.source, place.port, place.path, place.tls)
    if place.source != RTSP:
        return (given, TrialConnection(RTSP))
    onvif = TrialConnection(ONVIF)
    return (given, onvif) if place.path.strip("/") else (onvif, given)


def trial_form(form: NewCamera) -> TrialForm:
    """What advice in the test of this form depends on. Raises Invalid."""
    return TrialForm(_rtsp_server(form.place()), has_login=form.login.choice != NONE)


def _rtsp_server(place: Place) -> str:
    """The URL of the RTSP server at this place, without a path."""
    host = f"[{place.host}]" if ":" in place.host else place.host
    if place.source != RTSP:
        return f"rtsp://{host}"
    return f"rtsp{'s' * place.tls}://{host}{f':{place.port}' if place.port else ''}"


def result(form: NewCamera, steps: Sequence[Step]) -> Result:
    """What the steps found."""
    facts = next((step.facts for step in steps if step.name == RESULT), {})
    sources, shown = facts.get("sources") or (), tuple(rows(steps, trial_form(form)))
    if not sources:
        return Result(form.tested, shown)
    place, pins = form.place(), _certificates(steps)
    connections = {
        connection.source: _fields(place.host, connection, pins)
        for connection in _connections(place)
    }
    channels = facts.get("channels") or ()
    streams = channels or (facts.get("streams") if RTSP in sources else None) or ()
    is_typed = place.source == RTSP
    choices = [
        _choice(number, stream, connections[RTSP], bool(channels), is_typed)
        for number, stream in enumerate(streams)
    ]
    kept = [(name, connections[name]) for name in sources if name in connections]
    if choices:
        kept = [(name, connection) for name, connection in kept if name != RTSP]
    named = str(facts.get("name") or facts.get("model") or "")
    picture = _picture(steps)
    return Result(
        form.tested, shown, True, bool(channels), tuple(choices), tuple(kept), named, picture
    )


def _picture(steps: Sequence[Step]) -> Picture | None:
    """The picture that the test took. It is part of the page, as no camera has it."""
    taken = next((step.picture for step in steps if step.picture), None)
    if taken is None:
        return None
    url = f"data:image/jpeg;base64,{b64encode(taken.data).decode()}"
    return Picture(url, taken.width, taken.height, taken.taken_at)


def _fields(host: str, connection: TrialConnection, pins: Mapping[str, str]) -> dict[str, Any]:
    fields = fields_of(
        Place(connection.source, host, connection.port, connection.path, connection.tls)
    )
    return fields | ({"tls_pin": pins[connection.source]} if connection.source in pins else {})


def _certificates(steps: Sequence[Step]) -> dict[str, str]:
    """The fingerprint of the certificate that each source met."""
    pins = {step.source: step.facts.get("certificate") for step in steps}
    return {source: pin for source, pin in pins.items() if isinstance(pin, str)}


def _choice(
    number: int,
    stream: Mapping[str, Any],
    connection: Mapping[str, Any],
    channel: bool,
    is_typed: bool,
) -> Choice:
    """A stream or a channel of the device, whose texts are its own. `is_typed`: a person entered
    the RTSP connection."""
    fields = dict(connection)
    if path := stream.get("path"):
        fields["path"] = str(path)
    if type(port := stream.get("port")) is int:
        fields["port"] = port
    if stream.get("tls") is True:
        fields["options"] = {**fields["options"], "tls": True}
    if not is_typed or fields.get("port") != connection.get("port"):
        # No person entered this port: its login reveals nothing there.
        fields["digest_only"] = True
    name = str(stream.get("name") or "") if channel else ""
    about = stream_text(stream)
    if channel:
        title = name or f"Channel {stream.get('channel') or number + 1}"
        has_signal = stream.get("signal") is not False
        return Choice(title, about, name, True, fields, str(stream.get("key") or ""), has_signal)
    title = str(stream.get("profile") or ("Main stream" if number == 0 else f"Stream {number + 1}"))
    return Choice(title, about, "", number == 0, fields)
