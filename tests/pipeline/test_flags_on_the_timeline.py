"""A voice beyond saving: the original plays on, a best effort and flags lie beside it."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path

import pysubs2
import pytest
import soundfile
from testkit.fcp7xml import Clip, Media, Track, premiere_xml
from testkit.mixtures import RATE_HZ, Recipe, build, pieces, speakers
from testkit.shared import SHARED

from nlecompanion.model import Delivery, Reason, Ruling
from nlecompanion.pipeline import Place, run
from nlecompanion.plugins import adapter_for
from nlecompanion.settings import Settings
from nlecompanion.timeline.uses import read_uses

AUDIO = SHARED / "audio"
RATE = Fraction(25)
SECONDS = 8


def mixture(path: Path, sbr_db: float, drive_db: float = 0.0) -> Media:
    """A stereo file of 8 s with a voice at that ratio to the music over it."""
    voices = speakers(AUDIO, "test")["kerstin"]
    recipe = Recipe(
        seed=3,
        voices=voices[:3],
        music=pieces(AUDIO, "music", "test")[0],
        sbr_db=sbr_db,
        length_s=SECONDS,
        channels=2,
        drive_db=drive_db,
    )
    soundfile.write(path, build(AUDIO, recipe).mix, RATE_HZ, "PCM_24")
    return Media(path, RATE, SECONDS * 25, 2, picture=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    """One run over a readable clip and one in which the voice is lost under limited music."""
    if not AUDIO.is_dir():
        pytest.skip("the real recordings are not here")
    folder = tmp_path_factory.mktemp("flags")
    good, lost = mixture(folder / "good.wav", 8), mixture(folder / "lost.wav", -20, 12)
    clips = (Clip(good, 0, 200, 0), Clip(lost, 200, 400, 0))
    document = folder / "Scene.xml"
    document.write_bytes(premiere_xml((Track(clips, "Dialogue"),), RATE, "Scene"))
    (folder / "Scene.srt").write_text(
        "1\n00:00:08,000 --> 00:00:16,000\nANNA: What was said under the music.\n"
    )
    # The tracks are named: dialogue is there, whether it can be heard or not.
    return run(document, Settings(tracks=("Dialogue",)), Place(folder / "out"))


def test_the_original_stays_and_the_best_effort_is_offered(made: Delivery) -> None:
    good, lost = made.uses
    assert good.cleaned_file is not None
    assert lost.verdict is not None
    assert lost.verdict.ruling is Ruling.UNFIXABLE
    assert lost.verdict.kind is not None
    assert lost.cleaned_file is None
    assert lost.offered_file is not None
    assert made.folder is not None
    assert (made.folder / lost.offered_file).is_file()
    assert made.plan is not None
    assert made.plan.disable == good.use.addresses
    offers = [track for track in made.plan.tracks if track.name.startswith("DX best effort")]
    assert [track.enabled for track in offers] == [False]
    assert [clip.use_id for clip in offers[0].clips] == [lost.use.id]


def test_in_the_conformed_timeline_only_the_good_original_is_switched_off(
    made: Delivery,
) -> None:
    assert made.document is not None
    uses = read_uses(adapter_for(made.document).read(made.document))
    originals = {use.name: use.left_alone for use in uses if " " not in use.name}
    assert originals["good.wav"] is not None
    assert originals["lost.wav"] is None
    best = [u for u in uses if u.name.startswith("lost DX")]
    assert best
    assert all(
        u.left_alone is not None and u.left_alone.reason in {Reason.DISABLED, Reason.MUTED}
        for u in best
    )


def test_a_marker_says_what_and_how_much(made: Delivery) -> None:
    assert made.plan is not None
    (marker,) = [m for m in made.plan.markers if m.name.startswith("DX beyond saving")]
    assert marker.record == made.uses[1].use.record
    assert "%" in marker.comment
    assert "dB" in marker.comment


def test_subtitles_and_cues_have_the_scripts_words(made: Delivery) -> None:
    assert made.folder is not None
    flags = made.folder / "flags"
    names = sorted(path.name for path in flags.iterdir())
    assert names == [
        "Scene clean ADR.csv",
        "Scene clean ADR.html",
        "Scene clean.ass",
        "Scene clean.srt",
        "Scene clean.vtt",
    ]
    subtitles = pysubs2.load(str(flags / "Scene clean.srt"))
    assert all(8000 <= event.start < event.end <= 16_500 for event in subtitles)
    assert "What was said" in subtitles[0].plaintext
    with (flags / "Scene clean ADR.csv").open(encoding="utf-8-sig", newline="") as opened:
        cues = list(csv.DictReader(opened))
    assert cues[0]["Character"] == "ANNA"
    assert {cue["Priority"] for cue in cues} == {"1"}


def test_the_receipt_says_why(made: Delivery) -> None:
    assert made.folder is not None
    receipt = json.loads((made.folder / "receipt.json").read_text(encoding="utf-8"))
    lost = receipt["uses"][1]
    assert lost["done"] == "offered"
    assert lost["verdict"]["ruling"] == "unfixable"
    assert lost["verdict"]["risk"] >= receipt["profile"]["unfixable_risk"]
    assert lost["evidence"]["heard"] is not None
    assert receipt["regions"][lost["region"]]["ladder"]["attempts"]


def test_a_second_run_changes_nothing(made: Delivery, tmp_path: Path) -> None:
    assert made.document is not None
    again = run(made.document, Settings(), Place(tmp_path))
    assert again.folder is None, [str(r.left_alone) for r in again.uses]
