"""A server whose devices go down and come back all the time, by reports of its one source.

    gunicorn --config gunicorn.conf.py bench.lively:app

Everything behind the source is as it always is: batches, the file, the journal, the pages.
"""

import asyncio
from datetime import UTC, datetime

import app as server
import settings as options
from bench import fleets
from fleet.model import Miss
from simulators.panasonic import crowd
from sources.source import Reports, Source

EACH_SECOND = 10
SIZE = 10_000


async def listen() -> Reports:
    """Ten devices a second, spread over the fleet; each goes, and is back five seconds later."""
    cameras, number = crowd(SIZE), 0
    while True:
        at = datetime.now(UTC)
        turn, place = divmod(number, 5 * EACH_SECOND)
        camera = cameras[(turn // 2 * 5 * EACH_SECOND + place) * 7919 % SIZE]
        if turn % 2 == 0:
            yield Miss(f"mac:{camera.mac}", "panasonic", at, "no response to 12 requests on lo")
        else:
            for report in fleets.reports_of([camera], at):
                yield report
        number += 1
        await asyncio.sleep(1 / EACH_SECOND)


app = server.create_app(
    server.build_monitor(
        options.load(), sources=[Source("panasonic", "Devices", 5.0, listen=listen)]
    )
)
