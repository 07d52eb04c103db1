"""The project's texts as data: tables, code spans, blocks, and the requests that they show."""

import base64
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulators.panasonic import Camera, Network
from stills import still_rows
from stills.files import StillFiles
from stills.model import ASKED, Still
from store.sql import default_url, open_engine
from tests.home import (
    ROOT,
    Running,
    running,
)
from tests.video.recorded_files import Shelf, clip
from tests.web.still_cameras import HEIGHT, WIDTH, jpeg

DOCS = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), *(ROOT / "deploy").glob("*.md")])
MAC = "d4:2d:c5:14:c5:70"
SECOND_MAC = "d4:2d:c5:14:c5:71"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def table(text: str, first: str) -> list[list[str]]:
    """The rows of the tables whose first head is `first`, without heads and lines."""
    rows: list[list[str]] = []
    is_inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            is_inside = False
        elif cells[0] == first:
            is_inside = True
        elif is_inside and set(cells[0]) != {"-"}:
            rows.append([cell.replace(r"\|", "|") for cell in cells])
    return rows


def code(text: str) -> list[str]:
    """What stands between single backticks."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@dataclass
class Request:
    """One request as a text shows it; `host` is the name that was typed."""

    method: str
    path: str
    host: str = "localhost:5000"
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def curl(line: str) -> Request:
    """The request that a curl command line makes; what comes after a pipe is left out."""
    words = shlex.split(line.partition(" | ")[0])
    assert words.pop(0) == "curl"
    made, method, url = Request("GET", ""), "", ""
    while words:
        argument = words.pop(0)
        if argument == "-X":
            method = words.pop(0)
        elif argument == "-I":
            method = "HEAD"
        elif argument == "-H":
            name, _, value = words.pop(0).partition(": ")
            made.headers[name] = value
        elif argument == "-u":
            made.headers["Authorization"] = basic(*words.pop(0).split(":"))
        elif argument in ("-o", "-C", "--retry"):
            words.pop(0)
        elif argument == "-d":
            made.body = json.loads(words.pop(0))
        elif argument.startswith("-"):
            assert set(argument[1:]) <= set("sNOJi"), f"curl {argument} is not known here"
        else:
            url = argument
    assert url.startswith("http://"), line
    made.host, _, path = url.removeprefix("http://").partition("/")
    made.path = f"/{path}"
    made.method = method or ("GET" if made.body is None else "POST")
    return made


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@contextmanager
def known_monitor(folder: Path, **environment: str) -> Iterator[Running]:
    """A real monitor that knows two cameras; the first one answers its scans."""
    folder.mkdir(parents=True, exist_ok=True)
    row = {"current_ip": "127.20.0.9", "last_seen": datetime.now(UTC).isoformat()}
    rows = {MAC: row, SECOND_MAC: row}
    (folder / "camera_database.json").write_text(json.dumps(rows))
    with running(folder, **environment) as monitor, answering(monitor):
        yield monitor


def add_recording(monitor: Running, at: datetime) -> None:
    """Recording 1, of camera 1, two seconds long."""
    engine = open_engine(default_url(monitor.folder / "data"))
    shelf = Shelf(engine, monitor.folder / "media" / "recordings")
    shelf.segment(1, at, 2, clip(monitor.folder, "clip.mp4", 2))
    assert shelf.recording(1, at, 2) == 1
    engine.dispose()


def add_still(monitor: Running, at: datetime) -> None:
    """Still 1, of camera 1."""
    engine, data = open_engine(default_url(monitor.folder / "data")), jpeg(1)
    name = StillFiles(monitor.folder / "media" / "stills").write(1, at, data)
    size = {"width": WIDTH, "height": HEIGHT, "size": len(data)}
    still = Still(0, 1, at, True, way="snapshot", name=name, why=ASKED, **size)
    assert still_rows.add(engine, still) == 1
    engine.dispose()


def answering(place: Running) -> Network:
    """The camera with this MAC, on the ports of the place."""
    ports = [int(place.environment[f"EASY_IP_{part}PORT"]) for part in ("", "REPLY_")]
    camera = Camera(MAC, "127.20.0.9", "Gate")
    return Network([camera], listen=("127.0.0.1", ports[0]), reply_to=("127.0.0.1", ports[1]))


def curl_lines(name: str) -> list[str]:
    """Every command line of the blocks of a text that is a curl, or keeps what one answers."""
    lines = [
        line
        for block in blocks(read(name), "sh")
        for line in re.sub(r"\\\n\s*", "", block).splitlines()
    ]
    return [line for line in lines if re.match(r"(\w+=\$\()?curl ", line)]
