"""Kdenlive projects: recognised, and refused with the way that works.

A `.kdenlive` file is MLT XML in Kdenlive's private manner, which changes with its versions;
Kdenlive itself exports the cut as OpenTimelineIO, which is read and patched exactly.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import opentimelineio as otio

    from nlecompanion.model import ConformPlan, Loss
    from nlecompanion.timeline.contract import Adapter


class KdenliveAdapter:
    """The adapter that says what to export instead."""

    name = "kdenlive"
    title = "Kdenlive project (export OpenTimelineIO from it)"
    suffixes = (".kdenlive",)

    def score(self, path: Path, head: bytes) -> int:
        """Sure by the ending, or where MLT XML speaks of Kdenlive."""
        if path.suffix.lower() in self.suffixes:
            return 100
        from .xml_safe import root_name

        return 100 if root_name(head) == "mlt" and b"kdenlive" in head else 0

    def read(self, path: Path) -> otio.schema.Timeline:
        """Refuses.

        Raises:
            UnsupportedDocument: always.
        """
        _refuse(path)

    def patch(self, path: Path, plan: ConformPlan, target: Path) -> tuple[Loss, ...]:  # noqa: ARG002
        """Refuses.

        Raises:
            UnsupportedDocument: always.
        """
        _refuse(path)


def _refuse(path: Path) -> NoReturn:
    from nlecompanion.errors import UnsupportedDocument

    raise UnsupportedDocument(
        f"{path.name} is a Kdenlive project, which cannot be patched exactly. In Kdenlive 25.04 or "
        "newer choose File › OpenTimelineIO Export and drop that .otio file instead."
    )


ADAPTER: Adapter = KdenliveAdapter()
