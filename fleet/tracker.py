"""Apply reports to the fleet: one durable write and a list of events for each batch."""

import logging
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from fleet import identity, labels, reducer, state, validation
from fleet.channels import is_channel
from fleet.database import original_format
from fleet.database.fleet_store import FleetStore
from fleet.edit import bulk
from fleet.model import (
    Device,
    Edit,
    Event,
    Fleet,
    Invalid,
    Refused,
    Report,
    Sighting,
    SpentLogins,
)
from fleet.queries import device_behind
from fleet.reduce import learning
from fleet.rejected import RejectedReports
from fleet.status import Rules
from store.json_file import CannotKeep

log = logging.getLogger(__name__)
LAZY_WRITE_AFTER = timedelta(seconds=55)
"""What only moves times and counts is written at the tick after this long: within a minute."""

LOST = "cannot be written because of an internal error; see the log."


Precondition = Callable[[], Exception | None]
"""Called just before a change is made; returns the error that forbids it, or None."""


def no_precondition() -> None:
    """The precondition that always holds: the program itself acts."""


@dataclass(slots=True)
class _Batch:
    """One caller's reports, waiting for their turn."""

    reports: Sequence[Report]
    now: datetime
    precondition: Precondition = no_precondition
    refused: MutableMapping[int, Any] | None = None
    done: bool = False
    events: list[Event] = field(default_factory=list)
    error: Exception | None = None

    @property
    def must_be_durable(self) -> bool:
        """A person waits for this: without a durable write it is refused."""
        return any(isinstance(report, Edit | state.Durable) for report in self.reports)

    @property
    def should_be_written(self) -> bool:
        """A refused login is written at once: a crash must not give the device's budget back."""
        return self.must_be_durable or any(map(_is_of_budget, self.reports))

    def accepted(self) -> Sequence[Report]:
        """The reports that nothing forbids so far."""
        refused = self.refused or {}
        return [report for place, report in enumerate(self.reports) if place not in refused]


def _is_of_budget(report: Report) -> bool:
    if isinstance(report, Sighting):
        return learning.has_refusal(report.learned)
    return isinstance(report, SpentLogins)


def _with_event(fleet: Fleet, event: Event) -> Fleet:
    return replace(fleet, outbox=(*fleet.outbox, event))


