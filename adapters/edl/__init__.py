"""CMX 3600 edit decision lists: read exactly; cleaned sound comes back as lists of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import opentimelineio as otio

    from nlecompanion.model import ConformPlan, Loss
    from nlecompanion.timeline.contract import Adapter


class EdlAdapter:
    """The adapter; see `nlecompanion.timeline.contract`.

    An EDL can neither hold a second list nor switch an event off: `patch` leaves the events as they
    are, notes in comments what is to be muted, and writes one audio-only list per cleaned track
    beside the target.
    """

    name = "edl"
    title = "CMX 3600 EDL (Avid, Premiere, Resolve)"
    suffixes = (".edl",)

    def score(self, path: Path, head: bytes) -> int:
        """Sure where a line is an event, or where the header has its two lines."""
        from .lines import looks_like_edl

        if looks_like_edl(head):
            return 90
        return 30 if path.suffix.lower() in self.suffixes else 0

    def read(self, path: Path) -> otio.schema.Timeline:
        """The list's events as OTIO, with notes on those that have sound."""
        from .read import read_timeline

        return read_timeline(path)

    def patch(self, path: Path, plan: ConformPlan, target: Path) -> tuple[Loss, ...]:
        """The list with comments at `target`; `<target> DX clean 1.edl` and so on beside it."""
        from .patch import patch_document

        return patch_document(path, plan, target)


ADAPTER: Adapter = EdlAdapter()
