"""The due queue: the next check of each device by each probing source. Pure.

Every device has a moment of its own within the interval, made of its id, so that the questions
are spread evenly, also after a restart. All times are seconds of the monotonic clock.
"""

import heapq
import itertools
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from discovery.login_turns import Turn, turn_of
from fleet import logins
from fleet.model import NOTHING, Access, Device
from fleet.places import host_of, session_owner
from fleet.reduce.learning import is_same_but_learned
from sources.source import Source

Key = int | Turn
"""A device, or the turn of a login."""
Question = tuple[int, str]
"""The id of a device and the name of a source."""

NOW, SCAN, ROUTINE = range(3)
"""The urgency of a question: a caller waits for it, a scan asks it, or it is due."""
RETRIES = (5.0, 15.0)
"""Seconds after the first miss of a device that was up, when it is asked again."""
FIRST_RATE = 200.0
"""Devices a second that are asked for the first time, as long as that ends within an interval."""
SHORTEST_INTERVAL = 1.0


@dataclass(slots=True, eq=False)
class QueueEntry:
    """One device as one source asks it, by `access` with the login that is used. `due`: when it is
    asked by itself; `ready_at`: since when it waits for room, which is before `due` if it is asked
    out of turn; `began`: when it was last asked; `by_hand`: a person waits for the next answer, or
    for the one that is under way (`is_by_hand`); `owner`: the device that serves its answer;
    `keys`: what serves one question at a time: the owner, and the turn of the login; `ticket`: the
    number of the one heap item that is valid."""

    question: Question
    host: str
    access: Access
    interval: float
    was_up: bool
    due: float = 0.0
    ready_at: float = 0.0
    urgency: int = ROUTINE
    began: float = -math.inf
    owner: int = 0
    keys: tuple[Key, ...] = ()
    by_hand: bool = False
    is_by_hand: bool = False
    is_running: bool = False
    is_ready: bool = False
    ticket: int = -1
    retries: list[float] = field(default_factory=list)

    @property
    def source(self) -> str:
        return self.question[1]


HeapItem = tuple[int, float, int, QueueEntry]
"""Urgency, time and ticket of an entry, the order of a heap."""


def phase(question: Question) -> float:
    """The moment of a device within its interval, from 0 to 1; the same after a restart."""
    return zlib.crc32("{}:{}".format(*question).encode()) / 2**32


