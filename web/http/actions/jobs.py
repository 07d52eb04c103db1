"""Jobs: their rows, running one now, and confirming the date."""

from dataclasses import replace
from datetime import datetime

from discovery.scheduler import JobState
from fleet import labels
from fleet.authors import AUTO_SCAN_AUTHOR
from fleet.status_rules import AUTO_SCAN
from web.http.auditing import note
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.shapes.scans import JobRow, ScanRow, job_row
from web.http.visible_fleet import visible_fleet


def job_rows() -> list[JobRow]:
    """Every job as a row. A scan that a person started is a run of its job too."""
    return [
        job_row(job.name, job.title, _with_last_scan(state) if job.name == AUTO_SCAN else state, at)
        for job, state, at in current_monitor().scheduler.rows()
    ]


def _with_last_scan(state: JobState) -> JobState:
    """The state of the scan job after the last scan, if the job itself has not run since."""
    last = visible_fleet().last_scan()
    at = datetime.fromisoformat(last["at"]) if last else None
    if not last or not at or (state.last_run and state.last_run >= at):
        return state
    if state.last_run and last.get("by") == AUTO_SCAN_AUTHOR:
        return state  # this is the scan of that run
    finished = last.get("finished")
    return replace(
        state,
        last_run=at,
        took=(datetime.fromisoformat(finished) - at).total_seconds() if finished else None,
        last_result=_scan_result(last),
        last_error=last.get("error") or "",
    )


def _scan_result(scan: ScanRow) -> str:
    """Such as `39 devices online, started by anna`."""
    by = scan.get("by", AUTO_SCAN_AUTHOR)
    started = "" if by == AUTO_SCAN_AUTHOR else f", started {labels.author(by)}"
    if scan.get("state") == "cancelled":
        return f"Stopped{started}"
    return labels.counted(scan.get("found", 0), "device") + f" online{started}"


def auto_scan_job() -> JobRow:
    """The row of the auto-scan job, for the page."""
    return next(row for row in job_rows() if row["name"] == AUTO_SCAN)


def run_job(name: str) -> None:
    """Run a job now, out of turn. Raises HttpError (404)."""
    if not current_monitor().scheduler.run_now(name):
        raise HttpError(404, f"Job {name[:60]} does not exist", "GET /api/jobs lists the jobs.")


def confirm_clock() -> None:
    """Accept the date, so that entries are judged by their age again."""
    monitor = current_monitor()
    monitor.trusted.confirm()
    note("clock.confirmed", "clock", f"{monitor.clock().isoformat(timespec='seconds')} is correct")
