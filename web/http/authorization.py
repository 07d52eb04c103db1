"""Authorize the request: each route names its action or is public, else the app does not start.

Until the first account exists the monitor is open to this machine only.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

from flask import Flask, Response, current_app, g, redirect, render_template, request
from werkzeug.datastructures import Headers

from accounts.model import Person
from accounts.rights import RULES, is_in_scope, scope_for
from fleet.authors import NOBODY
from web.http.auditing import note
from web.http.authentication import (
    RequestAuthenticator,
    TooManyTries,
    host_name,
    is_allowed_network,
    is_private,
    over_command_socket,
    person_of,
)
from web.http.errors import HttpError, wants_page
from web.http.monitor import current_monitor
from web.http.visible_fleet import VisibleFleet, visible_fleet, visible_to

Route = TypeVar("Route", bound=Callable[..., Any])
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
BEARER = 'Bearer realm="Camera Monitor"'
ONLY_HERE = (
    "Camera Monitor is not set up yet",
    "Until the first account is created, only this server can open it. Use the setup link "
    "that was printed at the start, run `cli.py user add NAME` on this server, or open "
    "http://localhost:{port} there as root or as the user who runs Camera Monitor. From "
    "another computer, use a tunnel of that user: ssh -L {port}:localhost:{port} USER@SERVER",
)


def needs(action: str) -> Callable[[Route], Route]:
    """Require the permission for `action`, for example `scan.start`.

    An action on devices is asked about the device that the URL names by `<key>`; a route
    without one asks `visible_fleet()` about each device that it touches.
    """
    if action not in RULES:
        raise RuntimeError(f"There is no action {action}; accounts.rights.RULES lists them")

    def mark(route: Route) -> Route:
        route.action = action  # type: ignore[attr-defined]
        return route

    return mark


def max_body(most_bytes: int) -> Callable[[Route], Route]:
    """Accept a body of so many bytes instead of 1 MB."""

    def mark(route: Route) -> Route:
        route.most_bytes = most_bytes  # type: ignore[attr-defined]
        return route

    return mark


def public(route: Route) -> Route:
    """Mark a route that needs no login."""
    route.action = None  # type: ignore[attr-defined]
    return route


def register(app: Flask) -> None:
    app.before_request(_authorize)


def check_routes(app: Flask) -> None:
    """Refuse to start with a route that names no action. Raises RuntimeError."""
    bare = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static" and not hasattr(app.view_functions[rule.endpoint], "action")
    ]
    if bare:
        raise RuntimeError(f"These routes name no action: {', '.join(bare)}")


def action_of(app: Flask, endpoint: str) -> str | None:
    """The action that the endpoint names; None if it is public."""
    action: str | None = getattr(app.view_functions[endpoint], "action", None)
    return action


def _authorize() -> Any:
    authenticator = current_monitor().authenticator
    if host_name() is None and not over_command_socket():
        raise HttpError(400, "Invalid Host header", "Use the server's name or address in the URL.")
    if not is_allowed_network(authenticator):
        raise HttpError(
            403,
            "Access from this network is not allowed",
            "The setting ALLOWED_NETWORKS lists the allowed networks.",
        )
    if request.method not in SAFE and is_cross_site():
        raise HttpError(
            403,
            "Cross-site request blocked",
            "Use the pages of Camera Monitor itself.",
        )
    endpoint = request.endpoint
    if endpoint == "static" or (endpoint and action_of(current_app, endpoint) is None):
        _read_body()
        return None
    if request.method == "OPTIONS" and is_known_origin():
        return None
    person = _authenticate()
    if person is not None and _read_body():
        person = g.person = authenticator.accounts.refreshed(person)
    if person is None:
        return deny_stranger()
    if endpoint:
        _check_action(person, action_of(current_app, endpoint) or "")
    return None


def _read_body() -> bool:
    """Read the whole body of what changes something; False when there is none to read.

    It may take its sender minutes, in which a right ends. So it is all here before anybody is
    judged. A stranger's is not read. Raises RequestEntityTooLarge.
    """
    if request.method in SAFE or request.endpoint in (None, "static"):
        return False
    route = current_app.view_functions[request.endpoint or ""]
    most: int | None = getattr(route, "most_bytes", None)
    if most is not None:
        request.max_content_length = most
    request.get_data(parse_form_data=True)
    return True


def _authenticate() -> Person | None:
    try:
        person = person_of(current_monitor().authenticator)
        if "failed_name" in g:
            name = current_monitor().authenticator.accounts.name_for_log(g.failed_name)
            note("login.failed", name, "wrong user name or password", by=NOBODY)
        return person
    except TooManyTries as error:
        raise error.as_refusal() from None


def _check_action(person: Person, action: str) -> None:
    """Check the permission. Raises NotFound for a hidden device and HttpError (403)."""
    device, key = None, (request.view_args or {}).get("key")
    if key is not None and RULES[action].level is not None:
        device = visible_fleet().device(key)
    if not is_in_scope(person, action):
        raise _insufficient_scope(person, action)
    if not visible_fleet().may(action, device):
        if person.devices is not None and _unlimited(person).may(action, device):
            raise HttpError(
                403,
                "A token limited to some devices cannot do this",
                "Log in, or create a token for all devices on your account page.",
            )
        raise HttpError(
            403,
            "You don't have permission to do this",
            "An administrator can allow it under Settings > Users.",
        )


def _unlimited(person: Person) -> VisibleFleet:
    """The fleet as the user of a token sees it, without the token's list of devices."""
    return visible_to(current_monitor(), replace(person, devices=None))


