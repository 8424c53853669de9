"""Writes a cut as OTIO, the way Resolve exports it: plain paths, media ranges from timecode.

One file, with characters that a URL must escape, is given as a URL instead.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from nlecompanion.demo.timeline import Cut, CutFile, Edit


def write_otio(cut: Cut, path: Path) -> Path:
    """Writes `cut` to `path` and gives the path back."""
    timeline = otio.schema.Timeline(
        name=cut.name, global_start_time=_time(Fraction(cut.start_frame), cut.rate)
    )
    picture = otio.schema.Track(name="Video 1", kind=otio.schema.TrackKind.Video)
    _fill(picture, [edit for edit in cut.edits if edit.picture], cut)
    timeline.tracks.append(picture)
    for row in cut.tracks:
        track = otio.schema.Track(name=row.name, kind=otio.schema.TrackKind.Audio)
        _fill(track, [edit for edit in cut.edits if edit.track == row.name], cut)
        timeline.tracks.append(track)
    otio.adapters.write_to_file(timeline, str(path))
    return path


def _fill(track: otio.schema.Track, edits: list[Edit], cut: Cut) -> None:
    frame = 0
    fades = {
        fade.cut_frame: fade
        for fade in cut.crossfades
        if fade.track == track.name and track.kind == otio.schema.TrackKind.Audio
    }
    for edit in sorted(edits, key=lambda edit: edit.record_frame):
        if edit.record_frame > frame:
            gap = _time(Fraction(edit.record_frame - frame), cut.rate)
            track.append(otio.schema.Gap(duration=gap))
        if edit.record_frame in fades:
            fade = fades[edit.record_frame]
            track.append(
                otio.schema.Transition(
                    name="Cross Fade",
                    transition_type=otio.schema.TransitionTypes.SMPTE_Dissolve,
                    in_offset=_time(Fraction(fade.cut_frame - fade.start_frame), cut.rate),
                    out_offset=_time(Fraction(fade.end_frame - fade.cut_frame), cut.rate),
                )
            )
        track.append(_clip(edit, cut))
        frame = edit.record_end_frame


def _clip(edit: Edit, cut: Cut) -> otio.schema.Clip:
    file = edit.file
    effects = []
    if edit.speed_percent != 100:
        effects.append(otio.schema.LinearTimeWarp(time_scalar=edit.speed_percent / 100))
    clip = otio.schema.Clip(
        name=edit.name,
        media_reference=_reference(file),
        source_range=otio.opentime.TimeRange(
            _time(Fraction(file.start_frame + edit.source_frame), file.rate),
            _time(Fraction(edit.duration_frames), cut.rate),
        ),
        effects=effects,
    )
    clip.enabled = edit.enabled
    return clip


def _reference(file: CutFile) -> otio.schema.ExternalReference:
    awkward = any(mark in file.path.name for mark in "#%")
    return otio.schema.ExternalReference(
        target_url=file.path.as_uri() if awkward else str(file.path),
        available_range=otio.opentime.TimeRange(
            _time(Fraction(file.start_frame), file.rate),
            _time(Fraction(file.duration_frames), file.rate),
        ),
    )


def _time(frames: Fraction, rate: Fraction) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(float(frames), float(rate))
