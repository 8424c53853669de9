"""One document with stand-in media through the whole pipeline, judged by ear of arithmetic.

The stand-ins are WAV files with holes in them: real speech where the document plays them, nothing
elsewhere, with the start timecode that the document states, at the project's sample rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from benchmarks.documents_checks import has_kit, uses_of_all
from benchmarks.documents_wav import LONGEST_BYTES, make_sparse
from testkit.format_kits import KITS
from testkit.standin import StandIn, speech_at

from nlecompanion.errors import MediaError
from nlecompanion.media.locate import local_path
from nlecompanion.model import FAILURES, Delivery, Use
from nlecompanion.pipeline import Place, read_job, run
from nlecompanion.plugins import adapters
from nlecompanion.settings import Profile, Settings
from nlecompanion.timeline.contract import Adapter, timeline_facts
from nlecompanion.timeline.uses import read_uses

#: Nothing is good enough to be kept, nothing too quiet to be speech.
EVERYTHING = Profile(keep_sbr_db=200, min_speech_s=0)
HANDLES_S = Fraction(1)
_HEARD_S = 4
_MARGIN_S = 3


@dataclass(frozen=True)
class Heard:
    """How the cleaned sound of one document lies: clips compared, and those that are off."""

    compared: int
    off: tuple[str, ...]
    note: str = ""


def stand_ins(uses: Sequence[Use], rate_hz: int, folder: Path, most_s: float) -> dict[str, StandIn]:
    """The files that the uses need, by URL, as many as play at most `most_s` seconds together."""
    groups: dict[str, list[Use]] = {}
    for use in uses:
        if use.left_alone is None and use.media_url:
            groups.setdefault(use.media_url, []).append(use)
    made: dict[str, StandIn] = {}
    left_s = Fraction(most_s)
    for url, mine in sorted(groups.items(), key=lambda item: _played_s(item[1])):
        stand_in = _stand_in(mine, rate_hz, folder / f"{len(made)} stand-in.wav")
        size_bytes = 2 * stand_in.channels * stand_in.length_samples
        if _played_s(mine) <= left_s and size_bytes <= LONGEST_BYTES:
            made[url] = stand_in
            left_s -= _played_s(mine)
    return made


def _played_s(uses: Sequence[Use]) -> Fraction:
    """Seconds of the file that are worked on: what overlaps counts once."""
    played_s, reach_s = Fraction(0), None
    for use in sorted(uses, key=lambda use: use.source.start_s):
        start_s, end_s = use.source.start_s - HANDLES_S, use.source.end_s + HANDLES_S
        from_s = start_s if reach_s is None else max(start_s, reach_s)
        played_s += max(end_s - from_s, Fraction(0))
        reach_s = end_s if reach_s is None else max(reach_s, end_s)
    return played_s


def _stand_in(uses: Sequence[Use], rate_hz: int, path: Path) -> StandIn:
    start_s = uses[0].media_start_s
    first_s = Fraction(0)
    if any(use.counts_timecode for use in uses):
        # Only the media can say where it starts: a second before the first use.
        first_s = Fraction(max(0, min(use.source.start_s for use in uses) // 1 - 1))
        start_s = first_s
    elif start_s is not None:
        start_s = Fraction(round(start_s * rate_hz), rate_hz)
    channels = max((channel + 1 for use in uses for channel in use.channels or (0, 1)), default=2)
    used = [
        (use.source.start_s - first_s - _MARGIN_S, use.source.end_s - first_s + _MARGIN_S)
        for use in uses
    ]
    return StandIn(
        path=path,
        duration_s=max(end_s for _, end_s in used) + 1,
        video_rate=None,
        start_s=start_s,
        channels=channels,
        rate_hz=rate_hz,
        used_ranges=used,
    )


def hear(format_name: str, document: Path, folder: Path, most_s: float) -> Heard:
    """Runs the document with the pass-through engine and compares each cleaned clip's samples.

    `document` lies in a folder of its own. Comparing is by cross-correlation over the clip's first
    seconds: 0 samples off, or up to half a frame where the receipt says that it was rounded.

    Raises:
        NleCompanionError: the run ended without a delivery.
    """
    timeline = adapters()[format_name].read(document)
    rate_hz = timeline_facts(timeline).sample_rate_hz
    made = stand_ins(read_uses(timeline), rate_hz, folder, most_s)
    if not made:
        return Heard(0, (), f"no media that is named and of which at most {most_s:g} s are played")
    for stand_in in made.values():
        make_sparse(stand_in)
    settings = Settings(
        profile=EVERYTHING,
        engine="passthrough",
        handles_s=HANDLES_S,
        path_map=tuple((url, str(stand_in.path)) for url, stand_in in made.items()),
    )
    delivery = run(document, settings, Place(folder / "out"))
    mine = [report for report in delivery.uses if report.use.media_url in made]
    left = [(report.use.id, report.left_alone) for report in mine if report.left_alone]
    wrong = [f"{use_id} is {why}" for use_id, why in left if why.reason in FAILURES]
    note = "; ".join(sorted({str(why)[:120] for _, why in left if why.reason not in FAILURES}))
    if delivery.document is None:
        return Heard(0, tuple(wrong), f"nothing was cleaned: {note}")
    settled = {use.id: use for use in read_job(document, settings).uses}
    compared, off = _compared(adapters()[format_name], delivery, settled, made)
    wrong += off
    again = run(delivery.document, settings, Place(folder / "again"))
    if again.folder is not None:
        wrong.append(f"a second run on the delivery cleans {again.cleaned} more")
    wrong += _not_undone(format_name, document, delivery)
    return Heard(compared, tuple(wrong), note)


def _not_undone(format_name: str, document: Path, delivery: Delivery) -> list[str]:
    """Says so where the delivered document without the plan is not the dropped one."""
    assert delivery.document is not None
    assert delivery.plan is not None
    if not has_kit(format_name, document):
        return []
    kit = KITS[format_name]
    original = document.read_bytes()
    undone = kit.undo(original, delivery.document.read_bytes(), delivery.plan)
    same = kit.canonical(undone) == kit.canonical(original)
    return [] if same else ["undoing the delivered document does not give the input back"]


def _compared(
    adapter: Adapter,
    delivery: Delivery,
    settled: Mapping[str, Use],
    made: Mapping[str, StandIn],
) -> tuple[int, list[str]]:
    """How many clips were compared, and what is wrong with those that are off."""
    assert delivery.plan is not None
    found = _delivered_uses(adapter, delivery)
    off = []
    clips = [c for track in delivery.plan.tracks for c in track.clips if not c.plain]
    for clip in clips:
        use = settled[clip.use_id]
        twins = found.get((Path(clip.media.path), clip.record.start_s, clip.record.duration_s), [])
        if not twins:
            off.append(f"{use.id} is not in the delivered document at its record range")
            continue
        twin = twins.pop(0)
        first_s = twin.source.start_s - (clip.media.start_s if twin.counts_timecode else 0)
        most = round(_rounding_samples(use, clip.media.rate_hz)) if delivery.losses else 0
        lag = _lag_samples(Path(clip.media.path), first_s, made[use.media_url], use)
        if lag is None or abs(lag) > most:
            off.append(f"{use.id} is {'not its source' if lag is None else f'{lag} samples off'}")
    return len(clips), off


def _rounding_samples(use: Use, rate_hz: int) -> Fraction:
    """Half a frame of the use's grid, in samples: what a format of whole frames may round."""
    return Fraction(rate_hz) / use.frame_rate / 2 if use.frame_rate else Fraction(0)


