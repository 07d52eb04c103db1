"""Create a link that plays a recording, for pages and the API."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from flask import request

from web.http.actions.recordings import recording_for
from web.http.auditing import note
from web.http.monitor import current_monitor
from web.http.recording_links import Link, signature
from web.http.visible_fleet import visible_fleet


def create_link(id: int, minutes: int) -> tuple[str, datetime]:
    """A link to a recording and when it ends, written to the audit log. Raises HttpError."""
    recording, person = recording_for(id, "recording.share"), visible_fleet().person
    until = int((current_monitor().clock() + timedelta(minutes=minutes)).timestamp())
    link = Link(id, until, person.user or 0, person.token or 0)
    query = {"until": until, "user": link.user}
    if link.token:
        query["token"] = link.token
    signed = urlencode({**query, "signature": signature(current_monitor(), link)})
    text = f"Created a link to the recording {id}, valid for {minutes} min"
    note("recording.linked", f"camera {recording.device}", text)
    url = f"{request.host_url}api/recordings/{id}/shared.mp4?{signed}"
    return url, datetime.fromtimestamp(until, UTC)
