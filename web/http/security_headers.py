"""Security headers of every response: content policy, framing, caching, and CORS."""

from flask import Flask, Response, request

from web.http.authorization import is_known_origin
from web.http.monitor import current_monitor

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
"""Everything comes from this server. `blob:` is what a script of a page made of bytes that it
fetched here: the frames of a live picture (Media Source Extensions, W3C, 2.4.1) and stills."""


def register(app: Flask) -> None:
    app.after_request(_set_headers)


def _set_headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    if "Cache-Control" not in headers and request.endpoint != "static":
        headers["Cache-Control"] = "no-store"
    if current_monitor().authenticator.allowed_origins:
        response.vary.add("Origin")
        if is_known_origin():
            headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            headers["Access-Control-Allow-Methods"] = "GET, POST, PATCH, DELETE"
            headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
