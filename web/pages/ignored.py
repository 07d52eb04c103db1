"""The settings page of ignored devices: what scans never add, and the way back."""

from typing import Any

from flask import Blueprint, Response, render_template, request

from fleet.edit.ignoring import MAX_IGNORED
from fleet.model import Refused
from fleet.texts import sentences
from web.http.actions import ignored
from web.http.authorization import needs
from web.http.errors import page_hint, status_of

bp = Blueprint("ignored_pages", __name__)
SHOWN = 1000


@bp.get("/settings/ignored")
@needs("device.add")
def index() -> str:
    """All that is ignored."""
    return _page()


@bp.post("/settings/ignored")
@needs("device.add")
def stop() -> Any:
    """The button "Stop ignoring"."""
    try:
        count, undo = ignored.stop_ignoring({*request.form.getlist("key")[:MAX_IGNORED]})
    except Refused as error:
        fault = sentences(error.error, page_hint(error.hint))
        return Response(_page(fault=fault), status_of(error))
    noun = "device or channel is" if count == 1 else "devices or channels are"
    return _page(done=f"{count:,} {noun} no longer ignored. The next scan can add them", undo=undo)


def _page(**more: Any) -> str:
    rows = ignored.rows()
    return render_template(
        "settings_ignored.html", rows=rows[:SHOWN], more=max(0, len(rows) - SHOWN), **more
    )
