"""OpenTimelineIO's own format, `.otio`: read exactly, patched in its own text.

`ADAPTER` is the adapter; `conform_document` puts a plan into any OTIO document given as bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nlecompanion.errors import DocumentError, NotATimeline

if TYPE_CHECKING:
    import opentimelineio as otio

    from nlecompanion.model import ConformPlan, Loss
    from nlecompanion.timeline.contract import Adapter


class OtioJsonAdapter:
    """`.otio` as the library, Resolve, Premiere, Kdenlive and others write it."""

    name = "otio"
    title = "OpenTimelineIO (DaVinci Resolve, Premiere, Kdenlive)"
    suffixes = (".otio",)

    def score(self, path: Path, head: bytes) -> int:
        """Sure where the text speaks of OTIO schemas."""
        start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if start.startswith(b"{") and b'"OTIO_SCHEMA"' in head:
            return 100
        return 50 if path.suffix.lower() in self.suffixes else 0

    def read(self, path: Path) -> otio.schema.Timeline:
        """The document as OTIO, with notes."""
        from .document import load
        from .reading import read_timeline

        return read_timeline(load(_bytes_of(path), path.name))

    def patch(self, path: Path, plan: ConformPlan, target: Path) -> tuple[Loss, ...]:
        """Writes the conformed copy of `path` to `target`."""
        conformed, losses = conform_document(_bytes_of(path), plan, path.name)
        target.write_bytes(conformed)
        return losses


def conform_document(data: bytes, plan: ConformPlan, name: str) -> tuple[bytes, tuple[Loss, ...]]:
    """The OTIO document of these bytes with the plan in it; see `patching.conform_document`."""
    from . import patching

    return patching.conform_document(data, plan, name)


def _bytes_of(path: Path) -> bytes:
    """The document, refused before it is read into memory where it is too large.

    Raises:
        DocumentError: it cannot be read, or is too large.
    """
    from .source_text import check_size

    if not path.is_file():
        raise NotATimeline(f"{path.name} is not a file. Drop the exported timeline itself.")
    try:
        check_size(path.stat().st_size, path.name)
        return path.read_bytes()
    except OSError as error:
        raise DocumentError(
            f"{path.name} cannot be read: {error.strerror}. Give read permission and try again."
        ) from error


ADAPTER: Adapter = OtioJsonAdapter()
