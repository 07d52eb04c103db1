"""The worst input for each parser, at full size: no datagram, header, file or field stalls it."""

import os
import resource
import subprocess
import sys

import pytest

from tests.worst_cases import CASES, ROOT

MAX_SECONDS = 60
"""Of a processor, for all worst inputs of one case. Measured: 1 to 20, the most for all regular
expressions together; in quadratic time many minutes."""


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))


@pytest.mark.parametrize("case", CASES)
def test_the_worst_that_can_come_in_is_read_in_time_proportional_to_its_length(case):
    ended = subprocess.run(
        [sys.executable, "-m", "tests.worst_cases", case],
        cwd=ROOT, env={**os.environ, "LOG_LEVEL": "ERROR"},
        capture_output=True, text=True, preexec_fn=_limit,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:] or f"killed after {MAX_SECONDS} s"
