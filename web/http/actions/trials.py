"""Begin connection tests, in the name of the person of the request."""

from discovery.trial_steps import TrialRequest
from discovery.trials import TooManyTrials, Trial
from fleet.model import CannotAsk
from web.http.auditing import note
from web.http.errors import HttpError
from web.http.monitor import current_monitor


def begin(request: TrialRequest) -> Trial:
    """Begin a connection test, and write it into the audit log. Raises HttpError (503) when too
    many run already, or while this server stops."""
    try:
        trial = current_monitor().scanner.try_out(request)
    except TooManyTrials:
        raise HttpError(
            503,
            "Too many connection tests are running",
            "Test again in a few seconds.",
            {"Retry-After": "5"},
        ) from None
    except CannotAsk as error:
        raise HttpError(503, error.reason, "Try again in a minute.") from None
    note("device.tested", "connection", f"Connection test of {request.host}")
    return trial
