"""A Final Cut Pro 7 XML document before and after a conform with made-up cleaned files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from testkit import fcp7xml_undo as kit
from testkit.fcp7xml import Track
from testkit.passthrough_plan import passthrough_plan

from nlecompanion import plugins
from nlecompanion.model import ConformPlan, Loss, Use
from nlecompanion.timeline.contract import Adapter, timeline_facts
from nlecompanion.timeline.uses import read_uses

Writer = Callable[..., bytes]


class Conformed:
    """A document before and after, with its plan."""

    def __init__(self, folder: Path, data: bytes, **plan: Any) -> None:
        self.adapter: Adapter = plugins.adapters()["fcp7xml"]
        self.path = folder / "cut.xml"
        self.path.write_bytes(data)
        self.target = folder / "delivered.xml"
        timeline = self.adapter.read(self.path)
        self.facts = timeline_facts(timeline)
        self.uses = read_uses(timeline)
        self.plan: ConformPlan = passthrough_plan(timeline, folder, **plan)
        self.patch(self.plan)

    def patch(self, plan: ConformPlan) -> None:
        self.plan = plan
        self.losses: tuple[Loss, ...] = self.adapter.patch(self.path, plan, self.target)
        self.original = self.path.read_bytes()
        self.delivered = self.target.read_bytes()
        self.tracks = kit.added_tracks(self.original, self.delivered)

    def clean_uses(self) -> list[Use]:
        uses = read_uses(self.adapter.read(self.target))
        return [use for use in uses if use.track.startswith("DX clean")]

    def check_undo(self) -> None:
        undone = kit.undo(self.original, self.delivered, self.plan)
        assert kit.canonical(undone) == kit.canonical(self.original)
        assert kit.canonical_picture(self.delivered) == kit.canonical_picture(self.original)
        assert kit.repeated_ids(self.delivered) == []


def conform(folder: Path, writer: Writer, *tracks: Track, **options: Any) -> Conformed:
    plan = {k: options.pop(k) for k in ("handles_s", "markers", "leave") if k in options}
    conformed = Conformed(folder, writer(tracks, **options), **plan)
    conformed.check_undo()
    return conformed
