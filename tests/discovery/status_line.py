"""A source as somebody would add it: one question over TCP, one line back.

`tests/discovery/test_new_source.py` puts this file into a copy of `sources/`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fleet.model import NoAnswer, Report, Sighting, Target
from sources.source import SessionRefused, Source

NAME = "status_line"


@dataclass(frozen=True, slots=True)
class Options:
    """It has none."""


def build(options: Options, clock: Callable[[], datetime]) -> Source:
    async def probe(target: Target) -> Sequence[Report]:
        reader, writer = await asyncio.open_connection(target.host, target.port)
        try:
            writer.write(b"STATUS\n")
            words = (await reader.readline()).decode("ascii", "replace").split()
        except ValueError:  # a line of more than 64 KB, which is all that the reader takes
            raise NoAnswer("it does not answer in this protocol") from None
        finally:
            writer.close()
        if words == ["BUSY"]:
            raise SessionRefused("all its sessions are in use")
        if len(words) != 3 or words[0] != "OK":
            raise NoAnswer("it does not answer in this protocol")
        return [
            Sighting(
                *(target.site, (target.key,), NAME, clock()),
                address=target.host,
                serial=words[1],
                model=words[2],
            )
        ]

    return Source(NAME, "Status-line devices", timeout=2, probe=probe, cap=40, takes_session=True)
