"""The login gate: how many refused logins a device may still cost. A lockout of a camera also locks
out its owner.

All that logs in at a device under one user name shares one budget: all sources of the device, and
of a recorder all of its channels. What is spent is kept in the access of each source; what the
tracker does not have yet, and what trials spend, is remembered here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from weakref import WeakValueDictionary

from discovery.device_tracker import DeviceTracker
from discovery.due_queue import Question
from discovery.login_turns import Turn, is_known_to_work, turn_of
from discovery.refused_logins import RefusedLogins, SentLogin, port_of
from discovery.refused_sets import RefusedSets
from fleet import labels, logins, status
from fleet.model import Access, Device, Finding, Report, Sighting, SpentLogins
from fleet.reduce.learning import is_same_but_learned
from store.vault import SecretLost

WRONG = "login.wrong"
"""The kind of the finding about a login that was refused."""
SPENT = "the login was refused and is not tried again until the user name or password is changed"


_Place = tuple[str | None, int | None]
"""Host and port, whatever the site: this server asks one device there."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a question may cost: `refusals` are spent, `attempts_left` is what the device told."""

    refusals: int = 0
    attempts_left: int | None = None
    may_login: bool = True
    reason: str = ""
    """Why no login is tried, where that is not the budget of the device."""
    works_elsewhere: bool = False
    """As in Target."""


@dataclass(frozen=True, slots=True)
class _Spent:
    """The state of one access by the newest answer: `access` is the one before it."""

    access: Access
    refusals: int
    attempts_left: int | None


@dataclass(frozen=True, slots=True)
class _Member:
    """What shares the budget of a login: a source of a device, with the login that it uses there
    and what that cost."""

    question: Question
    login: Access
    refusals: int
    attempts_left: int | None

    @property
    def has_worked(self) -> bool:
        return is_known_to_work(self.login)


class PendingLogins:
    """The logins of trials whose answer is not known yet, so that trials at once share the budget,
    and the attempts that devices said are left."""

    def __init__(self) -> None:
        self._pending: list[tuple[SentLogin, int]] = []

    def begin(self, sent: SentLogin, number: int) -> tuple[SentLogin, int]:
        """Spend what a login may cost until it ends."""
        attempt = sent, number
        self._pending.append(attempt)
        return attempt

    def end(self, attempt: tuple[SentLogin, int]) -> None:
        self._pending = [other for other in self._pending if other is not attempt]

    def of(self, sent: SentLogin) -> int:
        return sum(number for other, number in self._pending if other.at_host == sent.at_host)

    def of_user(self, sent: SentLogin) -> int:
        return sum(number for other, number in self._pending if other.of_user == sent.of_user)


