"""Writes the documents of a delivery: the neutral cut, the receipt, the conformed timeline last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlecompanion.delivery.staging import disk_errors
from nlecompanion.model import ConformPlan, Loss
from nlecompanion.plugins import adapters

if TYPE_CHECKING:
    import opentimelineio as otio

    from nlecompanion.timeline.contract import Adapter

RECEIPT_NAME = "receipt.json"


def write_neutral(timeline: otio.schema.Timeline, plan: ConformPlan, target: Path) -> None:
    """The conformed cut as `.otio`, whatever the format that was dropped.

    The neutral model is a document like any other: its adapter finds the plan's addresses in the
    notes that the reading adapter left.
    """
    neutral = target.with_name(f".{target.name}")
    with disk_errors(target.parent):
        neutral.write_text(timeline.to_json_string(indent=4), encoding="utf-8")
        try:
            adapters()["otio"].patch(neutral, plan, target)
        finally:
            neutral.unlink()


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
            json.dumps(receipt, indent=2, ensure_ascii=False) + "\n",
            encoding="utf-8",
            errors="backslashreplace",  # a file name that is no UTF-8 must not cost the delivery
        )
