"""The whole run of the tests in CI: a few that failed run once more, alone, and are named.

What breaks a feature fails twice. What fails once beside ten thousand others, on a machine that was
busy with them, is worth a mend and holds up nothing that has to do with it: decision 94.

    python -m tests.again [pytest arguments]
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

MOST = 12
"""Failed tests and fixtures that run again, alone. More of them are no accident."""
FAILED = 1
"""The exit code of pytest when tests failed, and it ran to its end."""


def main(arguments: list[str], folder: Path) -> int:
    """The exit code of the run, or of the second one where there is one."""
    cache = ("-o", f"cache_dir={folder}", *arguments)
    status = _pytest("--cache-clear", *cache)
    known = folder / "v/cache/lastfailed"
    failed = list(json.loads(known.read_text())) if known.is_file() else []
    if status != FAILED or not 0 < len(failed) <= MOST:
        return status
    print("\nThese failed beside the others, and run once more, alone:", *failed, sep="\n  ")
    status = _pytest("--last-failed", *cache, "-n", "0")
    if status == 0:
        print("UNSTABLE, to be mended:", *failed, sep="\n  ", flush=True)
    return status


def _pytest(*arguments: str) -> int:
    sys.stdout.flush()
    return subprocess.run((sys.executable, "-m", "pytest", *arguments), check=False).returncode


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as cache:
        status = main(sys.argv[1:], Path(cache))
    sys.exit(status)
