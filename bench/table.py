"""The measurements as a table for people."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One number. `target` is the most that it may be; `peer` the same thing elsewhere."""

    what: str
    value: float
    unit: str
    target: float | None = None
    peer: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "ok" if self.value <= self.target else "MISSED"

    def cells(self) -> tuple[str, ...]:
        target = "" if self.target is None else f"{self.target:g}"
        peer = "" if self.peer is None else f"{self.peer:.4g}"
        ratio = "" if self.peer is None or not self.value else f"x {self.peer / self.value:.3g}"
        value = f"{self.value:.4g}"
        return (self.what, value, self.unit, target, self.verdict, peer, ratio, self.note)


HEADS = ("measure", "here", "unit", "target", "", "peer", "peer/here", "note")


def print_table(rows: Sequence[Row]) -> None:
    lines = [HEADS, *(row.cells() for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEADS))]
    for number, line in enumerate(lines):
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
        if number == 0:
            print("  ".join("-" * width for width in widths))
    missed = [row.what for row in rows if row.verdict == "MISSED"]
    print(
        f"\n{len(missed)} of {len(rows)} missed: {'; '.join(missed)}" if missed else "\nAll held."
    )
