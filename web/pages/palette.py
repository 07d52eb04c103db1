"""The command palette: the pages and actions that a person has, loaded when it is first opened."""

from flask import Blueprint, render_template, request

from web.http.authorization import needs
from web.http.monitor import current_monitor
from web.http.redirects import own_path
from web.http.visible_fleet import visible_fleet
from web.pages.filter_titles import FILTERS
from web.pages.watching import watching

bp = Blueprint("palette_pages", __name__)
PAGES = (
    ("/wall", "Wall", "video.view", "live view cameras multi tiles"),
    ("/wall/edit", "New wall", "video.view", "live view tiles create"),
    ("/stills", "Stills", "still.view", "pictures snapshots photos contact sheet hours"),
    ("/recordings", "Recordings", "recording.view", "video play download playback"),
    (
        "/recordings/coverage",
        "Coverage",
        "recording.view",
        "recordings missing gaps retention disk",
    ),
    ("/schedules", "Schedules", "schedule.view", "recording plan week times"),
    ("/schedules/edit", "New schedule", "schedule.edit", "recording plan create"),
    ("/cameras/add", "Add camera", "device.add", "new rtsp onvif url address recorder"),
    ("/scan-range", "Scan a range", "scan.start", "addresses subnet cidr inbox"),
    ("/cameras/import", "Import cameras", "device.add", "add bulk list csv paste"),
    ("/settings/sources", "Sources", "settings.view", "settings data panasonic dahua"),
    ("/settings/jobs", "Jobs", "job.view", "settings schedule"),
    ("/settings/workbook", "Workbook", "workbook.edit", "settings excel upload recorders import"),
    ("/settings/ignored", "Ignored devices", "device.add", "settings ignore undo channels"),
    ("/settings/cleanup", "Cleanup", "fleet.clean", "settings delete retire old"),
    ("/settings/users", "Users", "user.manage", "settings accounts permissions roles"),
    ("/settings/audit", "Audit", "audit.view", "settings log changes who"),
    ("/settings/about", "About", "settings.view", "settings version licences"),
    ("/api/docs", "API", "docs.view", "documentation openapi"),
)
"""(path, title, action that it needs, other words that find it)"""


@bp.get("/parts/palette")
@needs("docs.view")
def part() -> str:
    """The options but for the devices. `back`: the page to return to."""
    monitor = current_monitor()
    return render_template(
        "parts/palette_options.html",
        pages=PAGES,
        filters=FILTERS,
        scan=monitor.scanner.progress(),
        watch=watching(monitor, visible_fleet().statuses()),
        auto_scan=monitor.has_auto_scan(),
        back=own_path(request.args.get("back", "/")),
    )
