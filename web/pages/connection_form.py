"""What a person typed into a form about a connection: address or URL, and the login. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from fleet import access_fields, path_logins, stream_url, userinfo
from fleet.model import Invalid

PASSWORD, EMPTY, NONE, SAVED = "password", "empty", "none", "saved"  # nosec B105
KEEP, SHARED = "keep", "shared"
LOGINS = (PASSWORD, EMPTY, NONE, SAVED, KEEP, SHARED)
"""The choices: user name and password, an empty password, no login, a credential set, and
for a device that is known already the login that it has, or the one of its other connection."""
LONGEST_PASSWORD = 1000


@dataclass(frozen=True, slots=True)
class TypedLogin:
    """The login of the form. `password` is only what was typed now."""

    choice: str = PASSWORD
    username: str = ""
    password: str = field(default="", repr=False)
    credentials: str = ""


@dataclass(frozen=True, slots=True)
class TypedAddress:
    """An address without its login, and the login that it contained."""

    text: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def login_of(form: Mapping[str, str], default: str = PASSWORD) -> TypedLogin:
    """The login as the form has it."""
    choice = form.get("login", default)
    return TypedLogin(
        choice if choice in LOGINS else default,
        form.get("username", "").strip()[: access_fields.LONGEST_USERNAME],
        form.get("password", "")[:LONGEST_PASSWORD],
        form.get("credentials", "")[: access_fields.LONGEST_HOST],
    )


def with_login_in(address: TypedAddress, login: TypedLogin) -> TypedLogin:
    """The login with that of a URL, which a person pasted and so means."""
    if address.username is None and address.password is None:
        return login
    choice = PASSWORD if address.password else EMPTY
    username = address.username or login.username
    return replace(login, choice=choice, username=username, password=address.password or "")


def without_login(text: str) -> TypedAddress:
    """Take user name and password out of a pasted URL, also out of one that is not valid: what is
    left can be shown again. A login in the path of a stream leaves placeholders."""
    text = text.strip()[: access_fields.LONGEST_HOST + access_fields.LONGEST_PATH]
    scheme, separator, rest = text.partition("://")
    if not separator:
        return TypedAddress(_shown(text))
    if scheme.lower() not in stream_url.SCHEMES:
        return _without_userinfo(scheme, rest)
    try:
        inner = path_logins.taken_out_of_url(text)
    except UnicodeDecodeError:
        return _without_userinfo(scheme, rest)
    outer = _without_userinfo(scheme, inner.path.partition("://")[2])
    if inner.password is None or outer.password not in (None, inner.password):
        return outer
    return replace(outer, username=outer.username or inner.username, password=inner.password)


def without_path_login(path: str) -> TypedAddress:
    """Take the login out of a path, where it leaves placeholders."""
    try:
        inner = path_logins.taken_out(path)
    except UnicodeDecodeError:
        return TypedAddress(path)
    return TypedAddress(inner.path, inner.username, inner.password)


def _without_userinfo(scheme: str, rest: str) -> TypedAddress:
    login, after = userinfo.split(rest)
    if login is None:
        return TypedAddress(_shown(f"{scheme}://{rest}"))
    name, _, password = login.partition(":")
    shown = _shown(f"{scheme}://{after}")
    return TypedAddress(shown, unquote(name) or None, unquote(password) or None)


def _shown(text: str) -> str:
    """The address as it can be shown: without a path that contains a password."""
    if not access_fields.has_password(text):
        return text
    scheme, separator, rest = text.partition("://")
    return f"{scheme}{separator}{rest.partition('/')[0].partition('?')[0]}"


def check(login: TypedLogin, has_password: bool) -> None:
    """Check that the login is complete. `has_password`: one was typed in this form before. Raises
    Invalid."""
    if login.choice == PASSWORD and not login.username:
        raise invalid("username", "The user name is missing", "Enter it, or choose another login.")
    if login.choice == PASSWORD and not (login.password or has_password):
        raise invalid(
            "password",
            "The password is missing",
            "If the device has an empty password, choose “User name without password”.",
        )
    if login.choice == EMPTY and not login.username:
        raise invalid("username", "The user name is missing", "Enter it, or choose another login.")
    if login.choice == SAVED and not login.credentials:
        raise invalid(
            "credentials", "No credential set is chosen", "Choose one, or enter a user name."
        )


def invalid(name: str, error: str, hint: str) -> Invalid:
    fault = Invalid(error, hint)
    fault.field = name
    return fault
