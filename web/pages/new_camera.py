"""The form "Add camera" as a person filled it in, and what a test found for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import request

from fleet import typed_place
from fleet.logins import NO_LOGIN
from fleet.model import DEFAULT_SITE, Invalid
from web.http.actions.adding import Connection
from web.http.entered_logins import EnteredLogins, Entry
from web.http.monitor import current_monitor
from web.http.visible_fleet import current_person, visible_fleet
from web.pages import connection_form, pickers
from web.pages.connection_form import EMPTY, NONE, PASSWORD, SAVED, TypedLogin
from web.pages.trial_view import StepRow

TEXTS = ("name", "site", "tags", "notes", "same_as", "protocol")
LONGEST = {"notes": 5000}


@dataclass(frozen=True, slots=True)
class Place:
    """Where and by what the camera is asked: an address alone is asked by all protocols."""

    source: str
    host: str
    port: int | None = None
    path: str = ""
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A stream or a channel to choose, as the device describes it. `about`: codec, size and
    rate. `connection` is without login; `key` is that of a channel, which may have no signal."""

    title: str
    about: str = ""
    name: str = ""
    is_chosen: bool = False
    connection: Mapping[str, Any] = field(default_factory=dict, repr=False)
    key: str = ""
    has_signal: bool = True


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the camera, which is not saved: its URL has the small JPEG itself."""

    url: str = field(repr=False)
    width: int
    height: int
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class Result:
    """What a test found. `tested` is what was asked with which login; `connections` are those that
    worked, by source and without login."""

    tested: tuple[object, ...] = field(repr=False)
    steps: Sequence[StepRow] = ()
    is_ready: bool = False
    is_recorder: bool = False
    choices: Sequence[Choice] = ()
    connections: Sequence[tuple[str, Mapping[str, Any]]] = field(default=(), repr=False)
    own_name: str = ""
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class NewCamera:
    """What a person typed, without the password, and the entry of the form's earlier steps."""

    address: str = ""
    login: TypedLogin = field(default_factory=TypedLogin)
    texts: Mapping[str, str] = field(default_factory=dict)
    entry: Entry = field(default_factory=Entry)
    token: str = ""

    @property
    def secret(self) -> str | None:
        """The password: the one typed now, else the one of an earlier step."""
        if self.login.choice != PASSWORD:
            return None
        return self.login.password or self.entry.secret

    @property
    def tried_login(self) -> tuple[str | None, str | None]:
        """User name and password for the test; (None, None) for no login. Raises SecretLost."""
        login, monitor = self.login, current_monitor()
        if login.choice in (PASSWORD, EMPTY):
            return login.username, self.secret
        chosen = monitor.tracker.fleet().credentials.get(login.credentials)
        if login.choice != SAVED or chosen is None:
            return None, None
        return chosen.username, monitor.secrets.unseal(chosen.secret) if chosen.secret else None

    @property
    def tested(self) -> tuple[object, ...]:
        """What a test of this form concerns."""
        login = self.login
        return (self.address, login.choice, login.username, login.credentials, self.secret)

    @property
    def result(self) -> Result | None:
        """The result of the newest test, if it concerns what the form has now."""
        result = self.entry.result
        is_current = isinstance(result, Result) and result.tested == self.tested
        return result if is_current else None

    @property
    def site(self) -> str:
        return self.texts.get("site", "").strip() or DEFAULT_SITE

    def place(self) -> Place:
        """Parse the address. Raises Invalid for the field `address`."""
        try:
            return _place(self.address, self.texts.get("protocol", ""))
        except Invalid as fault:
            fault.field = "address"
            raise

    def connection(self, source: str, values: Mapping[str, Any]) -> Connection:
        """A connection with the login of the form."""
        login, fields = self.login, dict(values)
        options = dict(fields.pop("options", {}))
        if login.choice in (PASSWORD, EMPTY):
            fields["username"] = login.username
        if login.choice == NONE:
            options["login"] = NO_LOGIN
        if login.choice == SAVED:
            fields["credentials"] = login.credentials
        return Connection(source, {**fields, "options": options}, self.secret)

    def values(self) -> dict[str, Any]:
        """The values of the new device. Raises Invalid."""
        texts = self.texts
        values: dict[str, Any] = {"name": texts.get("name", ""), "notes": texts.get("notes", "")}
        values["site"] = self.site
        values["tags"] = [tag.strip() for tag in texts.get("tags", "").split(",") if tag.strip()]
        values["parents"] = pickers.picked_numbers("parents")
        return values


def logins() -> EnteredLogins:
    """The passwords that people typed into open forms."""
    return current_monitor().entered_logins


def credential_sets() -> list[tuple[str, str]]:
    """(id, name) of the credential sets."""
    known = current_monitor().tracker.fleet().credentials
    return sorted(((id, chosen.name) for id, chosen in known.items()), key=lambda row: row[1])


def offered_sets() -> list[tuple[str, str]]:
    """The same, of those that the person of the request can choose for known devices."""
    return credential_sets() if visible_fleet().may("device.add") else []


def from_request() -> NewCamera:
    """The form of the request. A login in the address is moved to the login."""
    form = request.form
    address = connection_form.without_login(form.get("address", ""))
    login = connection_form.with_login_in(address, connection_form.login_of(form))
    texts = {key: form.get(key, "")[: LONGEST.get(key, 1000)] for key in TEXTS}
    token, person = form.get("entered", "")[:100], current_person()
    entry = (logins().entry(person, token) if person else None) or Entry()
    return NewCamera(address.text, login, texts, entry, token)


def _place(text: str, protocol: str) -> Place:
    """Raises Invalid."""
    typed = typed_place.read(text)
    if typed.has_scheme:
        return Place(typed.source, typed.host, typed.port, typed.path, typed.tls)
    return Place("rtsp" if protocol == "rtsp" else "onvif", typed.host, typed.port)


def fields_of(place: Place) -> dict[str, Any]:
    """The fields of an access to this place."""
    options = {"tls": True} if place.tls else {}
    fields: dict[str, Any] = {"host": place.host, "options": options}
    if place.port is not None:
        fields["port"] = place.port
    if place.path:
        fields["path"] = place.path
    return fields
