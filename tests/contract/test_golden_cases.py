"""The worked cases D1 to D8, D11 and D12: what `CASES.md` says must hold, on sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import soundfile
from testkit.format_kits import KITS
from testkit.golden import D1, D2, D3, D4, D5, D6, D7, D8, Played, lags_samples, play
from testkit.shared import shared

from nlecompanion.errors import UnsupportedDocument
from nlecompanion.media.probe import probe
from nlecompanion.model import Reason, Use
from nlecompanion.pipeline import Place, run
from nlecompanion.plugins import adapter_for
from nlecompanion.settings import Settings
from nlecompanion.timeline.choice import choose
from nlecompanion.timeline.uses import read_uses

#: How many uses each case has cleaned; the tracks that have to be asked for.
CLEANED = {D1: 4, D2: 7, D3: 9, D4: 5, D5: 1, D6: 7, D7: 31, D8: 30}
ASKED = {D4: ("music", "effects"), D5: ("effects",)}
RUNS = [(case, "passthrough") for case in CLEANED] + [(case, "dsp") for case in (D1, D2, D5)]


@pytest.fixture(
    scope="module", params=RUNS, ids=lambda run: f"D{list(CLEANED).index(run[0]) + 1}-{run[1]}"
)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    case, engine = request.param
    done = play(case, tmp_path_factory.mktemp("golden"), engine, ASKED.get(case, ()))
    reasons = [str(report.left_alone) for report in done.delivery.uses if report.left_alone]
    assert len(done.cleaned()) == CLEANED[case], reasons
    return done


def case_of(played: Played) -> str:
    return next(case for case in CLEANED if Path(case).name == played.document.name)


def left_alone(played: Played) -> dict[Reason, list[Use]]:
    found: dict[Reason, list[Use]] = {}
    for report in played.delivery.uses:
        if report.left_alone is not None:
            found.setdefault(report.left_alone.reason, []).append(report.use)
    return found


def test_nothing_fails_and_the_media_are_untouched(played: Played) -> None:
    assert played.delivery.failed == 0
    assert played.media_untouched


def test_every_cleaned_clip_is_at_the_very_sample(played: Played) -> None:
    lags = lags_samples(played)
    assert len(lags) == CLEANED[case_of(played)]
    # Every channel with sound was compared; a use without any would prove nothing.
    assert all(found and not any(found) for found in lags.values()), lags


def test_undoing_the_additions_gives_the_input_back(played: Played) -> None:
    document, plan = played.delivery.document, played.delivery.plan
    assert document is not None
    assert plan is not None
    kit = KITS[adapter_for(played.document).name]
    original, delivered = played.document.read_bytes(), document.read_bytes()
    undone = kit.undo(original, delivered, plan)
    assert kit.canonical(undone) == kit.canonical(original)
    assert kit.picture(delivered) == kit.picture(original)


def test_a_second_run_cleans_nothing(played: Played, tmp_path: Path) -> None:
    document = played.delivery.document
    assert document is not None
    again = run(document, played.settings, Place(tmp_path / "again"))
    assert again.cleaned == 0
    assert again.failed == 0


def test_the_cleaned_files_lie_on_the_sources_own_clock(played: Played) -> None:
    assert played.delivery.folder is not None
    for report in played.cleaned():
        assert report.cleaned_file is not None
        file = probe(played.delivery.folder / report.cleaned_file)
        assert report.use.media_start_s is not None
        at_s = report.use.media_start_s + report.use.source.start_s
        assert file.start_timecode_s is not None
        inside_s = at_s - file.start_timecode_s
        assert 0 <= inside_s <= file.duration_s - report.use.source.duration_s


def test_what_must_hold_in_each_case(played: Played) -> None:
    check = _SPECIAL[case_of(played)]
    check(played)


def _d1(played: Played) -> None:
    """Disabled clips stay; two files of one path with two start timecodes stay apart."""
    assert [use.name for use in left_alone(played)[Reason.DISABLED]] == ["audio_track_1_disabled_1"]
    starts = {report.use.media_start_s: report.cleaned_file for report in played.cleaned()}
    assert {Fraction(353, 25), Fraction(434, 25)} <= set(starts)
    assert starts[Fraction(353, 25)] != starts[Fraction(434, 25)]


def _d2(played: Played) -> None:
    """The nested sequence is worked on inside; 00;04;43;15 drop-frame counts 8497 frames."""
    starts = {report.use.media_start_s for report in played.cleaned()}
    assert Fraction(8497, 30) in starts
    (nested,) = [r for r in played.cleaned() if r.use.record.start_s == Fraction(636, 30)]
    assert nested.use.record.duration_s == Fraction(100, 30)


def _d3(played: Played) -> None:
    """Of a file of 3.3 hours only what is used lies in the cleaned files."""
    assert _cleaned_s(played) < 9 * (6 + 2 * 2 + 1)


def _d4(played: Played) -> None:
    """The audio asset-clip's own form: an asset-clip that has no picture, in its role."""
    assert played.delivery.document is not None
    text = played.delivery.document.read_text(encoding="utf-8")
    assert text.count('audioRole="music.DX clean') + text.count('audioRole="effects.DX clean') == 5


