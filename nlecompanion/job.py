"""A document that has been read, with its uses settled against their media."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from nlecompanion.decisions import Decisions
from nlecompanion.delivery.staging import disk_errors
from nlecompanion.delivery.unpacking import room_for
from nlecompanion.errors import NotATimeline
from nlecompanion.isolation import Isolation
from nlecompanion.media.bundles import unpack_media
from nlecompanion.media.find import find_media, wanted_urls
from nlecompanion.model import LeftAlone, Loss, MediaFile, Reason, Region, TimelineFacts, Use
from nlecompanion.settings import Settings, overlaid, own_files
from nlecompanion.timeline.choice import choose, require_tracks
from nlecompanion.timeline.documents import read_document, recognise
from nlecompanion.timeline.regions import plan_regions


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done for a document; `notes` is what was noticed on the way."""

    document: Path
    document_sha256: str
    adapter: str
    facts: TimelineFacts
    uses: tuple[Use, ...]
    files: dict[str, MediaFile]
    regions: tuple[Region, ...]
    notes: tuple[Loss, ...] = ()


def read_job(
    document: Path,
    settings: Settings,
    room: Path | None = None,
    decisions: Decisions | None = None,
) -> Job:
    """Everything up to the first sound: uses, media, regions.

    Writes nothing but the media of a zip bundle, into `room`; without one, into a room of its own
    which is gone when this returns.

    Raises:
        DocumentError: the document cannot be worked on.
        SettingsError: a track was asked for that it does not have.
    """
    if not document.is_file() and not document.is_dir():
        raise NotATimeline(f"{document} is no file. Check the path.")
    with ExitStack() as stack:
        isolation = stack.enter_context(Isolation())
        room = room or stack.enter_context(room_for(document))
        adapter = recognise(document, isolation)
        digest = document_digest(document)
        read = read_document(document, adapter, isolation)
        require_tracks(read.uses, settings.tracks)
        chosen = choose(read.uses, settings.tracks, Fraction(settings.profile.min_use_s))
        chosen = _without_kept(chosen, decisions or Decisions())
        if room is not None:
            with disk_errors(room):
                unpack_media(document, wanted_urls(chosen), room, isolation)
        found = find_media(chosen, read.media, document, settings, isolation, room)
    uses, files = found.uses, found.files
    regions = plan_regions(uses, files, settings.handles_s, read.facts.sample_rate_hz)
    return Job(document, digest, adapter, read.facts, uses, files, regions, found.notes)


def _without_kept(uses: Sequence[Use], decisions: Decisions) -> tuple[Use, ...]:
    """What the editor wants as it was is left alone."""
    kept = LeftAlone(Reason.EDITOR, "the original stays")
    return tuple(
        replace(use, left_alone=kept)
        if use.left_alone is None and decisions.of(use.id).keep_original
        else use
        for use in uses
    )


def with_own_keys(settings: Settings, document: Path) -> tuple[Settings, tuple[Loss, ...]]:
    """The settings with what the user's own files say about this timeline, and a note on each.

    Raises:
        SettingsError: a key or value in them that cannot be used.
    """
    notes = []
    for path in own_files(document.absolute()):
        profile, keys = overlaid(settings.profile, path)
        settings = replace(settings, profile=profile)
        notes.append(Loss(path.name, f"sets {', '.join(keys) or 'nothing'}"))
    return settings, tuple(notes)


def document_digest(document: Path) -> str:
    """SHA-256 of a document; where it is a folder, of its files' digests in order of name."""
    if document.is_dir():
        parts = [document_digest(p) for p in sorted(document.rglob("*")) if p.is_file()]
        return hashlib.sha256("".join(parts).encode("ascii")).hexdigest()
    with document.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
