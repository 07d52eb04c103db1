"""Who may. Every route names an action, or says that it is open; without, no start.

Until the first account exists the house is open to this machine only.
"""

import ipaddress
import os
import socket
import struct
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, render_template, request

from web.errors import Problem, wants_page

Route = TypeVar("Route", bound=Callable[..., Any])
FORWARDED = ("forwarded", "x-forwarded-", "x-real-ip", "via")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
ONLY_HERE = (
    "This Camera Monitor answers only to its own machine until it has an account",
    "Open it on that machine as http://localhost:{port}, or through a tunnel: "
    "ssh -L {port}:localhost:{port} THAT-MACHINE",
)


def needs(action: str) -> Callable[[Route], Route]:
    """The route is for those who may do `action`, for example `scan.start`."""

    def mark(route: Route) -> Route:
        route.action = action  # type: ignore[attr-defined]
        return route

    return mark


def is_open(route: Route) -> Route:
    """The route is for everybody, a stranger too."""
    route.action = None  # type: ignore[attr-defined]
    return route


def register(app: Flask) -> None:
    app.before_request(_check)
    app.after_request(_harden)


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
    """The action that the endpoint names; None when it is open."""
    found: str | None = getattr(app.view_functions[endpoint], "action", None)
    return found


def _check() -> Response | None:
    from flask import current_app

    endpoint = request.endpoint
    if request.method not in SAFE and is_cross_site():
        raise Problem(
            403,
            "Another web site tried to change something here",
            "Do it on the page of Camera Monitor itself.",
        )
    if endpoint is None or endpoint == "static" or action_of(current_app, endpoint) is None:
        return None
    return None if over_command_socket() or is_this_machine() else _closed()


def _closed() -> Response:
    error, hint = ONLY_HERE
    hint = hint.format(port=request.environ.get("SERVER_PORT", "5000"))
    if wants_page():
        return Response(render_template("closed.html", error=error, hint=hint), 403)
    raise Problem(403, error, hint)


def over_command_socket() -> bool:
    """The request came by `house.sock` from its owner or root: trusted, no login."""
    sock = request.environ.get("gunicorn.socket")
    if sock is None or sock.family != socket.AF_UNIX:
        return False
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid = struct.unpack("3i", raw)[1]
    return uid in (0, os.getuid())


def is_this_machine() -> bool:
    """From a loopback address, not through a proxy, by a name of this machine.

    The name is checked so that a web page elsewhere cannot reach in by a DNS name that
    leads to 127.0.0.1.
    """
    if any(name.lower().startswith(FORWARDED) for name, _value in request.headers):
        return False
    return is_loopback(request.remote_addr or "") and is_local_name(request.host)


def is_local_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or is_loopback(name)


def is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def is_cross_site() -> bool:
    """A browser says so itself; a script sends neither header and passes."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] != request.host


def _harden(response: Response) -> Response:
    headers = response.headers
    headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    )
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    if "Cache-Control" not in headers and request.endpoint != "static":
        headers["Cache-Control"] = "no-store"
    return response
