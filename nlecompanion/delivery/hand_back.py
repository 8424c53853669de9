"""Writes the documents of a delivery: the neutral cut, the receipt, the conformed timeline last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nlecompanion.delivery.staging import disk_errors
from nlecompanion.isolation import Isolation
from nlecompanion.model import ConformPlan, Loss
from nlecompanion.timeline.documents import patch_document, patch_neutral

RECEIPT_NAME = "receipt.json"


def write_documents(
    adapter: str, document: Path, plan: ConformPlan, conformed: Path, neutral: Path | None
) -> tuple[Loss, ...]:
    """The document's own format, patched, and the conformed cut as `.otio` where it is another.

    Returns what the document's format could not say.

    Raises:
        DocumentError: it does not take the plan.
        DeliveryError: the folder cannot be written.
    """
    with disk_errors(conformed.parent), Isolation() as isolation:
        if neutral is not None:
            patch_neutral(document, adapter, plan, neutral, isolation)
        return patch_document(document, adapter, plan, conformed, isolation)


def write_receipt(receipt: dict[str, Any], target: Path) -> None:
    """The receipt as indented JSON."""
    with disk_errors(target.parent):
        target.write_text(
            json.dumps(receipt, indent=2, ensure_ascii=False) + "\n",
            encoding="utf-8",
            errors="backslashreplace",  # a file name that is no UTF-8 must not cost the delivery
        )