class LoginGate:
    """Decides whether a question may log in, and remembers what each one cost."""

    def __init__(
        self, tracker: DeviceTracker, unseal: Callable[[str], str], refused: RefusedLogins
    ) -> None:
        self._tracker = tracker
        self._refused = refused
        self._unseal = unseal
        self._newest: dict[Question, _Spent] = {}
        self._running: dict[Question, int] = {}
        """Refusals that questions have seen whose answer is not judged yet."""
        self._outlived: dict[Question, int] = {}
        """Refusals after which the same login worked for another source."""
        self._refused_sets = RefusedSets()
        self._refused_at: dict[_Place, set[Question]] = {}
        self._turns = WeakValueDictionary[Turn, asyncio.Lock]()
        self.pending = PendingLogins()

    @asynccontextmanager
    async def turn(self, device: Device, login: Access) -> AsyncIterator[None]:
        """One question at a time in a turn. The queue begins no two of one turn; this is for a
        login that changes after its question began."""
        turn = turn_of(device.address, login)
        if turn is None:
            yield
            return
        lock = self._turns.setdefault(turn, asyncio.Lock())
        async with lock:
            yield

    def allowance(self, device: Device, source: str, login: Access) -> Allowance:
        """What the next question may cost; `login` is the access with the login that is used.

        A login that works goes on for a source whatever it costs at another one that never took it;
        only refusals by those that took it before mean that the device has another password now.
        """
        own = self._member(device, source, login)
        members = [own, *self._members(device, source, login)]
        if own.has_worked:
            same = [each for each in members if own.refusals or self._is_same(each.login, login)]
            doubts = self._doubts(same)
            _spent, left = _sum([each for each in same if each.has_worked])
            return Allowance(doubts, left, not logins.is_spent(doubts, left))
        spent, left = _sum(members)
        spent = max(spent, self._remembered(device, source, login))
        is_spent = logins.is_spent(spent, left)
        if self._has_worked_elsewhere(device, source, login):
            # One refusal at a time, and none before the login worked again where it does: so that
            # it always has an attempt left there.
            may_login = not is_spent and not self._doubts(members)
            return Allowance(max(1, spent), left, may_login, works_elsewhere=not spent)
        if (
            own.refusals or self._was_refused(device, source, login)
        ) and self._is_untried_elsewhere(device, source, login):
            return Allowance(spent, left, may_login=False)
        chosen = device.access[source].credentials
        if not is_spent and chosen and not logins.has_own_login(device.access[source]):
            reason = self._refused_sets.reason(self._tracker.fleet(), chosen)
            return Allowance(spent, left, not reason, reason)
        return Allowance(spent, left, not is_spent)

    def refusals(self, device: Device, source: str) -> int:
        """The refused logins of this access alone."""
        return self._spent(device, source).refusals

    def spend(self, device: Device, source: str, number: int) -> list[Report]:
        """Count logins that were refused beside a question; what keeps their number."""
        self.end_running((device.id, source))
        known, login = self._spent(device, source), self._resolved(device, source)
        if sent := self._sent(device, source, login):
            self._refused.spend(sent, number)
        refusals = known.refusals + number
        access = device.access[source]
        self._newest[device.id, source] = _Spent(access, refusals, known.attempts_left)
        place = _place(device, access)
        self._refused_at.setdefault(place, set()).add((device.id, source))
        return [SpentLogins(device.id, source, access, refusals)]

    def settle(self, device: Device, source: str, refusals: int) -> None:
        """Take what the logins of a question cost, now that it is over. On record, they count as
        refused for a moment longer, which the next question of the turn must not see."""
        left = self._spent(device, source).attempts_left
        self._newest[device.id, source] = _Spent(device.access[source], refusals, left)

    def note_running(self, device: Device, source: str, login: Access, refusals: int) -> bool:
        """Count what a question was refused so far, for others that log in at the same time; True
        if it may send its login once more."""
        self._running[device.id, source] = refusals
        return self.allowance(device, source, login).may_login

    def end_running(self, question: Question) -> None:
        """Forget what a question noted: its answer counts now."""
        self._running.pop(question, None)

    def trial_allowance(self, sent: SentLogin) -> Allowance:
        """What a trial of this login may cost at this address. A login that works is free, and one
        that was refused can be tested once more after a pause: the device may have it now. Another
        password is another login, as long as the device does not lock the user out."""
        known, least = 0, None
        for device, source in self._at(sent.host):
            login = self._resolved(device, source)
            if login.username != sent.username:
                continue
            own = self._member(device, source, login)
            is_sent = sent == self._sent(device, source, login)
            if is_sent and own.has_worked and not own.refusals:
                return Allowance()
            refusals, left = _sum([own, *self._members(device, source, login)])
            if logins.is_spent(0, left):
                return Allowance(refusals, left, False, _obstacle(device, left))
            least = left if least is None else least
            known = max(known, own.refusals if is_sent else 0)
        pending, of_user = self.pending.of(sent), self.pending.of_user(sent)
        spent = min(logins.MAX_REFUSALS, max(known, self._refused.of(sent)) + pending)
        pause = self._refused.pause(sent, of_user)
        if not pause and not pending:
            return Allowance(min(spent, logins.MAX_REFUSALS - 1), least)
        if not pause and not logins.is_spent(spent, least):
            return Allowance(spent, least)
        minutes = labels.counted(max(1, round(pause / 60)), "minute")
        reason = (
            f"Logins as this user were refused at {sent.host}. To avoid a lockout, this login is "
            f"not tried now. Test again in {minutes}"
        )
        return Allowance(spent, least, False, reason)

    def trial_refused(self, sent: SentLogin, number: int, left: int | None = None) -> None:
        """Keep how often a trial saw a login refused, for the checks with the same one, and whether
        the device accepts few more."""
        self._refused.spend(sent, number, is_last=logins.is_spent(0, left))

    def trial_unanswered(self, sent: SentLogin, number: int) -> None:
        """Keep that a device gave no answer to logins of a trial, which it may have refused."""
        self._refused.note(sent, number)

    def trial_accepted(self, sent: SentLogin) -> None:
        """Keep that a trial saw a login accepted, for the checks with the same one."""
        self._refused.forget(sent)
        for device, source in self._at(sent.host):
            login = self._resolved(device, source)
            if self._spent(device, source).refusals and sent == self._sent(device, source, login):
                self._newest[device.id, source] = _Spent(device.access[source], 0, None)

    def judged(
        self,
        device: Device,
        source: str,
        login: Access,
        allowance: Allowance,
        now: datetime,
        reports: Sequence[Report],
    ) -> Sequence[Report]:
        """The reports of a question, with the refusals of this access in what was learned, and the
        finding about a login that is not tried."""
        judged = [self._counted(device, source, login, allowance, report) for report in reports]
        if allowance.may_login or not logins.has_login(login):
            return judged
        is_alive = any(isinstance(report, Sighting) for report in judged)
        kinds = {report.kind for report in judged if isinstance(report, Finding)}
        kinds |= {fault.kind for fault in device.findings if fault.source == source}
        if is_alive and WRONG not in kinds:
            text = allowance.reason or SPENT
            judged.append(Finding(f"id:{device.id}", WRONG, now, text, source, site=device.site))
        return judged

    def forget(self, question: Question) -> None:
        """Forget a device that is not asked any more."""
        self._newest.pop(question, None)
        self._running.pop(question, None)
        self._outlived.pop(question, None)
        for place, questions in [*self._refused_at.items()]:
            questions.discard(question)
            if not questions:
                del self._refused_at[place]

    def _counted(
        self, device: Device, source: str, login: Access, allowance: Allowance, report: Report
    ) -> Report:
        """The report; of what was learned, the refusals are those of this access alone."""
        if not isinstance(report, Sighting) or (learned := report.learned) is None:
            return report
        if learned.refusals is None and learned.attempts_left is None:
            return report
        known = self._spent(device, source)
        refusals, left = 0, None
        if learned.refusals != 0:
            refusals = known.refusals + max(0, (learned.refusals or 0) - allowance.refusals)
            left = known.attempts_left if learned.attempts_left is None else learned.attempts_left
        else:
            for member in self._members(device, source, login):
                self._outlived[member.question] = member.refusals
        is_kept = refusals or not self._refused.is_empty
        if is_kept and (sent := self._sent(device, source, login)):
            self._refused.spend(sent, refusals - known.refusals)
            if not refusals:
                self._refused.forget(sent)
        self._newest[device.id, source] = _Spent(device.access[source], refusals, left)
        if refusals:
            place = _place(device, device.access[source])
            self._refused_at.setdefault(place, set()).add((device.id, source))
        return replace(report, learned=replace(learned, refusals=refusals))

    def _sent(self, device: Device, source: str, login: Access) -> SentLogin | None:
        """The login as the device sees it; None where there is none or its password is lost."""
        host = login.host or device.address
        if host is None or login.username is None:
            return None
        try:
            password = self._unseal(login.secret) if login.secret else ""
        except SecretLost:
            return None
        return SentLogin(host, port_of(source, login), login.username, password)

    def _was_refused(self, device: Device, source: str, login: Access) -> bool:
        if self._spent(device, source).refusals:
            return True
        sent = None if self._refused.is_empty else self._sent(device, source, login)
        return sent is not None and self._refused.of(sent) > 0

    def _remembered(self, device: Device, source: str, login: Access) -> int:
        """What this user name was refused where the family of this source is asked, with the
        passwords of now, whatever was edited, undone or deleted since."""
        if self._refused.is_empty:
            return 0
        devices = self._tracker.devices()
        members = {_destination(device, source, login): (device, source, login)}
        for id, name in self._family(device, source):
            other = self._resolved(devices[id], name)
            if other.username == login.username:
                key = _destination(devices[id], name, other)
                members.setdefault(key, (devices[id], name, other))
        sent = {self._sent(*member) for member in members.values()} - {None}
        known = [each for each in sent if each]
        spent = sum(self._refused.at_port(each) for each in known)
        return max([spent, *(self._refused.elsewhere(each) for each in known)])

    def _spent(self, device: Device, source: str) -> _Spent:
        """What an access cost so far: by the fleet, or by an answer that is newer."""
        access, newest = device.access[source], self._newest.get((device.id, source))
        kept = _Spent(access, access.refusals, access.attempts_left)
        if newest is None:
            return kept
        is_kept = access is not newest.access and access.refusals in (0, newest.refusals)
        if is_kept or not is_same_but_learned(newest.access, access):
            del self._newest[device.id, source]
            return kept
        return newest

    def _at(self, host: str) -> Iterator[tuple[Device, str]]:
        """Each device and source that is asked at this host."""
        for device in self._tracker.fleet().devices.values():
            for source, access in device.access.items():
                if host in (access.host, device.address):
                    yield device, source

    def _member(self, device: Device, source: str, login: Access) -> _Member:
        state, running = self._spent(device, source), self._running.get((device.id, source), 0)
        refusals = state.refusals + running
        return _Member((device.id, source), login, refusals, state.attempts_left)

    def _members(self, device: Device, source: str, login: Access) -> Iterator[_Member]:
        """Everything else that spent attempts of this login: under its user name at the device, or
        the same login at the same host and port for other devices. The device there sees one
        client, however many records lead to it."""
        family = self._family(device, source)
        for member, name in family - {(device.id, source)}:
            known = self._member_of(member, name)
            if known is not None and known.login.username == login.username:
                yield known
        for member, name in self._beside(device, login) - family:
            known = self._member_of(member, name)
            if known is not None and known.refusals and self._is_same(known.login, login):
                yield known

    def _member_of(self, id: int, source: str) -> _Member | None:
        """None for what spent nothing, and for what is gone."""
        device = self._tracker.devices().get(id)
        if device is None or source not in device.access:
            return None
        state = self._spent(device, source)
        running = self._running.get((id, source), 0)
        if not (state.refusals or running) and state.attempts_left is None:
            return None
        login = self._resolved(device, source)
        return _Member((id, source), login, state.refusals + running, state.attempts_left)

    def _beside(self, device: Device, login: Access) -> set[Question]:
        """Everything that is asked at the same host and port."""
        host, port = place = _place(device, login)
        at_host = self._tracker.at_address(host, device.site) if host else ()
        questions = {(other.id, name) for other in at_host for name in other.access}
        # A record that was just added has no address before its first answer is written.
        questions |= self._refused_at.get((host, port), set())
        devices = self._tracker.devices()
        return {
            (id, name)
            for id, name in questions
            if id in devices
            and name in devices[id].access
            and _place(devices[id], devices[id].access[name]) == place
        }

    def _doubts(self, members: Sequence[_Member]) -> int:
        """Refusals that may mean that the device has another password now: by what took this login
        before, and one for all that never took it, unless the login worked after that."""
        spent = sum(member.refusals for member in members if member.has_worked)
        return spent + any(
            not member.has_worked and member.refusals > self._outlived.get(member.question, 0)
            for member in members
        )

    def _has_worked_elsewhere(self, device: Device, source: str, login: Access) -> bool:
        """True if another source or channel of the device takes this user name."""
        return any(
            other.username == login.username and is_known_to_work(other)
            for other in self._others(device, source)
        )

    def _is_untried_elsewhere(self, device: Device, source: str, login: Access) -> bool:
        """True if the last attempt is for another source of the device, which never tried this
        login: many devices have other accounts for ONVIF than for RTSP."""
        return any(
            other.username == login.username
            and not self._was_refused(device, name, other)
            and not (name in device.states and status.is_missed(device.states[name]))
            for name in device.access.keys() - {source}
            if (other := self._resolved(device, name))
        )

    def _is_same(self, login: Access, other: Access) -> bool:
        """True if both send the same user name and password, also where each sealed its own."""
        if login.username != other.username:
            return False
        if login.secret == other.secret or login.secret is None or other.secret is None:
            return login.secret == other.secret
        try:
            return self._unseal(login.secret) == self._unseal(other.secret)
        except SecretLost:
            return False

    def _others(self, device: Device, source: str) -> Iterator[Access]:
        """The logins of the rest of the family."""
        devices = self._tracker.devices()
        for id, name in self._family(device, source) - {(device.id, source)}:
            yield self._resolved(devices[id], name)

    def _family(self, device: Device, source: str) -> set[Question]:
        fleet = self._tracker.fleet()
        family = logins.family_of(device, source, fleet.devices, fleet.references)
        return {(member.id, name) for member, name in family}

    def _resolved(self, device: Device, source: str) -> Access:
        fleet = self._tracker.fleet()
        return logins.resolved(device, source, fleet.devices, fleet.credentials)


def _place(device: Device, access: Access) -> tuple[str | None, int | None]:
    return access.host or device.address, access.port


def _destination(device: Device, source: str, login: Access) -> tuple[object, ...]:
    return login.host or device.address, port_of(source, login), login.secret


def _sum(members: Sequence[_Member]) -> tuple[int, int | None]:
    """What they spent, and how many attempts the device has left."""
    counts = [member.attempts_left for member in members if member.attempts_left is not None]
    return sum(member.refusals for member in members), min(counts, default=None)


def _obstacle(device: Device, left: int | None) -> str:
    """Why a trial does not log in at a known device."""
    left_text = f"{labels.name(device)} has {labels.counted(left or 0, 'login attempt')} left"
    return f"{left_text}; it is not tried again until the login is changed"
