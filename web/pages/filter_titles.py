"""The names under which people know filters and their values."""

from collections.abc import Mapping

from fleet import labels
from fleet.model import DEFAULT_SITE
from web.http.monitor import current_monitor

TITLES = {
    "tag": "Tag",
    "model": "Model",
    "store": "Store",
    "site": "Site",
    "network": "Network",
    "source": "Source",
}
"""The filters that are chosen in the filter panel."""


def value_titles(name: str) -> Mapping[str, str]:
    """{value: title} of the values of a filter that people know by another name."""
    if name == "site":
        return {DEFAULT_SITE: labels.NO_SITE}
    if name == "source":
        sources = current_monitor().scanner.sources.values()
        return {"workbook": "Workbook", **{source.name: source.title for source in sources}}
    return {}


def value_title(name: str, value: str) -> str:
    return value_titles(name).get(value, value)
