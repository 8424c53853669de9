"""The worked cases of `CASES.md`: real documents with stand-in media, all the way."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import soundfile
from lxml import etree
from numpy.typing import NDArray
from scipy.signal import correlate, resample_poly
from testkit.shared import shared
from testkit.standin import StandIn, make, read_cases, speech_at

from nlecompanion.media.locate import local_path
from nlecompanion.model import Delivery, Use, UseReport
from nlecompanion.pipeline import Place, run
from nlecompanion.plugins import adapter_for
from nlecompanion.settings import Profile, Settings
from nlecompanion.timeline.uses import read_uses

D1 = "fcp7/otio_premiere_enable_property.xml"
D2 = "fcp7/otio_premiere_example.xml"
D3 = "fcp7/llc_xmeml2.xml"
D4 = "fcpxml/ofk_AudioOnly.fcpxml"
D5 = "fcpxml/ofk_SyncClip.fcpxml"
D6 = "fcpxml/ofk_MulticamSampleWithCuts.fcpxml"
D7 = "fcpxml/llc_FCPXML_1_9.fcpxml"
D8 = "otio/jminor_time_warp_test_suite.otio"
#: Nothing is good enough to be kept, nothing too quiet to be speech.
EVERYTHING = Profile(keep_sbr_db=200, min_speech_s=0)
_RATE_HZ = 48_000
_COMPARED_S = 6
_LONGEST_KEPT_S = 8


@dataclass(frozen=True)
class Played:
    """One run: the document that was run, its stand-ins by URL, and what came of it."""

    document: Path
    stand_ins: dict[str, StandIn]
    settings: Settings
    delivery: Delivery
    media_untouched: bool

    def cleaned(self) -> list[UseReport]:
        """The reports of the uses that got a cleaned clip."""
        return [report for report in self.delivery.uses if report.cleaned_file is not None]


def play(case: str, folder: Path, engine: str, tracks: tuple[str, ...] = ()) -> Played:
    """Runs a case with stand-ins that cannot be written to."""
    document = prepare(case, folder)
    media = folder / "media"
    media.mkdir()
    made, path_map = stand_ins(case, document, media)
    settings = Settings(profile=EVERYTHING, engine=engine, path_map=path_map, tracks=tracks)
    files = [document, *(stand_in.path for stand_in in made.values())]
    before = _digests(files)
    media.chmod(0o555)
    try:
        delivery = run(document, settings, Place(folder / "out"))
    finally:
        media.chmod(0o755)
    return Played(document, made, settings, delivery, _digests(files) == before)


def prepare(case: str, folder: Path) -> Path:
    """A copy of the document; two long ones are cut down, since hours would take minutes."""
    source = shared(f"timelines/corpus/{case}")
    document = Path(shutil.copy(source, folder / source.name))
    document.chmod(0o644)
    if case == D3:
        # Far apart in a file of 3.3 hours is what matters here.
        text = document.read_text(encoding="utf-8")
        document.write_text(_shortened(text, 6 * 60), encoding="utf-8")
    elif case == D7:
        _keep_some(document)
    return document


def _shortened(text: str, longest_frames: int) -> str:
    """Resolve's clips cut down to `longest_frames`; where they lie and come from stays."""

    def shorter(match: re.Match[str]) -> str:
        start, end, enabled, first, _ = match.groups()
        count = min(int(end) - int(start), longest_frames)
        return (
            f"<start>{start}</start>{match[0].split('</start>')[1].split('<end>')[0]}"
            f"<end>{int(start) + count}</end>{enabled}"
            f"<in>{first}</in><out>{int(first) + count}</out>"
        )

    return re.sub(
        r"<start>(\d+)</start>\s*<end>(\d+)</end>(\s*<enabled>TRUE</enabled>\s*)"
        r"<in>(\d+)</in>\s*<out>(\d+)</out>",
        shorter,
        text,
    )


def _keep_some(document: Path) -> None:
    """The shorter clips; the others become gaps of their length."""
    tree = etree.parse(document)
    for clip in tree.findall(".//spine/asset-clip"):
        length_s = Fraction(clip.get("duration", "0s").removesuffix("s"))
        if length_s > _LONGEST_KEPT_S:
            gap = etree.Element("gap", start="0s")
            for name in ("offset", "duration", "name"):
                gap.set(name, clip.get(name, ""))
            gap.tail = clip.tail
            clip.getparent().replace(clip, gap)  # type: ignore[union-attr]
    tree.write(document, encoding="UTF-8", xml_declaration=True, doctype="<!DOCTYPE fcpxml>")


