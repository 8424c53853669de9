"""Media files are probed in a child process: a file that kills its decoder is one bad file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nlecompanion.errors import MediaUnreadable
from nlecompanion.isolation import ChildEnded, Isolation, Limits
from nlecompanion.media.probe import probe
from nlecompanion.model import MediaFile
from nlecompanion.wire import from_json, to_json

#: A file without an index is walked to its end, on a slow disk: time on the clock is generous.
PROBE_LIMITS = Limits(memory_bytes=1 << 30, cpu_s=120.0, wall_s=600.0)


def probe_apart(path: Path, isolation: Isolation, limits: Limits = PROBE_LIMITS) -> MediaFile:
    """`probe` in the child.

    Raises:
        MediaError: as `probe`; `MediaUnreadable` also where the file crashed or hung its reader.
    """
    try:
        answer = isolation.ask("probe", str(path), limits)
    except (ChildEnded, OSError) as error:
        raise MediaUnreadable(
            f"{path.name} {error}. Transcode it to WAV and relink the clip."
        ) from error
    try:
        return from_json(answer, MediaFile)
    except (ValueError, TypeError) as error:
        raise MediaUnreadable(
            f"{path.name} states what cannot be ({error}). Transcode it and relink the clip."
        ) from error


def probe_here(path: str) -> Any:
    """In the child: what the file holds."""
    return to_json(probe(Path(path)), MediaFile)
