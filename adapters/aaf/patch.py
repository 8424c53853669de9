"""Puts a conform plan into a copy of the document."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from nlecompanion.errors import DocumentError
from nlecompanion.model import ConformPlan, Loss

from .document import AafDocument, open_aaf
from .making import mob_id
from .markers import add_markers, not_there_yet
from .media import MediaShelf
from .muting import mute
from .read import Reading, read_tracks
from .tracks import TrackMaker
from .values import text_of


def patch_document(path: Path, plan: ConformPlan, target: Path) -> tuple[Loss, ...]:
    """Writes the conformed copy of `path` to `target`; returns what AAF could not say.

    The composition gets a mob id of its own, since an editor takes one id for one sequence: beside
    the original, the old one would replace it or be refused.

    Raises:
        DocumentError: the plan names an address that the document does not have.
    """
    losses: list[Loss] = []
    with open_aaf(path) as document:
        markers = not_there_yet(document, document.clock(), plan.markers)
        same = text_of(document.top, "Name") == plan.timeline_name
    plan = replace(plan, markers=tuple(markers))
    shutil.copyfile(path, target)
    if same and not (plan.tracks or plan.disable or plan.markers):
        return ()
    try:
        with open_aaf(target, shown=path.name, mode="rw") as document:
            _apply(document, plan, losses)
    except BaseException:
        # Half patched it is no AAF to anybody.
        target.unlink(missing_ok=True)
        raise
    return tuple(losses)


def _apply(document: AafDocument, plan: ConformPlan, losses: list[Loss]) -> None:
    top = document.top
    if not (plan.tracks or plan.disable or plan.markers):
        top.name = plan.timeline_name
        return
    readings = {
        reading.placed.address: reading
        for track in read_tracks(document)
        for reading in track.readings
    }
    _require(document, plan, readings)
    clock = document.clock()
    before = str(top.mob_id)
    if plan.tracks:
        sound = document.tracks[0].segment.datadef
        shelf = MediaShelf(document.file, sound, before, losses)
        slots = {slot.slot_id: slot for slot in top.slots}
        maker = TrackMaker(top, slots, readings, shelf, losses)
        for track in plan.tracks:
            maker.append(track)
    for address in dict.fromkeys(plan.disable):
        mute(document.file, readings[address].placed)
    if plan.markers:
        add_markers(document, clock, plan.markers)
    top.name = plan.timeline_name
    top.mob_id = mob_id(before, plan.timeline_name, repr(plan))


def _require(document: AafDocument, plan: ConformPlan, readings: dict[str, Reading]) -> None:
    named = [address for track in plan.tracks for clip in track.clips for address in clip.like]
    for address in (*named, *plan.disable):
        if address not in readings:
            raise DocumentError(
                f"{document.name} has no clip at {address}. It is not the document that the plan "
                "was made from; run the timeline again."
            )