def _delivered_uses(adapter: Adapter, delivery: Delivery) -> dict[object, list[Use]]:
    """What the delivered documents play, by file and record range."""
    assert delivery.document is not None
    found: dict[object, list[Use]] = {}
    document = delivery.document
    for use in uses_of_all(adapter, document):
        try:
            file = local_path(use.media_url, document)
        except MediaError:
            continue  # an original, which is on nobody's disk here
        found.setdefault((file, use.record.start_s, use.record.duration_s), []).append(use)
    return found


def _lag_samples(wav: Path, first_s: Fraction, stand_in: StandIn, use: Use) -> int | None:
    """How much later the cleaned sound is than the truth; None where they are unlike."""
    with soundfile.SoundFile(wav) as file:
        rate_hz: int = file.samplerate
        file.seek(round(first_s * rate_hz))
        count = round(min(use.source.duration_s, Fraction(_HEARD_S)) * rate_hz)
        cleaned = file.read(count, dtype="float64", always_2d=True)
    truth = speech_at(stand_in, round(use.source.start_s * rate_hz), len(cleaned)) / 32768.0
    truth = truth[:, list(use.channels or range(stand_in.channels))]
    if cleaned.shape != truth.shape or not len(cleaned):
        return None
    size = 2 ** (2 * len(cleaned)).bit_length()
    lags = []
    for a, b in zip(cleaned.T, truth.T, strict=True):
        likeness = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)))
        power = np.sqrt(np.sum(a**2) * np.sum(b**2))
        if not b.any():
            continue
        best = int(np.argmax(likeness))
        if likeness[best] < 0.9 * power:
            return None
        lags.append(best if best < size // 2 else best - size)
    return max(lags, key=abs, default=0)
