"""Fixtures of the tests of discovery."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sources.source import Source
from tests.discovery.engine import Engine
from tests.home import Clock


@pytest.fixture
def make_engine(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Engine]]:
    engines: list[Engine] = []

    def make(*sources: Source, **more: Any) -> Engine:
        engines.append(Engine(tmp_path, clock, *sources, **more))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()
