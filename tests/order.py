"""The order in which a whole run hands its files to the workers, so that all end together.

A worker gets a whole file at a time, so each server, browser and database of a file starts once.
The longest files come first: one of them as the last would leave the others idle. The rest is
mixed, because files beside each other are alike, and four that use a browser or much CPU at once
delay each other.
"""

from zlib import crc32

LONGEST = (
    "tests/web/pages/test_chromium.py",
    "tests/discovery/test_real_networks.py",
    "tests/test_cli.py",
    "tests/web/pages/test_chromium_recorders.py",
    "tests/web/pages/test_axe.py",
    "tests/test_coming_from.py",
    "tests/web/pages/test_live.py",
    "tests/inventory/test_uploads.py",
    "tests/web/pages/test_chromium_details.py",
    "tests/discovery/test_new_source.py",
    "tests/discovery/test_scheduler.py",
    "tests/web/pages/test_chromium_accounts.py",
    "tests/web/api/test_dvrs.py",
    "tests/sources/test_easy4ip_bad_lines.py",
    "tests/web/pages/test_chromium_search.py",
    "tests/inventory/test_workbooks_races.py",
)
"""Files that take over 30 seconds on the build machine, browser tests and others mixed."""


def place_of(file: str) -> tuple[int, int, str]:
    """Sorts files, named from the root of the repository, into the order of a whole run."""
    rank = LONGEST.index(file) if file in LONGEST else len(LONGEST)
    return rank, crc32(file.encode()), file
