"""Build every source that the table in `sources/__init__.py` names."""

from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

from fleet.status_rules import SourceRules
from sources import SOURCES
from sources.source import Source


def build_sources(
    select: Callable[[type[Any]], Any], clock: Callable[[], datetime]
) -> list[Source]:
    """All sources; none is asked yet. `select` gives a source its options."""
    modules = [import_module(f"{__package__}.{name}") for name in SOURCES]
    return [module.build(select(module.Options), clock) for module in modules]


def source_rules(sources: Sequence[Source]) -> dict[str, SourceRules]:
    """What the rules of status need of each source, by its name. Discovery asks on no interval of
    its own. A sweep can leave a device without a result until its end."""
    return {source.name: _rules_of(source) for source in sources}


def _rules_of(source: Source) -> SourceRules:
    interval = source.interval + (source.timeout if source.sweep else 0.0)
    return SourceRules(
        interval if source.probe or source.sweep else None,
        probes=source.probe is not None and source.sweep is None,
        names_kind=source.names_kind,
    )
