"""Rotate the key that seals the stored passwords."""

from flask import Blueprint, Response

from web.http.auditing import note
from web.http.authorization import needs
from web.http.monitor import current_monitor
from web.http.payloads import describes, json_response
from web.http.shapes.accounts import RotatedKeys, rotated_keys

bp = Blueprint("keys", __name__)


@bp.post("/api/keys/rotate")
@needs("key.rotate")
@describes(answer=RotatedKeys, errors=(503, 507))
def rotate() -> Response:
    """Encrypt all stored passwords with a new key, then delete the old keys."""
    monitor = current_monitor()
    count = monitor.secrets.rotate() if monitor.secrets.needs_key() else None
    if count is not None:
        note(
            "keys.rotated",
            "keys",
            f"{count} {'password' if count == 1 else 'passwords'} encrypted with a new key",
        )
    return json_response(rotated_keys(count))
