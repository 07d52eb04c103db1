"""Register the web part on a Flask app: the hooks of every request, the API and the pages."""

from flask import Flask

import web.api.coverage
import web.api.credentials
import web.api.devices
import web.api.live
import web.api.picture_health
import web.api.stills
import web.api.users
import web.pages.coverage
import web.pages.credentials
import web.pages.events
import web.pages.imports
import web.pages.picture_health
import web.pages.ranges
import web.pages.recordings
import web.pages.schedules
import web.pages.stills
import web.pages.users
from fleet import labels
from fleet.model import DEFAULT_SITE
from web.api import (
    audit_log,
    auth,
    cameras,
    cctv,
    cctv_recording,
    cctv_schedules,
    cctv_streams,
    deletion,
    dvrs,
    events,
    export,
    health,
    imports,
    jobs,
    keys,
    metrics,
    ranges,
    recordings,
    saved_cameras,
    scans,
)
from web.http import (
    authorization,
    compression,
    errors,
    hosts,
    openapi,
    payloads,
    remedies,
    route_numbers,
    security_headers,
    visible_fleet,
)
from web.http.monitor import Monitor
from web.pages import (
    adding,
    audit,
    bulk,
    caches,
    cleanup,
    connection,
    dates,
    event_groups,
    filter_panel,
    fleet,
    health_view,
    ignored,
    live,
    login,
    manifest,
    new_camera,
    nouns,
    palette,
    pickers,
    record,
    saved_views,
    scan_causes,
    settings,
    sites,
    suggestions,
    wall,
    workbook,
)

MAX_BODY = 1 << 20
"""Bytes of a request's body, where its route does not say more."""
API = (
    *(
        cameras,
        saved_cameras,
        cctv,
        cctv_recording,
        cctv_schedules,
        cctv_streams,
        web.api.live,
        web.api.devices,
        imports,
        deletion,
        dvrs,
        scans,
        ranges,
    ),
    *(web.api.stills, web.api.picture_health, recordings, web.api.coverage),
    *(jobs, events, export, health, metrics),
    *(auth, web.api.users, web.api.credentials, keys, audit_log, openapi),
)
PAGES = (
    adding,
    connection,
    fleet,
    bulk,
    web.pages.imports,
    web.pages.ranges,
    web.pages.schedules,
    pickers,
    suggestions,
    filter_panel,
    saved_views,
    palette,
    web.pages.stills,
    web.pages.picture_health,
    web.pages.events,
    web.pages.recordings,
    sites,
    record,
    wall,
    web.pages.coverage,
    workbook,
    cleanup,
    ignored,
    settings,
    manifest,
    web.pages.credentials,
    web.pages.users,
    audit,
    login,
)


def register(app: Flask, monitor: Monitor) -> None:
    """Register all hooks, routes, error handlers and template filters.

    Raises RuntimeError for a route that names no action.
    """
    app.extensions["monitor"] = monitor
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    for module in (
        hosts,
        route_numbers,
        authorization,
        security_headers,
        payloads,
        errors,
        compression,
        dates,
        caches,
        live,
        nouns,
    ):
        module.register(app)
    for module in (*API, *PAGES):
        app.register_blueprint(module.bp)
    app.jinja_env.filters["site"] = labels.site_name
    app.jinja_env.filters["author"] = labels.author
    app.jinja_env.filters["causes"] = remedies.causes
    app.jinja_env.filters["with_addresses"] = scan_causes.with_addresses
    app.jinja_env.globals.update(
        monitor=monitor,
        status_titles=fleet.STATUS_TITLES,
        mark_of=event_groups.mark_of,
        event_picture=health_view.event_picture,
        no_site=DEFAULT_SITE,
        theme=settings.theme,
        credential_sets=new_camera.offered_sets,
        can=visible_fleet.can,
        person=visible_fleet.current_person,
    )
    authorization.check_routes(app)