def _d5(played: Played) -> None:
    """The new file is mono."""
    assert played.delivery.folder is not None
    assert {report.use.channels for report in played.cleaned()} == {(0,)}
    for path in (played.delivery.folder / "clips").iterdir():
        assert soundfile.info(path).channels == 1


def _d6(played: Played) -> None:
    """The angle that sounds is found; those that are switched off stay, and so does the picture."""
    assert [len(uses) for uses in left_alone(played).values()] == [2]
    wavs = [r for r in played.cleaned() if r.use.media_url.endswith("4CH001I.wav")]
    assert {r.use.media_start_s for r in wavs} == {Fraction(41029)}
    assert len(wavs) == 2
    assert played.delivery.document is not None
    text = played.delivery.document.read_text(encoding="utf-8")
    before = played.document.read_text(encoding="utf-8")
    assert text.count("<mc-source") == before.count("<mc-source")


def _d7(played: Played) -> None:
    """Each instant of the one source is worked on once; what is too short is said to be so."""
    assert left_alone(played).keys() == {Reason.TOO_SHORT}
    files = {report.cleaned_file for report in played.cleaned()}
    reach_s = Fraction(0)
    spans = []
    assert played.delivery.folder is not None
    for name in files:
        assert name is not None
        file = probe(played.delivery.folder / name)
        assert file.start_timecode_s is not None
        spans.append((file.start_timecode_s, file.start_timecode_s + file.duration_s))
    for start_s, end_s in sorted(spans):
        assert start_s >= reach_s
        reach_s = end_s


def _d8(played: Played) -> None:
    """Its time warps are on the picture; of its sound only the shortest is left alone."""
    (short,) = left_alone(played)[Reason.TOO_SHORT]
    assert short.source.duration_s < Fraction(1, 4)


def _cleaned_s(played: Played) -> float:
    assert played.delivery.folder is not None
    return sum(
        float(soundfile.info(p).duration)
        for p in (played.delivery.folder / "clips").iterdir()
        if "room tone" not in p.name
    )


_SPECIAL = {D1: _d1, D2: _d2, D3: _d3, D4: _d4, D5: _d5, D6: _d6, D7: _d7, D8: _d8}


def test_d4_nothing_is_cleaned_unless_asked_for(tmp_path: Path) -> None:
    played = play(D4, tmp_path, "passthrough")
    assert played.delivery.folder is None
    assert left_alone(played).keys() == {Reason.MUSIC_ROLE}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("edl/otio_25fps.edl", "Export the EDL with its audio tracks switched on"),
        ("kdenlive/kdenlive_mixes_markers.kdenlive", "OpenTimelineIO Export"),
    ],
    ids=["D11", "D12"],
)
def test_a_clear_refusal_names_the_next_move(document: str, words: str, tmp_path: Path) -> None:
    path = shared(f"timelines/corpus/{document}")
    with pytest.raises(UnsupportedDocument, match=words):
        run(path, Settings(engine="passthrough"), Place(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_list_of_music_is_left_alone() -> None:
    path = shared("timelines/corpus/edl/llc_12_16_TL01_MUSIC.edl")
    uses = choose(read_uses(adapter_for(path).read(path)), (), Fraction(1, 4))
    assert len(uses) > 100
    assert all(use.left_alone is not None for use in uses)
