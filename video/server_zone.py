"""The time zone of this server, by its IANA name."""

import logging
import warnings
from functools import cache
from zoneinfo import ZoneInfoNotFoundError

from video.schedule_check import zones

log = logging.getLogger(__name__)


@cache
def server_zone() -> str:
    """The name of the zone of this server, `UTC` where it has none."""
    from tzlocal import get_localzone_name

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a zone without a name
            name = get_localzone_name()
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        log.warning("The time zone of this server has no name (%s); schedules use UTC", error)
        return "UTC"
    return name if name in zones() and name != "Etc/UTC" else "UTC"
