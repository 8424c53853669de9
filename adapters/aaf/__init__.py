"""AAF, as Avid Media Composer, Pro Tools, Resolve and Premiere write it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import opentimelineio as otio

    from nlecompanion.model import ConformPlan, Loss

_SMPTE_LABEL = bytes.fromhex("060e2b34")
_COMPOUND_FILE = bytes.fromhex("d0cf11e0a1b11ae1")


class Aaf:
    """The adapter; see `nlecompanion.timeline.contract`."""

    name = "aaf"
    title = "AAF (Avid Media Composer, Pro Tools, DaVinci Resolve, Premiere)"
    suffixes = (".aaf",)

    def score(self, path: Path, head: bytes) -> int:
        """100 for a compound file that says AAF in its class id, less by its name alone."""
        named = path.suffix.lower() in self.suffixes
        if not head.startswith(_COMPOUND_FILE):
            return 30 if named else 0
        # The class id of an AAF file ends in the prefix of SMPTE's universal labels (ST 298).
        return 100 if head[16:20] == _SMPTE_LABEL or named else 0

    def read(self, path: Path) -> otio.schema.Timeline:
        """The document's one sequence as OTIO, with notes."""
        from .read import read_timeline

        return read_timeline(path)

    def patch(self, path: Path, plan: ConformPlan, target: Path) -> tuple[Loss, ...]:
        """A copy of the document with the plan carried out, and nothing else changed."""
        from .patch import patch_document

        return patch_document(path, plan, target)

    def essence(self, path: Path, url: str, folder: Path) -> None:
        """Puts the media that the document holds inside itself below `folder`, at `url`.

        `url` is a relative path, as the clips have it; see `nlecompanion.media.essence`.

        Raises:
            DocumentError: the document cannot be read.
            MediaError: the media inside it cannot be used.
        """
        from .essence import extract_essence

        extract_essence(path, url, folder)


ADAPTER = Aaf()
