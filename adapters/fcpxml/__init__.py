"""FCPXML 1.5 to 1.14, `.fcpxml` and `.fcpxmld`, as Final Cut Pro and Resolve write it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import opentimelineio as otio

    from nlecompanion.model import ConformPlan, Loss


class FcpXml:
    """The adapter; see `nlecompanion.timeline.contract`."""

    name = "fcpxml"
    title = "FCPXML (Final Cut Pro, Resolve)"
    suffixes = (".fcpxml", ".fcpxmld")

    def score(self, path: Path, head: bytes) -> int:
        """100 where the root element is `fcpxml`, or where a bundle holds `Info.fcpxml`."""
        if not head:
            return 100 if (path / "Info.fcpxml").is_file() else 0
        from ..xml_safe import root_name

        return 100 if root_name(head) == "fcpxml" else 0

    def read(self, path: Path) -> otio.schema.Timeline:
        """The document's one project as OTIO, with notes."""
        from .read import read_timeline

        return read_timeline(path)

    def patch(self, path: Path, plan: ConformPlan, target: Path) -> tuple[Loss, ...]:
        """A copy of the document with the plan carried out, and nothing else changed."""
        from .patch import patch_document

        return patch_document(path, plan, target)


ADAPTER = FcpXml()
