"""Builds every source that the table in `sources/__init__.py` names."""

from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

from sources import SOURCES
from sources.source import Source


def build_sources(
    select: Callable[[type[Any]], Any], clock: Callable[[], datetime]
) -> list[Source]:
    """All sources; none is asked yet. `select` gives a source its options."""
    modules = [import_module(f"{__package__}.{name}") for name in SOURCES]
    return [module.build(select(module.Options), clock) for module in modules]


def intervals_of(sources: Sequence[Source]) -> dict[str, float]:
    """How often each source asks a listed device, in seconds; those that only discover have
    none. A sweep says nothing of some devices until its end."""
    return {
        source.name: source.interval + (source.timeout if source.sweep else 0.0)
        for source in sources
        if source.probe or source.sweep
    }
