"""Fixtures of the tests of pages."""

import pytest

from simulators.panasonic import Camera
from tests.home import Home
from tests.web.pages.stores import SILENT, STORES, UNASKED, Make, ask_all, open_stores, sites_of


@pytest.fixture
def home(make_home: Make) -> Home:
    """Two cameras, 1 Gate and 2 Yard, both active."""
    made = make_home(
        Camera("d4:2d:c5:00:00:01", "127.20.0.1", "Gate"),
        Camera("d4:2d:c5:00:00:02", "127.20.0.2", "Yard"),
    )
    made.scan()
    return made


@pytest.fixture
def chain(make_home: Make) -> Home:
    """Four stores' worth of recorders, and a camera that nobody gave a site."""
    home = open_stores(make_home, STORES, Camera("d4:2d:c5:00:00:01", "127.20.0.9", "Gate"))
    home.scan()
    ask_all(home, (site for site in sites_of(STORES) if site not in UNASKED), SILENT)
    return home
