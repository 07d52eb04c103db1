"""Sentences for people."""

import re

import pytest

from fleet.texts import sentences
from tests.home import ROOT


@pytest.mark.parametrize(
    ("error", "hint", "joined"),
    [
        ("It is gone", "Put it back.", "It is gone. Put it back."),
        ("It is gone. Fix it.", "The rest runs.", "It is gone. Fix it. The rest runs."),
        ("It is gone.", "", "It is gone."),
        ("It is gone", "", "It is gone."),
    ],
)
def test_an_error_and_its_hint_have_one_full_stop_between_them(
    error: str, hint: str, joined: str
) -> None:
    assert sentences(error, hint) == joined


def test_only_known_places_join_an_error_and_its_hint() -> None:
    folders = ("accounts", "audit", "commands", "discovery", "fleet", "inventory", "web", "static")
    files = [
        path for name in folders for path in (ROOT / name).rglob("*.[pj][ys]") if path.is_file()
    ]
    joins = re.compile(r"error.*\}\. \$?\{[^}]*hint")
    matches = [path for path in (*files, ROOT / "cli.py") if joins.search(path.read_text())]
    names = sorted(path.name for path in matches)
    assert names == ["device_record.py", "texts.py", "toast.js"]
