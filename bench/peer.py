"""The peer for comparison: a camera monitor written in an afternoon. One thread, one JSON file.

python -m bench.peer FILE PORT
"""

import json
import sys
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request


def create(path: Path) -> Flask:
    app = Flask("peer")
    cameras: dict[str, Any] = json.loads(path.read_text())

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    @app.get("/api/cameras")
    def listed() -> Response:
        rows = list(cameras.values())
        size = request.args.get("per_page", len(rows), int)
        return jsonify({"cameras": rows[:size], "count": len(rows)})

    @app.patch("/api/camera/<mac>")
    def rename(mac: str) -> Response:
        cameras[mac].update(request.get_json())
        with path.open("w") as file:
            json.dump(cameras, file, indent=2)
        return jsonify({"success": True, "camera": cameras[mac]})

    return app


if __name__ == "__main__":
    create(Path(sys.argv[1])).run("127.0.0.1", int(sys.argv[2]), threaded=False)