def _insufficient_scope(person: Person, action: str) -> HttpError:
    """The answer to a token without the needed scope (RFC 6750, 3.1)."""
    needed = scope_for(action)
    challenge = f'{BEARER}, error="insufficient_scope"' + (f', scope="{needed}"' if needed else "")
    return HttpError(
        403,
        f'A token with the scope "{person.scope}" cannot do this ({action})',
        f'Create a token with the scope "{needed}" on your account page.'
        if needed
        else "Tokens cannot do this. Log in instead.",
        {"WWW-Authenticate": challenge},
    )


def _challenges(authenticator: RequestAuthenticator) -> Headers:
    """The login methods for a script. Basic is offered where it is taken, and to no browser,
    which would ask for name and password in a window of its own."""
    challenges = Headers([("WWW-Authenticate", BEARER)])
    if is_private(authenticator) and "Sec-Fetch-Mode" not in request.headers:
        challenges.add("WWW-Authenticate", 'Basic realm="Camera Monitor", charset="UTF-8"')
    return challenges


def deny_stranger() -> Any:
    """The answer to a request without valid credentials: the login page, or an error."""
    authenticator = current_monitor().authenticator
    if authenticator.accounts.has_any():
        if wants_page():
            back = request.full_path if request.query_string else request.path
            is_place = request.method == "GET" and request.path != "/setup"
            path = back if is_place and back != "/" else ""
            return redirect(f"/login?next={quote(path, safe='/')}" if path else "/login", 303)
        raise HttpError(401, *_credentials_error(authenticator), _challenges(authenticator))
    error, hint = ONLY_HERE
    port = request.environ.get("SERVER_PORT", "5000")
    if wants_page():
        return Response(render_template("closed.html", port=port), 403)
    raise HttpError(403, error, hint.format(port=port))


def _credentials_error(authenticator: RequestAuthenticator) -> tuple[str, str]:
    """The error and the hint for the credentials; never whether the account exists."""
    kind = request.headers.get("Authorization", "").partition(" ")[0].lower()
    if not kind:
        return "Login required", "Send a token as Authorization: Bearer ..., or log in at /login."
    if kind == "bearer":
        return (
            "This token or login is not valid",
            "It may have expired, or the token may be incomplete. Create a new token on your "
            "account page, or log in again.",
        )
    if kind != "basic":
        return (
            "This kind of Authorization header is not supported",
            "Send a token as Authorization: Bearer ...",
        )
    if not is_private(authenticator):
        return (
            "Name and password are accepted only over HTTPS or on this server",
            "Use HTTPS, or send a token as Authorization: Bearer ...",
        )
    return (
        "Wrong user name or password",
        "Check both, or send a token as Authorization: Bearer ... An administrator can set a "
        "new password under Settings > Users.",
    )


def is_cross_site() -> bool:
    """True if a browser says that another site sent the request; a script sends neither header.

    Only the host is compared: behind a proxy that ends TLS the scheme is not known.
    """
    if is_known_origin():
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] != request.host


def is_known_origin() -> bool:
    """True for a web site that ALLOWED_ORIGINS names; it must send a token, not a cookie."""
    return request.headers.get("Origin") in current_monitor().authenticator.allowed_origins
