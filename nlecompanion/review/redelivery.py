"""A new delivery beside the old one, with what the editor has decided since."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nlecompanion.decisions import Decisions
from nlecompanion.errors import NleCompanionError
from nlecompanion.review.deliveries import Shelf
from nlecompanion.review.order import order_of

Progress = Callable[[float, float, str], None]


def deliver_again(task: dict[str, Any], progress: Progress) -> Path:
    """Runs the job of the delivery in the task's `folder` anew with its `decisions`.

    Returns the new delivery's folder. Regions whose sound no decision touches come from the cache.

    Raises:
        NleCompanionError: nothing could be delivered; nothing stands under a final name.
    """
    from nlecompanion import pipeline

    folder = Path(task["folder"])
    shelf = Shelf(folder)
    shown = shelf.find(shelf.id_of(folder))
    if shown is None:
        raise NleCompanionError("The delivery is no longer there.")
    document = task.get("document")
    order = order_of(shown, None if document is None else Path(document))
    delivery = pipeline.run(
        order.document,
        order.settings,
        pipeline.Place(folder.parent),
        lambda far: progress(far.done_s, far.total_s, far.what),
        decisions=Decisions.from_json(task["decisions"]),
    )
    if delivery.folder is None:
        raise NleCompanionError(
            "With these decisions nothing is left to deliver: every use keeps its original."
        )
    return delivery.folder
