"""REAPER's text projects, `.rpp`: items and takes read exactly, patched line by line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import opentimelineio as otio

    from nlecompanion.model import ConformPlan, Loss
    from nlecompanion.timeline.contract import Adapter

_ROOT = b"<REAPER_PROJECT"


class RppAdapter:
    """The adapter; see `nlecompanion.timeline.contract`."""

    name = "rpp"
    title = "REAPER project"
    suffixes = (".rpp",)

    def score(self, path: Path, head: bytes) -> int:
        """Sure where the text begins with the project's block."""
        start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if start.startswith(_ROOT):
            return 100
        return 30 if path.suffix.lower() in self.suffixes else 0

    def read(self, path: Path) -> otio.schema.Timeline:
        """The project's tracks as OTIO, with notes."""
        from .read import read_timeline

        return read_timeline(path)

    def patch(self, path: Path, plan: ConformPlan, target: Path) -> tuple[Loss, ...]:
        """A copy of the project with the plan carried out; every other line as it was."""
        from .patch import patch_document

        return patch_document(path, plan, target)


ADAPTER: Adapter = RppAdapter()
