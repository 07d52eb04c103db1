"""Builds every source that the table in `sources/__init__.py` names."""

from collections.abc import Callable
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
