"""A pretend Easy4IP cloud of one recorder, and a client of it."""

import pytest

from simulators.easy4ip import Recorder
from tests.simulators.easy4ip_client import SERIAL, Client, cloud_of


@pytest.fixture
def client():
    made = Client()
    yield made
    made.socket.close()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(SERIAL, 1)


@pytest.fixture
def cloud(recorder):
    """A running cloud of this one recorder, which is at the second of two P2P servers."""
    with cloud_of(recorder) as running:
        yield running
