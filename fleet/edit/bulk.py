"""Edits of many devices at once: which of them would be refused. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from fleet.edit import edits as edit_rules
from fleet.model import Edit, Fleet, Refused
from fleet.reduce.draft import Draft
from fleet.status import Rules


def refusals(
    fleet: Fleet, edits: Sequence[Edit], now: datetime, rules: Rules
) -> Mapping[int, Refused]:
    """The refused edits by their place in `edits`, each tried after all before it.

    Applied in one batch, one refused edit would refuse them all.
    """
    draft, refused = Draft(fleet, rules, now), dict[int, Refused]()
    for place, edit in enumerate(edits):
        try:
            edit_rules.apply(draft, edit)
        except Refused as error:
            refused[place] = error
    return refused