class DueQueue:
    """The queue of all questions. It lets those begin that are due, no more at once than a
    source's `cap`, and one at a time at a device. A recorder serves its channels. What waits for
    its device, or for the turn of its login, takes no room of its source."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self.sources = {source.name: source for source in sources if source.probe}
        self._devices: Mapping[int, Device] = {}
        self._sets: logins.Sets = NOTHING
        self._borrowers: dict[int, set[int]] = {}
        """The devices that may use the login of a recorder."""
        self._entries: dict[Question, QueueEntry] = {}
        self._tickets = itertools.count()
        self._idle: list[HeapItem] = []
        self._ready: dict[str, list[HeapItem]] = {name: [] for name in self.sources}
        self._running: Counter[str] = Counter()
        self._busy: set[Key] = set()
        self._waiting: dict[Key, dict[str, list[HeapItem]]] = {}

    # -- who is asked --------------------------------------------------------------------

    def update(
        self, devices: Mapping[int, Device], now: float, sets: logins.Sets = NOTHING
    ) -> list[Question]:
        """Take the newest snapshot and return the questions that nobody asks any more. Only
        devices that are other values are looked at, and those that use the login of one."""
        before, self._devices = self._devices, devices
        is_other_sets, self._sets = sets is not self._sets, sets
        if not self.sources or (devices is before and not is_other_sets):
            return []
        changed = [device for id, device in devices.items() if before.get(id) is not device]
        gone = [before[id] for id in before.keys() - devices.keys()]
        ended: list[Question] = []
        new: list[QueueEntry] = []
        other: dict[int, Device] = {}
        for device in itertools.chain(changed, gone):
            old, is_gone = before.get(device.id), device.id not in devices
            if old is None or is_gone or _has_other_question(old, device):
                other[device.id] = device
        for id, device in {**other, **self._with_other_login(other, is_other_sets)}.items():
            for name in self.sources:
                self._renew((id, name), device if id in devices else None, new, ended, now)
        pace = len(new) / FIRST_RATE
        for entry in new:
            entry.due = now + phase(entry.question) * min(pace, entry.interval)
            self._put_idle(entry)
        return ended

    def _with_other_login(
        self, other: Mapping[int, Device], is_other_sets: bool
    ) -> Mapping[int, Device]:
        """The devices whose login another record, or a credential set, may have changed."""
        if is_other_sets:
            return {id: device for id, device in self._devices.items() if device.access}
        ids = {id for lender in other for id in self._borrowers.get(lender, ())}
        return {id: self._devices[id] for id in ids if id in self._devices}

    def _renew(
        self,
        question: Question,
        device: Device | None,
        new: list[QueueEntry],
        ended: list[Question],
        now: float,
    ) -> None:
        """Renew one question after its device changed. With another access or host it is another
        entry and is asked at once; what a probe itself learned asks nothing again."""
        known, entry = self._entries.get(question), self._entry(question, device)
        is_same = known and entry and known.host == entry.host
        if known and entry and is_same and is_same_but_learned(known.access, entry.access):
            known.access = entry.access
            return
        if known:
            del self._entries[question]
        if entry is None:
            if known:
                ended.append(question)
            return
        self._entries[question] = entry
        if known:
            entry.was_up, entry.due = known.was_up, now
            self._put_ready(entry, NOW, now)
        else:
            new.append(entry)

    def _entry(self, question: Question, device: Device | None) -> QueueEntry | None:
        name = question[1]
        if device is None or device.retired_at is not None:
            return None
        host = host_of(device, name)
        if name not in device.access or not host:
            return None
        access = logins.resolved(device, name, self._devices, self._sets)
        if not logins.has_own_login(device.access[name]):
            for parent in device.parents:
                self._borrowers.setdefault(parent, set()).add(device.id)
        state = device.states.get(name)
        interval = max(SHORTEST_INTERVAL, access.interval or self.sources[name].interval)
        was_up = state is not None and state.seen_at is not None and state.misses == 0
        return QueueEntry(question, host, access, interval, was_up)

    def entry(self, question: Question) -> QueueEntry | None:
        return self._entries.get(question)

    def is_current(self, entry: QueueEntry) -> bool:
        """True if what is learned of this entry still concerns its device."""
        return self._entries.get(entry.question) is entry

    def questions(self, source: str) -> list[Question]:
        """Everything that a source asks."""
        return [question for question in self._entries if question[1] == source]

    def questions_of(self, device: int) -> Iterator[Question]:
        """The sources by which a device is asked."""
        for name in self.sources:
            if (device, name) in self._entries:
                yield device, name

    # -- when ----------------------------------------------------------------------------

    def next_at(self) -> float | None:
        """The time at which the next question is due."""
        while self._idle and not _is_valid(self._idle[0]):
            heapq.heappop(self._idle)
        return self._idle[0][1] if self._idle else None

    def wake(self, now: float) -> None:
        """Make the questions ready that are due."""
        while (at := self.next_at()) is not None and at <= now:
            entry = heapq.heappop(self._idle)[3]
            self._put_ready(entry, ROUTINE, entry.due)

    def prioritize(self, question: Question, now: float, urgency: int = NOW) -> bool:
        """Ask as soon as there is room, before less urgent questions. One that is under way is not
        asked twice. False when the question is not asked at all."""
        entry = self._entries.get(question)
        if entry is None:
            return False
        if not entry.is_running and not (entry.is_ready and entry.urgency <= urgency):
            self._put_ready(entry, urgency, now)
        return True

    def ask_by_hand(self, question: Question) -> None:
        """Let the next answer be for a person who waits for it."""
        if entry := self._entries.get(question):
            entry.by_hand = True

    def make_due(self, question: Question, now: float) -> None:
        """Ask as soon as there is room, also without a caller that waits."""
        if self.prioritize(question, now):
            entry = self._entries[question]
            entry.due = min(entry.due, now)

    def withdraw(self, question: Question) -> None:
        """Withdraw an urgent question: the device is asked when it was due before."""
        entry = self._entries.get(question)
        if entry and entry.is_ready and not entry.is_running:
            entry.by_hand = False
            self._put_idle(entry)

    def begin(self, now: float) -> list[QueueEntry]:
        """Begin what can begin now, the most urgent and longest due first. Each must be `ended`."""
        begun = []
        while (entry := self._best()) is not None:
            before = entry.keys
            self._name_keys(entry)
            if busy := [key for key in entry.keys if key in self._busy]:
                waiting = self._waiting.setdefault(busy[0], {})
                self._place(waiting.setdefault(entry.source, []), entry, entry.ready_at)
                self._pass_on(before + entry.keys)
                continue
            self._busy.update(entry.keys)
            self._pass_on(before)
            self._running[entry.source] += 1
            entry.is_running, entry.is_ready, entry.began = True, False, now
            entry.is_by_hand, entry.by_hand = entry.by_hand, False
            begun.append(entry)
        return begun

    def _name_keys(self, entry: QueueEntry) -> None:
        id, source = entry.question
        entry.owner = session_owner(self._devices[id], source, self._devices)
        turn = turn_of(entry.host, entry.access)
        entry.keys = (entry.owner,) if turn is None else (entry.owner, turn)

    def _best(self) -> QueueEntry | None:
        """Take the first of all sources that have room."""
        heads = []
        for name, items in self._ready.items():
            while items and not (_is_valid(items[0]) and self.is_current(items[0][3])):
                self._pass_on(heapq.heappop(items)[3].keys)
            if items and self._running[name] < self.sources[name].cap:
                heads.append(items[0])
        return heapq.heappop(self._ready[min(heads)[3].source])[3] if heads else None

    def ended(
        self, entry: QueueEntry, now: float, answered: bool | None, again: float | None = None
    ) -> bool:
        """End a question: `answered`, missed (False) or not really asked (None). It is asked
        `again` after so many seconds if that is sooner than the next time. True for the first
        miss of a device that was up."""
        self._running[entry.source] -= 1
        self._busy.difference_update(entry.keys)
        self._pass_on(entry.keys)
        entry.is_running = False
        is_first_miss = answered is False and entry.was_up
        if answered is not None:
            entry.was_up = answered
        if answered:
            entry.retries = []
        if is_first_miss:
            entry.retries = [now + seconds for seconds in RETRIES]
        if self.is_current(entry):
            entry.due = self._next(entry, now)
            if entry.retries:
                entry.due = min(entry.due, max(now, entry.retries.pop(0)))
            if again is not None:
                entry.due = min(entry.due, now + again)
            self._put_idle(entry)
        return is_first_miss

    def _next(self, entry: QueueEntry, now: float) -> float:
        """The next moment of its own interval, not right after a question out of turn."""
        earliest = max(now, entry.began + entry.interval / 10)
        own = phase(entry.question) * entry.interval
        return own + math.ceil((earliest - own) / entry.interval) * entry.interval

    def _pass_on(self, keys: Iterable[Key]) -> None:
        """Make the first question of each source ready that waits for one of these, if it is free.
        Each that was made ready and does not take it passes it on."""
        for key in keys:
            if key not in self._busy and key in self._waiting:
                self._wake_first(key)

    def _wake_first(self, key: Key) -> None:
        waiting = self._waiting[key]
        for name, items in list(waiting.items()):
            while items:
                item = heapq.heappop(items)
                if _is_valid(item) and self.is_current(item[3]):
                    self._place(self._ready[name], item[3], item[1])
                    break
            if not items:
                del waiting[name]
        if not waiting:
            del self._waiting[key]

    # -- heaps ---------------------------------------------------------------------------

    def _put_idle(self, entry: QueueEntry) -> None:
        entry.is_ready, entry.urgency = False, ROUTINE
        self._place(self._idle, entry, entry.due)

    def _put_ready(self, entry: QueueEntry, urgency: int, at: float) -> None:
        entry.is_ready, entry.urgency, entry.ready_at = True, urgency, at
        self._place(self._ready[entry.source], entry, at)

    def _place(self, heap: list[HeapItem], entry: QueueEntry, at: float) -> None:
        """Put the entry into one heap; its place in any other is no longer valid."""
        entry.ticket = next(self._tickets)
        heapq.heappush(heap, (entry.urgency, at, entry.ticket, entry))


def _is_valid(item: HeapItem) -> bool:
    return item[2] == item[3].ticket


def _has_other_question(old: Device, new: Device) -> bool:
    """True if anything changed that a question depends on; most changes are of times only."""
    return (
        old.access is not new.access
        or old.address != new.address
        or old.parents != new.parents
        or (old.retired_at is None) != (new.retired_at is None)
    )
