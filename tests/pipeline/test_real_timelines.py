"""Real exports of Premiere, Resolve and Avid, with stand-in media of real speech, all the way."""

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
import pytest
import soundfile
from scipy.signal import correlate
from testkit.fcp7xml_undo import canonical, canonical_picture, undo
from testkit.shared import shared
from testkit.standin import StandIn, make, read_cases, speech_at

from nlecompanion.media.locate import local_path
from nlecompanion.media.probe import probe
from nlecompanion.model import Delivery, Reason, Use, UseReport
from nlecompanion.pipeline import Place, run
from nlecompanion.plugins import adapter_for
from nlecompanion.settings import Settings
from nlecompanion.timeline.uses import read_uses

D1 = "fcp7/otio_premiere_enable_property.xml"
D2 = "fcp7/otio_premiere_example.xml"
D3 = "fcp7/llc_xmeml2.xml"
D8 = "otio/jminor_time_warp_test_suite.otio"
RATE_HZ = 48_000


@dataclass(frozen=True)
class Played:
    """One run: the document that was run, its stand-ins by URL, and what came of it."""

    document: Path
    stand_ins: dict[str, StandIn]
    delivery: Delivery
    untouched: bool


def shortened(text: str, longest_frames: int) -> str:
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


def prepare(case: str, folder: Path) -> Path:
    source = shared(f"timelines/corpus/{case}")
    document = Path(shutil.copy(source, folder / source.name))
    document.chmod(0o644)
    if case == D3:
        # Two hours would take minutes; far apart in a file of 3.3 hours is what matters here.
        text = document.read_text(encoding="utf-8")
        document.write_text(shortened(text, 6 * 60), encoding="utf-8")
    return document


def stand_ins(case: str, document: Path, folder: Path) -> tuple[dict[str, StandIn], Settings]:
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
        stand_in = row.stand_in(path, _ranges(mine))
        longest_s = max([row.duration_s, *(use.source.end_s for use in mine)])
        made[unquote(row.url)] = replace(stand_in, duration_s=longest_s)
        make(made[unquote(row.url)])
        if not relative:
            path_map.append((re.sub(r"^file://(localhost)?/?(?=/|\w:)", "", row.url), str(path)))
    return made, Settings(engine="dsp", path_map=tuple(path_map))


def _ranges(uses: Sequence[Use]) -> list[tuple[Fraction, Fraction]]:
    return [(max(Fraction(0), u.source.start_s - 3), u.source.end_s + 3) for u in uses]


def digest(paths: Sequence[Path]) -> list[str]:
    digests = []
    for path in paths:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digests


@pytest.fixture(scope="module", params=[D1, D2, D3, D8], ids=["D1", "D2", "D3", "D8"])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("real")
    document = prepare(request.param, folder)
    media = folder / "media"
    media.mkdir()
    made, settings = stand_ins(request.param, document, media)
    files = [document, *(stand_in.path for stand_in in made.values())]
    before = digest(files)
    media.chmod(0o555)
    delivery = run(document, settings, Place(tmp_path_factory.mktemp("out")))
    media.chmod(0o755)
    return Played(document, made, delivery, digest(files) == before)


def cleaned_reports(played: Played) -> list[UseReport]:
    return [report for report in played.delivery.uses if report.cleaned_file is not None]


def test_dialogue_is_cleaned_and_nothing_fails(played: Played) -> None:
    assert cleaned_reports(played)
    assert played.delivery.failed == 0, [str(r.left_alone) for r in played.delivery.uses]
    assert played.untouched


def test_every_cleaned_clip_is_at_the_very_sample(played: Played) -> None:
    document = played.delivery.document
    assert document is not None
    delivered = [
        use
        for use in read_uses(adapter_for(document).read(document))
        if use.track.startswith("DX clean")
    ]
    reports = cleaned_reports(played)
    assert len(delivered) == len(reports)
    for report in reports:
        use = report.use
        twin = next(
            d
            for d in delivered
            if d.record == use.record
            and f"clips/{Path(unquote(d.media_url)).name}" == report.cleaned_file
        )
        stand_in = played.stand_ins[unquote(use.media_url)]
        with soundfile.SoundFile(local_path(twin.media_url, document)) as file:
            file.seek(round(twin.source.start_s * RATE_HZ))
            cleaned = file.read(round(use.record.duration_s * RATE_HZ), always_2d=True)
        truth = speech_at(stand_in, round(use.source.start_s * RATE_HZ), len(cleaned))
        assert cleaned.shape == truth.shape
        for channel in range(cleaned.shape[1]):
            if not truth[:, channel].any():
                continue
            likeness = correlate(cleaned[:, channel], truth[:, channel] / 32768.0, method="fft")
            assert int(np.argmax(likeness)) == len(cleaned) - 1, f"{use.id} is off"


def test_timecodes_follow_the_document(played: Played) -> None:
    assert played.delivery.folder is not None
    for report in cleaned_reports(played):
        assert report.cleaned_file is not None
        file = probe(played.delivery.folder / report.cleaned_file)
        assert file.start_timecode_s is not None
        assert report.use.media_start_s is not None
        # The clip's instant on the source's clock lies inside the cleaned file.
        at_s = report.use.media_start_s + report.use.source.start_s - file.start_timecode_s
        assert 0 <= at_s <= file.duration_s - report.use.source.duration_s


def test_undoing_the_additions_gives_the_input_back(played: Played) -> None:
    document = played.delivery.document
    assert document is not None
    if document.suffix != ".xml":
        pytest.skip("the contract suite undoes .otio")
    original, delivered = played.document.read_bytes(), document.read_bytes()
    assert played.delivery.plan is not None
    assert canonical(undo(original, delivered, played.delivery.plan)) == canonical(original)
    assert canonical_picture(delivered) == canonical_picture(original)


def test_the_special_things_of_each_case(played: Played) -> None:
    by_reason: dict[Reason, list[Use]] = {}
    for report in played.delivery.uses:
        if report.left_alone is not None:
            by_reason.setdefault(report.left_alone.reason, []).append(report.use)
    starts = {r.use.media_start_s for r in cleaned_reports(played)}
    name = played.document.name
    if name == Path(D1).name:
        assert [use.name for use in by_reason[Reason.DISABLED]] == ["audio_track_1_disabled_1"]
        assert {Fraction(353, 25), Fraction(434, 25)} <= starts
    elif name == Path(D2).name:
        assert Reason.NESTED not in by_reason
        # 00;04;43;15 drop-frame at 30: Premiere's own frame count says so.
        assert Fraction(8497, 30) in starts
    elif name == Path(D3).name:
        assert len(cleaned_reports(played)) == 9
    else:
        # Its time warps are on the picture; among the sound only the shortest are left alone.
        assert all(use.source.duration_s < Fraction(1, 4) for use in by_reason[Reason.TOO_SHORT])
