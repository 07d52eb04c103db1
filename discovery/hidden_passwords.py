"""What comes back from a probe, without the passwords of the device.

The one place where that is done, so that a source may report what a device says as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from fleet import identity
from fleet.model import CannotAsk, Finding, Miss, Report, Sighting, SourceDown
from sources.source import SessionRefused
from store.secret_texts import SecretTexts

MAX_CHAIN = 16
"""Errors, each the cause of the next, whose texts are read."""


def hidden_reports(reports: Sequence[Report], texts: SecretTexts, place: str) -> tuple[Report, ...]:
    """The reports with a mask for each password. MACs and `place`, the key of the place that was
    asked, stay as they are."""
    return tuple(_hidden_report(report, texts, place) if texts else report for report in reports)


class HiddenErrors:
    """A block whose errors leave it without the passwords, in their tracebacks too."""

    def __init__(self, texts: SecretTexts, place: str) -> None:
        self._texts = texts
        self._place = place

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _ in range(MAX_CHAIN):
            if error is None:
                return
            error.args = tuple(hidden_value(part, self._texts) for part in error.args)
            if isinstance(error, SessionRefused):
                error.reports = hidden_reports(error.reports, self._texts, self._place)
            if isinstance(error, SessionRefused | CannotAsk):
                error.reason = self._texts.hidden(error.reason)
            error = error.__cause__ or error.__context__


def hidden_value(value: Any, texts: SecretTexts) -> Any:
    """A fact, or the values in it at any depth. The keys are ours."""
    if isinstance(value, str):
        return texts.hidden(value)
    if isinstance(value, Mapping):
        return {key: hidden_value(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [hidden_value(item, texts) for item in value]
    return tuple(hidden_value(item, texts) for item in value) if type(value) is tuple else value


def _hidden_report(report: Report, texts: SecretTexts, place: str) -> Report:
    match report:
        case Sighting():
            keys = dict.fromkeys(_hidden_key(key, texts, place) for key in report.identities)
            return replace(
                report,
                identities=tuple(keys),
                name=hidden_value(report.name, texts),
                model=hidden_value(report.model, texts),
                serial=hidden_value(report.serial, texts),
                firmware=hidden_value(report.firmware, texts),
                facts=hidden_value(report.facts, texts),
                links=hidden_value(report.links, texts),
            )
        case Finding():
            key = _hidden_key(report.identity, texts, place)
            evidence = hidden_value(report.evidence, texts)
            text = texts.hidden(report.text)
            return replace(report, identity=key, text=text, evidence=evidence)
        case Miss() | SourceDown():
            return replace(report, reason=texts.hidden(report.reason))
    return report


def _hidden_key(key: str, texts: SecretTexts, place: str) -> str:
    """The key; that of the place instead of an endpoint reference with a password, since a mask
    would make one device of all that have the same password."""
    owner = identity.owner_of(key)
    if owner != key:
        token = unquote(key[len(identity.CHANNEL) + len(owner) + 1 :])
        return identity.channel_key(_hidden_key(owner, texts, place), texts.hidden(token))
    is_kept = key == place or key.startswith(identity.MAC) or texts.hidden(key) == key
    return key if is_kept else place
