"""Take the picture of a camera that is not saved, in a connection test that has logged in: its
snapshot, or one key frame of its stream. Nothing of it is kept here."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic

from discovery.opened_streams import opened_stream
from discovery.trial_probes import TrialLogin
from discovery.trial_reports import Reports, is_channel, sightings_of
from discovery.trial_steps import ONVIF, TrialConnection, TrialPicture
from fleet.channels import SNAPSHOT
from fleet.model import Report, Target
from fleet.pictures import NotOffered, NotTaken, TakenPicture, jpeg_size
from sources import rtsp, snapshot_http
from sources.rtsp_play import Opening
from sources.source import Source
from video.model import OpenedStream

SNAPSHOT_LIMIT, OPEN_LIMIT, KEY_LIMIT = 6.0, 10.0, 8.0
"""Seconds for a snapshot, for opening a stream, and for its key frame."""
REFUSED_LASTS = 600.0
"""Seconds for which no login is sent for a picture to a place that refused it."""
MOST_REFUSED = 200
REFUSED = "It refused the login for its picture a moment ago, so it is not asked again now."
NOT_OPENED = "The device did not play its stream."
LATE = "No snapshot within {:.0f} s."


@dataclass(frozen=True, slots=True)
class TrialPictures:
    """`read_key` takes the picture of a stream that plays within so many seconds, and ends it;
    `make_small` makes a small JPEG of a large one. Both block."""

    clock: Callable[[], datetime]
    read_key: Callable[[OpenedStream, float], TakenPicture]
    make_small: Callable[[bytes], bytes | None]
    timer: Callable[[], float] = monotonic
    _refused: "OrderedDict[Hashable, float]" = field(default_factory=OrderedDict)
    """Where a picture refused a login that the device accepts, and when."""

    async def take(
        self, login: TrialLogin, source: Source, connection: TrialConnection, reports: Reports
    ) -> TrialPicture:
        """The picture of a device that reported this with its login. Raises NotTaken, NotOffered
        where this connection has none."""
        request = login.request
        place = (
            request.host,
            connection.source,
            connection.port,
            connection.path,
            request.username,
        )
        if self.timer() - self._refused.get(place, -REFUSED_LASTS) < REFUSED_LASTS:
            raise NotTaken(REFUSED)
        try:
            if connection.source == ONVIF:
                taken = await self._snapshot(login, source, connection, reports)
            else:
                taken = await self._key_frame(login, connection)
        finally:
            if login.spare(connection):
                self._note_refusal(place)
        data = await asyncio.to_thread(self.make_small, taken.data)
        if data is None:
            raise NotTaken("Its picture cannot be decoded.")
        return TrialPicture(data, taken.width, taken.height, taken.taken_at)

    def _note_refusal(self, place: Hashable) -> None:
        """Remember it, so that no series of tests locks the account."""
        self._refused[place] = self.timer()
        while len(self._refused) > MOST_REFUSED:
            self._refused.popitem(last=False)

    async def _snapshot(
        self, login: TrialLogin, source: Source, connection: TrialConnection, reports: Reports
    ) -> TakenPicture:
        links = [each.links for each in sightings_of(reports) if not is_channel(each)]
        link = next((known[SNAPSHOT] for known in links if known.get(SNAPSHOT)), "")
        if not link:
            raise NotOffered("The device offers no snapshot.")
        snapshots = list[snapshot_http.Snapshot]()

        async def probe(target: Target) -> Sequence[Report]:
            # Its login was accepted a moment ago: one more attempt is not the first one.
            target = replace(target, works_elsewhere=True)
            snapshots.append(await snapshot_http.take(target, link, self.clock, SNAPSHOT_LIMIT))
            return [snapshots[0].proof]

        asked = replace(source, probe=probe, timeout=SNAPSHOT_LIMIT)
        outcome = await login.with_login(asked, connection)
        if not snapshots:
            is_late = isinstance(outcome, TimeoutError)
            raise NotTaken(
                LATE.format(SNAPSHOT_LIMIT) if is_late else "The device gave no snapshot."
            )
        [snapshot] = snapshots
        if snapshot.trouble is not None:
            raise NotTaken(snapshot.trouble.reason, snapshot.trouble.hint)
        width, height = jpeg_size(snapshot.data)
        return TakenPicture(snapshot.data, width, height, self.clock(), SNAPSHOT)

    async def _key_frame(self, login: TrialLogin, connection: TrialConnection) -> TakenPicture:
        opening = Opening()
        try:
            source = rtsp.opening_source(self.clock, opening, OPEN_LIMIT)
            await login.with_login(source, connection)
            played = opening.take()
        finally:
            opening.close()
        if played is None:
            raise NotTaken(NOT_OPENED)
        pump = asyncio.create_task(played.pump.run()) if played.pump else None
        try:
            return await asyncio.to_thread(self.read_key, opened_stream(played), KEY_LIMIT)
        finally:
            if pump:
                pump.cancel()
