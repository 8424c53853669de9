"""OpenTimelineIO's own format, `.otio`: read exactly, patched in its own text; `.otioz`, `.otiod`.

`ADAPTER` is the adapter; `conform_document` puts a plan into any OTIO document given as bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import opentimelineio as otio

    from nlecompanion.model import ConformPlan, Loss
    from nlecompanion.timeline.contract import Adapter


class OtioJsonAdapter:
    """`.otio` as the library, Resolve, Premiere, Kdenlive and others write it."""

    name = "otio"
    title = "OpenTimelineIO (DaVinci Resolve, Premiere, Kdenlive)"
    suffixes = (".otio", ".otioz", ".otiod")

    def score(self, path: Path, head: bytes) -> int:
        """Sure where the text speaks of OTIO schemas, or a bundle holds `content.otio`."""
        if not head:
            return 100 if (path / "content.otio").is_file() else 0
        if head.startswith(b"PK\x03\x04"):
            # A bundle's document is written before its media, among the first bytes.
            named = b"content.otio" in head or path.suffix.lower() == ".otioz"
            return 100 if named else 0
        start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if start.startswith(b"{") and b'"OTIO_SCHEMA"' in head:
            return 100
        return 50 if path.suffix.lower() in self.suffixes else 0

    def read(self, path: Path) -> otio.schema.Timeline:
        """The document as OTIO, with notes."""
        from .bundles import content_of
        from .document import load
        from .reading import read_timeline

        return read_timeline(load(content_of(path), path.name))

    def patch(self, path: Path, plan: ConformPlan, target: Path) -> tuple[Loss, ...]:
        """Writes the conformed copy of `path` to `target`; a bundle becomes a bundle."""
        from .bundles import content_of, write_like

        conformed, losses = conform_document(content_of(path), plan, path.name)
        return losses + write_like(path, conformed, target)


def conform_document(data: bytes, plan: ConformPlan, name: str) -> tuple[bytes, tuple[Loss, ...]]:
    """The OTIO document of these bytes with the plan in it; see `patching.conform_document`."""
    from . import patching

    return patching.conform_document(data, plan, name)


ADAPTER: Adapter = OtioJsonAdapter()