class Tracker:
    """The fleet behind one lock. Readers take the current immutable snapshot."""

    def __init__(self, store: FleetStore, rules: Callable[[], Rules]) -> None:
        self.store = store
        self.rules = rules
        self.damage = ""
        self.notice = ""
        self.update_notice = ""
        """That the file was updated from another format, once that is written."""
        self.trouble = ""
        self.replaced = ""
        self.was_original = False
        self.on_events: Callable[[], None] = lambda: None
        self._fleet = Fleet()
        self._lock = Lock()
        self._waiting: deque[_Batch] = deque()
        self._set_aside = RejectedReports()
        self._written: Fleet | None = None
        self._written_at: datetime | None = None

    # -- opening and closing -------------------------------------------------------------

    def open(self) -> None:
        """Own what is kept and read it. Raises CannotOpen in words."""
        opened = self.store.open()
        self._fleet, self.damage = opened.fleet, opened.damage
        self.was_original, self.notice = opened.is_original, opened.notice
        if self.damage:
            log.error("%s", self.damage)
        if opened.is_current:
            self._written = self._fleet

    def continue_above(
        self, sequence: int, device: int, now: datetime, notices: Sequence[str] = ()
    ) -> None:
        """Number events and devices above what the journal has: the file may be an older
        copy, and the number of one device must never become that of another.

        The journal tells of the `notices`, and of a file of the former tracker that took the
        place of a fleet.
        """
        with self._lock:
            fleet, kept, old = self._fleet, None, Fleet()
            if self.was_original:
                kept, old = self.store.newest_copy()
            highest = max(device, old.next_id - 1)
            sequence = max(sequence, fleet.sequence, old.sequence)
            if self.was_original and highest:
                fleet = original_format.renumbered(fleet, highest + 1)
                self.replaced = self._replacement_notice(fleet, old, kept)
                log.warning("%s", self.replaced)
                sequence += 1
                fleet = _with_event(
                    fleet, Event(sequence, now, "fleet.replaced", None, self.replaced)
                )
            if notice := " ".join(filter(None, notices)):
                # The bytes of a path need not be text.
                notice = notice.encode(errors="replace").decode()
                sequence += 1
                fleet = _with_event(fleet, Event(sequence, now, "database.updated", None, notice))
            if sequence > fleet.sequence or highest >= fleet.next_id:
                next_id = max(highest + 1, fleet.next_id)
                self._fleet = replace(fleet, sequence=sequence, next_id=next_id)

    def _replacement_notice(self, fleet: Fleet, old: Fleet, kept: Path | None) -> str:
        """The notice that a file of the former tracker replaced ours."""
        name = self.store.path.name
        before = (
            f"The fleet that it replaced ({labels.device_count(old.devices)}) is kept in "
            f"{kept}. To restore it, stop Camera Monitor, copy that file over {name}, and "
            "start again."
            if kept
            else "The fleet that it replaced was not kept."
        )
        return (
            f"{self.store.path} is a file of the former tracker, but the journal already has "
            f"a fleet. The file was opened ({labels.device_count(fleet.devices)}, numbered "
            f"from {min(fleet.devices, default=fleet.next_id)}). {before}"
        )

    def close(self) -> None:
        """Write pending changes and close the store."""
        with self._lock:
            if self._fleet is not self._written:
                self._try_to_write(self._fleet)
            self.store.close()

    # -- reading -------------------------------------------------------------------------

    def fleet(self) -> Fleet:
        return self._fleet

    def devices(self) -> Mapping[int, Device]:
        return self._fleet.devices

    def known(self, key: str, site: str) -> Device | None:
        """The device that has this identity."""
        fleet = self._fleet
        return fleet.devices.get(fleet.index.get(identity.index_key(key, site), 0))

    def at_address(self, address: str, site: str) -> Sequence[Device]:
        """The devices that have, or lately had, the address and are not retired."""
        fleet = self._fleet
        place = identity.index_key(f"{identity.ADDRESS}{address}", site)
        return [fleet.devices[id] for id in fleet.references.get(place, ())]

    def channels_of(self, id: int) -> Sequence[Device]:
        """The channels that the device serves and that are not retired."""
        fleet = self._fleet
        behind = (fleet.devices[child] for child in fleet.references.get(f"id:{id}", ()))
        served = (device for device in behind if device.parents[:1] == (id,))
        return [device for device in served if is_channel(device) and device.retired_at is None]

    def disputed(self) -> Mapping[str, datetime]:
        """The keys that two live devices proved at once, as in `Fleet.index`, and since when."""
        return self._fleet.disputed

    def down(self) -> Mapping[str, Any]:
        """The scopes that cannot be asked now, each with `since` and `reason`."""
        return state.down(self._fleet)

    def device(self, key: str) -> Device:
        """The device behind a number or a MAC in any spelling. Raises NotFound."""
        fleet = self._fleet
        return device_behind(key, fleet, fleet.devices)

    # -- changing ------------------------------------------------------------------------

    def apply(
        self,
        reports: Sequence[Report],
        now: datetime,
        precondition: Precondition = no_precondition,
        refused: MutableMapping[int, Any] | None = None,
    ) -> list[Event]:
        """Apply reports and return their events; without reports, only let the statuses age.

        A change of status, address or finding, every edit and every fact for which a person
        waits (state.Durable) is on disk before this returns. Raises Refused for an edit that
        cannot be done, InvalidValue for such a fact that is no JSON, and CannotKeep for what
        could not be written; then it is not done. Other facts are true whether the disk is
        full or not: they are kept in memory and written when it works again. A
        report that cannot be kept is set aside, and the others are done. What `precondition` gives
        is raised instead, and nothing is done.

        With `refused`, each edit stands alone: the ones that cannot be done are put there by
        their place in `reports` with their error, and the others are done. `precondition` can put
        edits there too.
        """
        fitting = tuple(report for report in reports if self._is_storable(report))
        return self._submit(_Batch(fitting, now, precondition, refused))

    def _is_storable(self, report: Report) -> bool:
        """True if the report can be kept. Raises Invalid for an edit that cannot, and
        InvalidValue for another fact for which a person waits."""
        try:
            validation.check_report(report)
        except validation.InvalidValue as error:
            if isinstance(report, Edit):
                raise Invalid(
                    f"The edit cannot be saved: {error.reason}", "Change the value."
                ) from None
            if isinstance(report, state.Durable):
                raise
            self._set_aside.log_rejected([report], error)
            return False
        return True

    def _submit(self, batch: _Batch) -> list[Event]:
        """Submit a batch. Of several waiting callers the first one serves all, in one write."""
        self._waiting.append(batch)
        with self._lock:
            if not batch.done:
                self._process([self._waiting.popleft() for _ in range(len(self._waiting))])
        if batch.error is not None:
            raise batch.error
        for event in batch.events:
            if event.kind == "fleet.full":
                log.warning("%s", event.text)
        if batch.events:
            self.on_events()
        return batch.events

    def _process(self, batches: Sequence[_Batch]) -> None:
        try:
            self._change(batches)
        finally:
            for batch in batches:
                if not batch.done and batch.error is None:
                    batch.error = RuntimeError("the change failed because of an internal error")
                batch.done = True

    def _change(self, batches: Sequence[_Batch]) -> None:
        before = self._fleet
        after = self._apply(before, batches)
        must_write = after.sequence > before.sequence or any(
            batch.should_be_written for batch in batches
        )
        if after is not before and must_write and not self._try_to_write(after):
            after = self._apply(
                before, [batch for batch in batches if not self._refuse_unwritten(batch)]
            )
        # Its lines are made already: then the next edit only has to join and write.
        self._fleet = after
        for batch in batches:
            batch.done = True

    def _apply(self, fleet: Fleet, batches: Sequence[_Batch]) -> Fleet:
        """The fleet after all batches, each of which can be written. What cannot be applied or
        written spoils itself alone: one report of what was seen, or all that a person asked."""
        for batch in batches:
            try:
                batch.error = batch.precondition()
                if batch.error is None:
                    fleet, batch.events = self._apply_batch(fleet, batch)
            except Exception as error:  # noqa: BLE001  the table in tests/test_layout.py has it
                if batch.must_be_durable or not batch.reports:
                    batch.error = error
                else:
                    fleet, batch.events = self._apply_storable(fleet, batch, error)
        return fleet

    def _apply_batch(self, fleet: Fleet, batch: _Batch) -> tuple[Fleet, list[Event]]:
        """Apply one batch and encode its changes. Raises any error in it."""
        after, events = self._reduce(fleet, batch)
        self.store.prepare(after, events)
        return after, events

    def _reduce(self, fleet: Fleet, batch: _Batch) -> tuple[Fleet, list[Event]]:
        rules, refused = self.rules(), batch.refused
        if refused is None:
            return reducer.reduce(fleet, batch.reports, batch.now, rules)
        try:
            return self._reduce_accepted(fleet, batch, rules)
        except Refused:
            refused.update(bulk.refusals(fleet, batch.reports, batch.now, rules, refused))
            return self._reduce_accepted(fleet, batch, rules)

    @staticmethod
    def _reduce_accepted(fleet: Fleet, batch: _Batch, rules: Rules) -> tuple[Fleet, list[Event]]:
        # Without reports, reduce() would update statuses as time passes.
        reports = batch.accepted()
        return reducer.reduce(fleet, reports, batch.now, rules) if reports else (fleet, [])

    def _apply_storable(
        self, fleet: Fleet, batch: _Batch, error: Exception
    ) -> tuple[Fleet, list[Event]]:
        """Apply the batch without the reports that cannot be applied, found by halving it."""
        if len(batch.reports) == 1:
            self._set_aside.log_rejected(batch.reports, error)
            return fleet, []
        middle, events = len(batch.reports) // 2, list[Event]()
        for reports in (batch.reports[:middle], batch.reports[middle:]):
            part = replace(batch, reports=reports)
            fleet = self._apply(fleet, [part])
            events += part.events
        return fleet, events

    def _refuse_unwritten(self, batch: _Batch) -> bool:
        """Refuse an edit by a person that could not be written."""
        if batch.must_be_durable and batch.error is None:
            batch.error, batch.events = CannotKeep(self.trouble), []
        return batch.error is not None

    def _try_to_write(self, fleet: Fleet) -> bool:
        try:
            self.store.write(fleet)
        except Exception as error:
            trouble = str(error) if isinstance(error, CannotKeep) else f"{self.store.path} {LOST}"
            if not self.trouble:
                log.error("%s", trouble, exc_info=not isinstance(error, CannotKeep))
            self.trouble = trouble
            return False
        if self.trouble:
            log.info("%s can be written again.", self.store.path)
        self.trouble = ""
        self._written = fleet
        if self.notice and not self.update_notice:
            # Not before: a start that is refused leaves the file as it was.
            self.update_notice = self.notice
            log.info("%s", self.notice)
        return True

    def tick(self, now: datetime) -> list[Event]:
        """Update statuses as time passes, and write pending changes or a file that somebody else
        changed."""
        events = self.apply([], now)
        with self._lock:
            last = self._written_at
            # Nor may it wait for a clock that was set back.
            is_due = last is None or not timedelta() <= now - last < LAZY_WRITE_AFTER
            # After a write that failed, only a write proves that the disk works again.
            is_waiting = bool(self.trouble) or (is_due and self._fleet is not self._written)
            if is_waiting or self.store.has_foreign_change():
                self._try_to_write(self._fleet)
                self._written_at = now
        return events

    def confirm(self, sequence: int) -> None:
        """The journal has every event up to `sequence`: they leave the outbox."""
        with self._lock:
            outbox = self._fleet.outbox
            written = bisect_right(outbox, sequence, key=lambda event: event.sequence)
            self._fleet = replace(self._fleet, outbox=outbox[written:])
