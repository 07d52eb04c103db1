"""Jobs: their rows, running one now, and confirming the date."""

from fleet.patience import AUTO_SCAN
from web.http.auditing import note
from web.http.errors import Problem
from web.http.monitor import monitor
from web.http.shapes.scans import JobRow, job_row


def job_rows() -> list[JobRow]:
    """Every job as a row."""
    return [
        job_row(job.name, job.title, state, next_run)
        for job, state, next_run in monitor().scheduler.rows()
    ]


def auto_scan_job() -> JobRow:
    """The row of the auto-scan job, for the page."""
    return next(one for one in job_rows() if one["name"] == AUTO_SCAN)


def run_job(name: str) -> None:
    """Run a job now, out of turn. Raises Problem (404)."""
    if not monitor().scheduler.run_now(name):
        raise Problem(404, f"There is no job {name[:60]}", "GET /api/jobs lists the jobs.")


def confirm_clock() -> None:
    """Accept the date, so that entries are judged by their age again."""
    here = monitor()
    here.trusted.confirm()
    note("clock.confirmed", "clock", f"{here.clock().isoformat(timespec='seconds')} is right")
