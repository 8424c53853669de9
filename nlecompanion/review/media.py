"""Sound and pictures under names that say nothing: only what was put on the table is served."""

from __future__ import annotations

import secrets
import stat
import threading
from pathlib import Path

from starlette.responses import FileResponse, Response

_TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".png": "image/png",
    ".bin": "application/octet-stream",
}


class MediaTable:
    """Files of deliveries and of the review's own cache, each with a random id of this start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_id: dict[str, tuple[Path, Path]] = {}
        self._ids: dict[Path, str] = {}

    def put(self, path: Path, root: Path) -> str | None:
        """The id of a file below `root`; None where it is no such file, or a link leads out."""
        if served(path, root) is None:
            return None
        with self._lock:
            known = self._ids.get(path)
            if known is None:
                known = self._ids[path] = secrets.token_urlsafe(18)
                self._by_id[known] = path, root
            return known

    def answer(self, media_id: str) -> Response | None:
        """The file, or the range of it that is asked for; None for an unknown id or a lost file."""
        with self._lock:
            found = self._by_id.get(media_id)
        # Looked at again: a file may have become a link since.
        path = None if found is None else served(*found)
        if path is None:
            return None
        try:
            seen = path.stat()
        except OSError:  # went away this very moment
            return None
        return FileResponse(
            path,
            media_type=_TYPES[path.suffix.lower()],
            stat_result=seen,
            headers={"cache-control": "private, max-age=600"},
        )


def served(path: Path, root: Path) -> Path | None:
    """The real place of a file that may be served: regular, of a known kind, below `root`."""
    try:
        real = path.resolve(strict=True)
        regular = stat.S_ISREG(real.stat().st_mode)
        inside = real.is_relative_to(root.resolve(strict=True))
    except (OSError, ValueError, RuntimeError):  # missing, a loop of links, a NUL in the name
        return None
    return real if regular and inside and real.suffix.lower() in _TYPES else None
