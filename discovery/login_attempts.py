"""Logins that may be refused, on disk before they are sent: a crash gives no new budget.

One that worked at the last check is not written: it costs nothing where all is well.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from fleet.model import Device, Report, Sighting, SpentLogins

Keep = Callable[[Iterable[Report]], Awaitable[None]]


@dataclass(slots=True)
class LoginAttempts:
    """The logins of one probe. `before` and `after` are the refusals of the access."""

    device: Device
    source: str
    before: int
    sent: int = 0
    after: int = field(init=False)

    def __post_init__(self) -> None:
        self.after = self.before

    async def spend(self, keep: Keep) -> None:
        """Write one more as refused, which most likely it is where a process was killed."""
        self.sent += 1
        await keep([self._with(self.before + self.sent)])

    def judge(self, reports: Sequence[Report]) -> None:
        """Take the number that the answer proved. Without an answer, none was refused."""
        for report in reports:
            learned = report.learned if isinstance(report, Sighting) else None
            if learned is not None and learned.refusals is not None:
                self.after = learned.refusals

    def settled(self) -> list[Report]:
        """What corrects the attempts that were written; nothing where none was."""
        return [self._with(self.after)] if self.sent else []

    def _with(self, refusals: int) -> SpentLogins:
        access = self.device.access[self.source]
        return SpentLogins(self.device.id, self.source, access, refusals)
