"""The pages about places: sites with their counts, and the workbook of recorders."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request

from fleet import listing, status
from fleet.model import NotThere
from sources.workbook import MOST_BYTES, NotReadable
from web import shapes
from web.audits import note
from web.errors import Problem
from web.gate import needs
from web.house import house
from web.sight import sight

bp = Blueprint("site_pages", __name__)


@dataclass(slots=True)
class Site:
    """One site with the counts of its devices by word."""

    name: str
    stores: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.counts.total()

    @property
    def up(self) -> int:
        return sum(self.counts[word] for word in status.UP)

    @property
    def worst(self) -> str:
        """The status that its row shows: the worst one that is there."""
        order = (status.OFFLINE, status.UNREACHABLE, status.MISSING, status.UNKNOWN)
        return next((word for word in order if self.counts[word]), status.ACTIVE)


def sites() -> list[Site]:
    """All sites that this person sees something of, those with trouble first."""
    devices, statuses = sight().statuses()
    found: dict[str, Site] = {}
    for device in devices.values():
        if device.retired_at is None and device.kind in shapes.CAMERAS:
            site = found.setdefault(device.site, Site(device.site))
            site.counts[statuses[device.id]] += 1
            if store := device.facts.get(listing.SOURCE, {}).get("store"):
                site.stores.add(str(store))
    return sorted(found.values(), key=lambda one: (one.up == one.total, one.name.casefold()))


@bp.get("/sites")
@needs("device.list")
def index() -> str:
    """Every site with its stores and counts."""
    return render_template("sites.html", sites=sites())


@bp.get("/settings/workbook")
@needs("workbook.edit")
def workbook() -> str:
    """The workbook: what was read, which rows were not, and the form for a new one."""
    return _page()


def _page(**more: Any) -> str:
    here = house()
    return render_template(
        "settings_workbook.html",
        path=here.workbooks.path,
        state=here.workbooks.state,
        pending=here.workbooks.pending(),
        can_undo=here.uploads.can_undo,
        **more,
    )


@bp.post("/settings/workbook")
@needs("workbook.edit")
def upload() -> Any:
    """The form "Look at it": what the new workbook would change."""
    request.max_content_length = MOST_BYTES + 4096
    file = request.files.get("file")
    if file is None or not file.filename:
        return Response(_page(fault="Choose a workbook first."), 422)
    try:
        preview = house().uploads.preview(file.stream.read(MOST_BYTES + 1))
    except NotReadable as error:
        return Response(_page(fault=str(error)), 422)
    return _page(preview=preview)


@bp.post("/settings/workbook/commit")
@needs("workbook.edit")
def commit() -> Any:
    """The button "Use it"."""
    return _done(lambda: house().uploads.commit(request.form.get("key", "")), "a new workbook")


@bp.post("/settings/workbook/undo")
@needs("workbook.edit")
def undo() -> Any:
    """The button "Undo": the workbook from before."""
    return _done(house().uploads.undo, "the workbook from before")


def _done(act: Any, what: str) -> Any:
    try:
        said = act()
    except NotThere as error:
        return Response(_page(fault=f"{error.error}. {error.hint}"), 404)
    except OSError as error:
        raise Problem(
            507,
            f"{house().workbooks.path} cannot be written ({error.strerror})",
            "Make room or give this user the right to write it.",
        ) from None
    note("workbook.changed", house().workbooks.path.name, f"{what}: {said}")
    return redirect("/settings/workbook", 303)
