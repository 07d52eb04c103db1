"""The order of names: as people count, however long a number is."""

import pytest

from fleet.natural_order import natural_key


@pytest.mark.parametrize(
    "names",
    [
        ["Gate 2", "Gate 10"],
        ["2", "10", "10a", "10b", "Gate"],
        ["a2b9", "a2b10", "a10b1"],
        ["10.1.4.9", "10.1.4.21", "10.1.10.1"],
        ["Cam 7", "cam 8", "CAM 9"],
        ["Store 007", "Store 8"],
        ["", "1", "a"],
        ["9" * 5000, "1" + "0" * 5000],
        ["Gate", "Gate 1"],
        ["٣", "٤"],  # only 0 to 9 are read as numbers
    ],
)
def test_names_sort_as_people_count(names: list[str]) -> None:
    backwards = names[::-1]
    assert sorted(backwards, key=natural_key) == names


def test_case_and_leading_zeros_make_no_difference() -> None:
    assert natural_key("Gate 02") == natural_key("gATE 2")
