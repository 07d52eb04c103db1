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
from discovery.refused_sets import RefusedSets
from fleet import labels, logins
from fleet.model import Access, Device, Finding, Report, Sighting
from fleet.reduce.learning import is_same_but_learned
from store.vault import SecretLost

TRIED_FOR = 900.0
"""Seconds for which the refused login of a trial is remembered."""
WRONG = "login.wrong"
"""The kind of the finding about a login that was refused."""
SPENT = "The login was refused. It is not tried again until the user name or password is changed."


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


@dataclass(frozen=True, slots=True)
class _Spent:
    """The state of one access by the newest answer: `access` is the one before it."""

    access: Access
    refusals: int
    attempts_left: int | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login of a trial, as one user at one host. `until` is the monotonic time at which it is
    forgotten; `left` is how many attempts the device said that it still takes."""

    host: str
    username: str
    until: float
    left: int | None = None


class TriedLogins:
    """The logins of trials that were refused, or may have been. In memory, as nothing of a trial
    is kept."""

    def __init__(self) -> None:
        self._attempts: list[Attempt] = []

    def of(self, host: str, username: str, now: float) -> list[Attempt]:
        """Those at this host as this user that are not forgotten yet."""
        self._attempts = [attempt for attempt in self._attempts if attempt.until > now]
        return [
            attempt
            for attempt in self._attempts
            if (attempt.host, attempt.username) == (host.lower(), username)
        ]

    def begin(self, host: str, username: str, now: float) -> Attempt:
        """Spend one before it is known how it ends, so that trials at once share the budget."""
        attempt = Attempt(host.lower(), username, now + TRIED_FOR)
        self._attempts.append(attempt)
        return attempt

    def refused(self, attempt: Attempt, left: int | None) -> None:
        """Keep what the device told of the attempts that are left."""
        self.unspent(attempt)
        self._attempts.append(replace(attempt, left=left))

    def unspent(self, attempt: Attempt) -> None:
        """Take back an attempt: no password was refused."""
        self._attempts = [other for other in self._attempts if other is not attempt]

    def accepted(self, attempt: Attempt) -> None:
        """Forget all of this user at this host: devices begin their own count again, too."""
        place = attempt.host, attempt.username
        self._attempts = [a for a in self._attempts if (a.host, a.username) != place]


class LoginGate:
    """Decides whether a question may log in, and remembers what each one cost."""

    def __init__(self, tracker: DeviceTracker, unseal: Callable[[str], str]) -> None:
        self._tracker = tracker
        self._unseal = unseal
        self._newest: dict[Question, _Spent] = {}
        self._refused_sets = RefusedSets()
        self._refused_at: dict[_Place, set[Question]] = {}
        self._turns = WeakValueDictionary[tuple[object, ...], asyncio.Lock]()
        self.tried = TriedLogins()

    @asynccontextmanager
    async def turn(self, device: Device, login: Access) -> AsyncIterator[None]:
        """One question at a time with a user name at a host and port, unless it is known to work:
        each must see what the one before it cost."""
        if not login.refusals and login.method not in ("", logins.NO_LOGIN):
            yield
            return
        place = (*_place(device, login), login.username)
        lock = self._turns.setdefault(place, asyncio.Lock())
        async with lock:
            yield

    def allowance(self, device: Device, source: str, login: Access) -> Allowance:
        """What the next question may cost; `login` is the access with the login that is used.

        A login that worked last and that nothing has refused since is tried whatever other logins
        were refused.
        """
        own = self._spent(device, source)
        spent, left, is_refused = 0, None, False
        for member, name in self._family(device, source):
            state = self._spent(member, name)
            if not state.refusals and state.attempts_left is None:
                continue
            other = self._resolved(member, name)
            if other.username != login.username:
                continue
            spent += state.refusals
            if state.attempts_left is not None:
                left = min(state.attempts_left, state.attempts_left if left is None else left)
            is_refused = is_refused or other.secret == login.secret
        for state in self._beside(device, source, login):
            spent += state.refusals
            if state.attempts_left is not None:
                left = min(state.attempts_left, state.attempts_left if left is None else left)
        has_worked = login.method not in ("", logins.NO_LOGIN)
        if has_worked and own.refusals == 0 and not is_refused:
            return Allowance()
        is_spent = logins.is_spent(max(own.refusals, spent), left)
        chosen = device.access[source].credentials
        if not is_spent and chosen and not logins.has_own_login(device.access[source]):
            reason = self._refused_sets.reason(self._tracker.fleet(), chosen)
            return Allowance(spent, left, not reason, reason)
        return Allowance(spent, left, not is_spent)

    def trial_obstacle(self, host: str, username: str, now: float) -> str:
        """Why a trial does not try this user name at this address; empty if it may. What trials
        spent and what the checks of a known device spent there are one budget."""
        tried = self.tried.of(host, username, now)
        spent, left = 0, [attempt.left for attempt in tried if attempt.left is not None]
        for device, source in self._at(host):
            login = self._resolved(device, source)
            if login.username != username:
                continue
            # That the saved password worked says nothing about the one of the trial.
            allowance = self.allowance(device, source, replace(login, method=""))
            if logins.is_spent(allowance.refusals, allowance.attempts_left):
                return _obstacle(device, allowance)
            spent = max(spent, allowance.refusals)
            left += [allowance.attempts_left] if allowance.attempts_left is not None else []
        if not logins.is_spent(spent + len(tried), min(left, default=None)):
            return ""
        last = max(attempt.until for attempt in tried)
        minutes = labels.counted(max(1, round((last - now) / 60)), "minute")
        return (
            f"Logins as this user were refused at {host}. To avoid a lockout, this login is not "
            f"tried now. Test again in {minutes}"
        )

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
        judged = [self._counted(device, source, allowance, report) for report in reports]
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
        for place, questions in [*self._refused_at.items()]:
            questions.discard(question)
            if not questions:
                del self._refused_at[place]

    def _counted(self, device: Device, source: str, allowance: Allowance, report: Report) -> Report:
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
        self._newest[device.id, source] = _Spent(device.access[source], refusals, left)
        if refusals:
            place = _place(device, device.access[source])
            self._refused_at.setdefault(place, set()).add((device.id, source))
        return replace(report, learned=replace(learned, refusals=refusals))

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

    def _beside(self, device: Device, source: str, login: Access) -> Iterator[_Spent]:
        """What the same login cost at the same host and port for the sake of other devices: the
        device there counts by itself, however many records lead to it."""
        host, port = _place(device, login)
        family = {(member.id, name) for member, name in self._family(device, source)}
        at_host = self._tracker.at_address(host, device.site) if host else ()
        questions = {(other.id, name) for other in at_host for name in other.access}
        # A record that was just added has no address before its first answer is written.
        questions |= self._refused_at.get((host, port), set())
        devices = self._tracker.devices()
        for id, name in questions - family:
            other = devices.get(id)
            access = other.access.get(name) if other else None
            if other is None or access is None or _place(other, access) != (host, port):
                continue
            state = self._spent(other, name)
            if state.refusals and self._is_same(self._resolved(other, name), login):
                yield state

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

    def _family(self, device: Device, source: str) -> Iterator[tuple[Device, str]]:
        fleet = self._tracker.fleet()
        return logins.family_of(device, source, fleet.devices, fleet.references)

    def _resolved(self, device: Device, source: str) -> Access:
        fleet = self._tracker.fleet()
        return logins.resolved(device, source, fleet.devices, fleet.credentials)


def _place(device: Device, access: Access) -> tuple[str | None, int | None]:
    return access.host or device.address, access.port


def _obstacle(device: Device, allowance: Allowance) -> str:
    """Why a trial does not log in at a known device."""
    name, left = labels.name(device), allowance.attempts_left
    if left is not None and left <= logins.KEPT_ATTEMPTS:
        reason = f"{name} accepts only {labels.counted(left, 'more login attempt')}"
    else:
        reason = f"{name} refused this user name {allowance.refusals} times"
    return f"{reason}, so no more are tried until its login is changed"
