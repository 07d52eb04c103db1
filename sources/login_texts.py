"""Texts of the findings about a login that RTSP and ONVIF share."""

from fleet import labels

OPEN = "no login required: anyone on its network can watch its video"
WRONG = "wrong user name or password"
DENIED = (
    "the device denies this user the stream (RTSP 403): wrong login, locked account, or missing "
    "permission"
)
PATH_REFUSED = "the device refused the login in the path of the stream"
PATH_ONLY = f"{PATH_REFUSED}. To avoid a lockout, no other login method was tried"
NO_OTHER_METHOD = f"{PATH_REFUSED}, and its other login method is not supported"


def with_attempts(text: str, left: int | None) -> str:
    """The text with the number of login attempts that the device still accepts, if it tells."""
    return text if left is None else f"{text} ({labels.counted(left, 'login attempt')} left)"
