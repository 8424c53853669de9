"""The peers' figures, read from the table in a benchmark folder's PEERS.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: means of a system over one condition."""

    condition: str
    system: str
    improvement_db: float
    pesq: float | None
    stoi: float | None
    sig: float | None
    bak: float | None
    ovrl: float | None


def peer_lines(bench: Path) -> list[Line]:
    """All lines of PEERS.md; none where the folder has no such file."""
    path = bench / "PEERS.md"
    if not path.is_file():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip(" *") for cell in text.strip().strip("|").split("|")]
        if len(cells) != 8 or cells[0] in ("condition", "") or set(cells[0]) <= {"-", ":"}:
            continue
        improvement, *rest = (float(cell) for cell in cells[2:])
        lines.append(Line(cells[0], f"{cells[1]} (PEERS.md)", improvement, *rest))
    return lines
