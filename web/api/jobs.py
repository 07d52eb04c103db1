"""Jobs: list them, run one now; confirm the date after the clock was wrong."""

from flask import Blueprint, Response

from web.http.actions.jobs import confirm_clock, job_rows, run_job
from web.http.authorization import needs
from web.http.payloads import describes, json_response
from web.http.shapes.scans import JobRow, Started, started

bp = Blueprint("jobs", __name__)


@bp.get("/api/jobs", strict_slashes=False)
@needs("job.view")
@describes(answer=list[JobRow])
def jobs() -> Response:
    """List the background jobs with their last run, next run and last error."""
    return json_response(job_rows())


@bp.post("/api/jobs/<name>/run")
@needs("job.run")
@describes(answer=Started, errors=(404,))
def run(name: str) -> Response:
    """Run a job now."""
    run_job(name)
    return json_response(started("Job started"))


@bp.post("/api/clock/confirm")
@needs("fleet.clean")
@describes(answer=Started, errors=(507,))
def confirm() -> Response:
    """Confirm the date after the clock jumped ahead, so that old entries are deleted again."""
    confirm_clock()
    return json_response(started("Date confirmed"))
