"""Edits of many devices at once: which of them would be refused. Pure."""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime

from fleet.edit import edits as edit_rules
from fleet.model import Edit, Fleet, Refused, Report
from fleet.reduce.draft import Draft
from fleet.status import Rules


def refusals(
    fleet: Fleet,
    reports: Sequence[Report],
    now: datetime,
    rules: Rules,
    forbidden: Container[int] = (),
) -> Mapping[int, Refused]:
    """The refused edits by their place in `reports`, each tried after all before it; those at
    `forbidden` places are not tried.

    Applied in one batch, one refused edit would refuse them all.
    """
    draft, refused = Draft(fleet, rules, now), dict[int, Refused]()
    for place, report in enumerate(reports):
        try:
            if isinstance(report, Edit) and place not in forbidden:
                edit_rules.apply(draft, report)
        except Refused as error:
            refused[place] = error
    return refused
