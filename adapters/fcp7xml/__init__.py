"""Final Cut Pro 7 XML (xmeml 4 and 5), as Premiere, Resolve and Final Cut Pro 7 write it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import opentimelineio as otio

    from nlecompanion.model import ConformPlan, Loss


class Fcp7Xml:
    """The adapter; see `nlecompanion.timeline.contract`."""

    name = "fcp7xml"
    title = "Final Cut Pro 7 XML (Premiere, Resolve, Final Cut Pro 7)"
    suffixes = (".xml",)

    def score(self, path: Path, head: bytes) -> int:  # noqa: ARG002
        """100 where the root element is `xmeml`, else 0."""
        from ..xml_safe import root_name

        return 100 if root_name(head) == "xmeml" else 0

    def read(self, path: Path) -> otio.schema.Timeline:
        """The document's one sequence as OTIO, with notes."""
        from .read import read_timeline

        return read_timeline(path)

    def patch(self, path: Path, plan: ConformPlan, target: Path) -> tuple[Loss, ...]:
        """A copy of the document with the plan carried out, and nothing else changed."""
        from .patch import patch_document

        return patch_document(path, plan, target)


ADAPTER = Fcp7Xml()