def stand_ins(
    case: str, document: Path, folder: Path
) -> tuple[dict[str, StandIn], tuple[tuple[str, str], ...]]:
    """Media for all that the document uses, and the path map that leads to them."""
    uses = read_uses(adapter_for(document).read(document))
    made: dict[str, StandIn] = {}
    path_map = []
    for number, row in enumerate(read_cases(shared("timelines/CASES_MEDIA.tsv"))[case]):
        mine = [use for use in uses if unquote(use.media_url) == unquote(row.url)]
        relative = row.url.startswith("./")
        name = Path(unquote(row.url)).name
        path = (document.parent if relative else folder) / (
            name if relative else f"{number} {name}"
        )
        stand_in = row.stand_in(path, _ranges(mine, row.start_s or Fraction(0)))
        longest_s = max([row.duration_s, *(use.source.end_s for use in mine)])
        made[unquote(row.url)] = make_one(replace(stand_in, duration_s=longest_s))
        if not relative:
            plain = unquote(re.sub(r"^file://(localhost)?/?(?=/|\w:)", "", row.url))
            path_map.append((plain, str(path)))
    return made, tuple(path_map)


def make_one(stand_in: StandIn) -> StandIn:
    """Writes the file and gives its description back."""
    make(stand_in)
    return stand_in


def _ranges(uses: Sequence[Use], start_s: Fraction) -> list[tuple[Fraction, Fraction]]:
    """Where it must sound; `start_s` is the file's timecode, on which some documents count."""
    shifted = [(use, start_s if use.counts_timecode else Fraction(0)) for use in uses]
    return [
        (max(Fraction(0), use.source.start_s - from_s - 3), use.source.end_s - from_s + 3)
        for use, from_s in shifted
    ]


def _digests(paths: Sequence[Path]) -> list[str]:
    found = []
    for path in paths:
        with path.open("rb") as file:
            found.append(hashlib.file_digest(file, "sha256").hexdigest())
    return found


def lags_samples(played: Played) -> dict[str, list[int]]:
    """For each cleaned use, how much later than the truth each of its channels sounds.

    The cleaned sound is read through the delivered document, so that its in points count too.
    """
    document = played.delivery.document
    assert document is not None
    delivered = [
        use
        for use in read_uses(adapter_for(document).read(document))
        if use.track.startswith("DX clean")
    ]
    assert len(delivered) == len(played.cleaned())
    found = {}
    for report in played.cleaned():
        use = report.use
        twin = next(
            d
            for d in delivered
            if d.record == use.record
            and f"clips/{Path(unquote(d.media_url)).name}" == report.cleaned_file
        )
        cleaned = _heard(twin, document)
        truth = _truth(played.stand_ins[unquote(use.media_url)], use, len(cleaned))
        assert cleaned.shape == truth.shape, f"{use.id}: {cleaned.shape} for {truth.shape}"
        found[use.id] = [
            int(np.argmax(correlate(a, b, method="fft"))) - (len(cleaned) - 1)
            for a, b in zip(cleaned.T, truth.T, strict=True)
            if b.any()
        ]
    return found


def _heard(twin: Use, document: Path) -> NDArray[np.float64]:
    """The first seconds of a cleaned clip, as the delivered document plays them."""
    with soundfile.SoundFile(local_path(twin.media_url, document)) as file:
        file.seek(round(twin.source.start_s * _RATE_HZ))
        count = round(min(twin.source.duration_s, Fraction(_COMPARED_S)) * _RATE_HZ)
        sound: NDArray[np.float64] = file.read(count, always_2d=True)
    return sound


def _truth(stand_in: StandIn, use: Use, count: int) -> NDArray[np.float64]:
    """What the stand-in says there, at the timeline's sample rate: shape (samples, channels)."""
    rate_hz = stand_in.rate_hz
    needed = -(-count * rate_hz // _RATE_HZ)
    said = speech_at(stand_in, round(use.source.start_s * rate_hz), needed) / 32768.0
    # An engine works on the channels that the clip plays, in their order.
    said = said[:, list(use.channels or range(stand_in.channels))]
    if rate_hz != _RATE_HZ:
        said = resample_poly(said, _RATE_HZ, rate_hz)
    wanted: NDArray[np.float64] = said[:count]
    return wanted
