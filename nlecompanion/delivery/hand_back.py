"""Writes the documents of a delivery: the neutral cut, the receipt, the conformed timeline last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlecompanion.delivery.neutral import conformed_timeline
from nlecompanion.delivery.staging import disk_errors
from nlecompanion.media.locate import url_from_path
from nlecompanion.model import ConformPlan, Loss, TimelineFacts

if TYPE_CHECKING:
    import opentimelineio as otio

    from nlecompanion.timeline.contract import Adapter

RECEIPT_NAME = "receipt.json"


def write_neutral(
    timeline: otio.schema.Timeline, plan: ConformPlan, facts: TimelineFacts, target: Path
) -> None:
    """The conformed cut as `.otio`, whatever the format that was dropped."""
    urls = {
        clip.media.path: url_from_path(clip.media.path)
        for track in plan.tracks
        for clip in track.clips
    }
    text = conformed_timeline(timeline, plan, facts, urls).to_json_string(indent=4)
    with disk_errors(target.parent):
        target.write_text(text, encoding="utf-8")


def write_conformed(
    adapter: Adapter, document: Path, plan: ConformPlan, target: Path
) -> tuple[Loss, ...]:
    """The document's own format, patched; returns what the format could not say."""
    with disk_errors(target.parent):
        return adapter.patch(document, plan, target)


def write_receipt(receipt: dict[str, Any], target: Path) -> None:
    """The receipt as indented JSON."""
    with disk_errors(target.parent):
        target.write_text(
            json.dumps(receipt, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
