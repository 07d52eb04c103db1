"""A scan as the database file keeps it and as commands print it; `fleet.state` checks the form."""

from typing import Any

from discovery.progress import Scan, SourceProgress


def scan_record(scan: Scan) -> dict[str, Any]:
    return {
        "at": scan.started.isoformat(),
        "finished": scan.finished.isoformat() if scan.finished else None,
        "by": scan.by,
        "state": scan.state,
        "found": scan.found,
        "missed": scan.missed,
        "error": scan.error or None,
        "sources": [source_record(source) for source in scan.sources.values()],
    }


def source_record(source: SourceProgress) -> dict[str, Any]:
    return {
        "name": source.name,
        "title": source.title,
        "state": source.state,
        "found": len(source.found),
        "requests": source.requests,
        "answers": source.answers,
        "interfaces": source.interfaces,
        "refused": source.refused,
        "failed": source.failed,
        "missed": source.missed,
        "listed": source.listed,
        "notes": source.notes,
    }
