"""Build every source that the table in `sources/__init__.py` names."""

from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

from fleet.patience import SourceInterval
from sources import SOURCES
from sources.source import Source


def build_sources(
    select: Callable[[type[Any]], Any], clock: Callable[[], datetime]
) -> list[Source]:
    """All sources; none is asked yet. `select` gives a source its options."""
    modules = [import_module(f"{__package__}.{name}") for name in SOURCES]
    return [module.build(select(module.Options), clock) for module in modules]


def intervals_of(sources: Sequence[Source]) -> dict[str, SourceInterval]:
    """The interval at which each source asks a listed device; discovery has none. A sweep can leave
    a device without a result until its end."""
    return {
        source.name: SourceInterval(
            source.interval + (source.timeout if source.sweep else 0.0),
            probes=source.probe is not None and source.sweep is None,
        )
        for source in sources
        if source.probe or source.sweep
    }
