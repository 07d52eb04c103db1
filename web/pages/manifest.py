"""The web app manifest, so that a phone can keep the page on its home screen under its own name."""

from flask import Blueprint, Response, json

from web.http.authorization import needs
from web.http.monitor import current_monitor

bp = Blueprint("manifest_pages", __name__)
BACKGROUND, BAR = "#f5f6f7", "#ffffff"
"""Colours of the light theme in static/style.css; a manifest has no second set for the dark one."""
ICONS = (
    ("icon.svg", "image/svg+xml", "any", "any"),
    ("icon-192.png", "image/png", "192x192", "any"),
    ("icon-512.png", "image/png", "512x512", "any"),
    ("icon-maskable-512.png", "image/png", "512x512", "maskable"),
)


@bp.get("/manifest.webmanifest")
@needs("docs.view")
def manifest() -> Response:
    """The manifest (W3C, Web Application Manifest) with the name of this server."""
    name = current_monitor().name
    members = {
        "id": "/",
        "name": name,
        "short_name": name if len(name) <= 12 else "Cameras",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": BACKGROUND,
        "theme_color": BAR,
        "icons": [
            {"src": f"/static/{file}", "type": kind, "sizes": sizes, "purpose": purpose}
            for file, kind, sizes, purpose in ICONS
        ],
    }
    return Response(json.dumps(members), mimetype="application/manifest+json")
