"""Jobs: their rows, running one now, and confirming the date."""

from fleet.status_rules import AUTO_SCAN
from web.http.auditing import note
from web.http.errors import HttpError
from web.http.monitor import current_monitor
from web.http.shapes.scans import JobRow, job_row


def job_rows() -> list[JobRow]:
    """Every job as a row."""
    return [
        job_row(job.name, job.title, state, next_run)
        for job, state, next_run in current_monitor().scheduler.rows()
    ]


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
