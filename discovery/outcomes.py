"""Run what a source does so that nothing it raises ends more than its own task.

What ends a task or a process, raised in a task, would end the loop, or pass for its cancellation.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fleet.model import CannotAsk, NoAnswer
from sources.source import SessionRefused

EXPECTED = (CannotAsk, SessionRefused, NoAnswer, TimeoutError, OSError)
"""What a source may raise. Of several at once the first of these tells the most."""


class AbnormalExit(Exception):
    """A source raised what ends a task or a process, not an error. Its name is the text."""


async def outcome(work: Callable[[], Awaitable[Any]]) -> Any:
    """The result of the work, or its error as a value, which `result_of` raises. Only when
    somebody cancels the task, this is cancelled.

    The work has a task of its own: one that cancels its own task cancels nothing else.
    """
    try:
        result = await asyncio.create_task(_caught(work))
    except asyncio.CancelledError as error:
        result = error
    task = asyncio.current_task()
    if isinstance(result, asyncio.CancelledError) and task is not None and task.cancelling():
        raise result
    return result


async def _caught(work: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await work()
    except BaseException as error:  # noqa: BLE001  the table in tests/test_layout.py has it
        return error


def result_of(result: Any) -> Any:
    """What `outcome` returned, if it is a result. Raises an error, of a group the one that says
    what happened, or AbnormalExit for what is no error."""
    if not isinstance(result, BaseException):
        return result
    error = _weightiest(result)
    if isinstance(error, Exception):
        raise error
    raise AbnormalExit(type(error).__name__) from error


def name_of(error: Exception) -> str:
    """The name of an error in the program, for people."""
    return str(error) if isinstance(error, AbnormalExit) else type(error).__name__


def _weightiest(error: BaseException) -> BaseException:
    """The one error of a group that says what happened; an unexpected one comes first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    return min((_weightiest(part) for part in error.exceptions), key=_rank)


def _rank(error: BaseException) -> int:
    ranks = (place for place, kind in enumerate(EXPECTED) if isinstance(error, kind))
    return next(ranks, -1)
