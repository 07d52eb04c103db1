"""The scopes of the probing sources that cannot be asked now. Pure.

A scope is reported once when it goes down, and once when it is up again: with the first answer of
a device that could not be asked because of it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from discovery.due_queue import Question
from fleet.model import Coverage, Device, Report, Sighting, SourceDown


class DownScopes:
    """The scopes that are down, each with the questions that could not be asked for it."""

    def __init__(self) -> None:
        self._down: dict[str, tuple[str, set[Question]]] = {}

    def remember(self, scopes: Iterable[str], source: str) -> None:
        """Take over the scopes of a source that were down before this process. Any answer brings
        them back; a device that cannot be asked says so again."""
        for scope in scopes:
            if scope.partition(":")[0] == source:
                self._down.setdefault(scope, ("", set()))

    def down(self, scope: str, reason: str, question: Question, at: datetime) -> list[Report]:
        """Note a question that could not be asked; the event, unless the scope is down already."""
        known, questions = self._down.get(scope, (None, set()))
        questions.add(question)
        self._down[scope] = (reason, questions)
        return [] if known == reason else [SourceDown(scope, at, reason)]

    def answered(self, question: Question, reports: Iterable[Report], at: datetime) -> list[Report]:
        """The scopes that are up again because a device answered this question."""
        if not self._down:
            return []
        heard = {report.scope for report in reports if isinstance(report, Sighting)}
        source = question[1]
        up = [
            scope
            for scope, (_reason, questions) in self._down.items()
            if question in questions
            or scope in heard
            or scope == source
            or (not questions and scope.partition(":")[0] == source)
        ]
        for scope in up:
            del self._down[scope]
        return [SourceDown(scope, at, "", up=True) for scope in up]

    def forget(self, question: Question, at: datetime) -> list[Report]:
        """Forget a device that is not asked any more. A scope without devices is not down."""
        up: list[Report] = []
        for scope, (_reason, questions) in list(self._down.items()):
            if question in questions:
                questions.discard(question)
                if not questions:
                    del self._down[scope]
                    up.append(SourceDown(scope, at, "", up=True))
        return up


def lost_scopes(devices: Mapping[int, Device], coverage: Coverage) -> set[str]:
    """The scopes in which a device was last heard by the source, and that it did not ask."""
    known_devices = (device for device in devices.values() if device.retired_at is None)
    states = (device.states.get(coverage.source) for device in known_devices)
    known = {state.scope for state in states if state and state.scope}
    return known - {*coverage.scopes, *coverage.failed}
