"""Real AAFs of Avid and Resolve with stand-in media of real speech, through the whole path."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import aaf2
import numpy as np
import pytest
import soundfile
from scipy.signal import correlate
from testkit import aaf
from testkit.shared import shared
from testkit.standin import StandIn, make, read_cases, speech_at

from nlecompanion.media.locate import local_path
from nlecompanion.model import Delivery, Reason, Use
from nlecompanion.pipeline import Place, run
from nlecompanion.plugins import adapters
from nlecompanion.settings import Profile, Settings
from nlecompanion.timeline.uses import read_uses

RATE_HZ = 48_000
D9 = "otio_transitions.aaf"
D10 = "DR_Stereo_Clip_Positioning.aaf"
#: What the editor's machine calls the folder of the media.
FOLDERS = {D9: "/Users/joshm/Desktop/DemoClips", D10: "C:/Users/user/Desktop/res"}


@dataclass(frozen=True)
class Played:
    """One run: the original's uses, the stand-ins by file name, and what came of it."""

    document: Path
    uses: tuple[Use, ...]
    stand_ins: dict[str, StandIn]
    delivery: Delivery

    def cleaned(self) -> list[Use]:
        """The cleaned clips, in the order of `uses`, as the delivered document has them."""
        assert self.delivery.document is not None
        delivered = read_uses(adapters()["aaf"].read(self.delivery.document))
        clean = [use for use in delivered if use.track.startswith("DX clean")]
        found = []
        for use in self.uses:
            number = next(c for c in clean if c.record == use.record and c not in found)
            found.append(number)
        return found


@pytest.fixture(scope="module", params=[D9, D10], ids=["D9", "D10"])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    case = request.param
    folder = tmp_path_factory.mktemp("aaf")
    document = folder / case
    shutil.copyfile(shared(f"timelines/corpus/aaf/{case}"), document)
    stand_ins = {}
    for row in read_cases(shared("timelines/CASES_MEDIA.tsv"))[f"aaf/{case}"]:
        name = row.url.rpartition("/")[2]
        stand_ins[name] = row.stand_in(folder / "media" / name)
        make(stand_ins[name])
    settings = Settings(
        engine="passthrough",
        profile=Profile(keep_sbr_db=1000),
        path_map=((FOLDERS[case], str(folder / "media")),),
    )
    delivery = run(document, settings, Place(tmp_path_factory.mktemp("out")))
    return Played(document, read_uses(adapters()["aaf"].read(document)), stand_ins, delivery)


def test_all_dialogue_is_cleaned(played: Played) -> None:
    assert [str(report.left_alone) for report in played.delivery.uses if report.left_alone] == []
    assert played.delivery.cleaned == len(played.uses) == {D9: 8, D10: 4}[played.document.name]


def test_the_cleaned_clips_sound_at_the_very_sample(played: Played) -> None:
    assert played.delivery.document is not None
    by_place = {(r.use.record, r.use.track_number): r.use for r in played.delivery.uses}
    for original, clean in zip(played.uses, played.cleaned(), strict=True):
        settled = by_place[original.record, original.track_number]
        stand_in = played.stand_ins[Path(settled.media_url.replace("%20", " ")).name]
        count = int(original.source.duration_s * RATE_HZ)
        start = original.source.start_s * RATE_HZ
        assert start.denominator == 1
        spoken = speech_at(stand_in, int(start), count)[:, list(settled.channels or (0,))] / 32768
        heard = _sound(local_path(clean.media_url, played.delivery.document), clean, count)
        assert heard.shape == spoken.shape
        for channel in range(spoken.shape[1]):
            assert _lag_samples(heard[:, channel], spoken[:, channel]) == 0


def _sound(path: Path, use: Use, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    start = use.source.start_s * RATE_HZ
    assert start.denominator == 1
    sound, rate_hz = soundfile.read(path, start=int(start), frames=count, always_2d=True)
    assert rate_hz == RATE_HZ
    return np.asarray(sound, dtype=np.float64)


def _lag_samples(heard: object, spoken: object) -> int:
    first, second = np.asarray(heard), np.asarray(spoken)
    return int(np.argmax(correlate(first, second, method="fft"))) - (len(second) - 1)


def test_handles_are_at_least_as_long_as_the_fades(played: Played) -> None:
    assert played.delivery.document is not None
    for original, clean in zip(played.uses, played.cleaned(), strict=True):
        length = soundfile.info(local_path(clean.media_url, played.delivery.document)).frames
        assert (clean.lead_s, clean.tail_s) == (original.lead_s, original.tail_s)
        assert clean.source.start_s >= original.lead_s
        assert clean.source.end_s + original.tail_s <= Fraction(length, RATE_HZ)


def test_fades_and_channels_are_the_originals(played: Played) -> None:
    fades = [(float(use.lead_s), float(use.tail_s)) for use in played.uses]
    if played.document.name == D10:
        assert {use.channels for use in played.cleaned()} == {(0, 1)}
        assert [use.record.start_s * RATE_HZ for use in played.cleaned()] == [
            0,
            200_000,
            432_000,
            659_321,
        ]
    else:
        # Frames of 24 a second, A1 and A2 alike: a fade in, and crossfades of 48, 24 and 48.
        assert (
            fades
            == [
                (0, 0),
                (2, 0.5),
                (1, 0),
                (0, 0),
            ]
            * 2
        )
        assert {use.channels for use in played.cleaned()} == {(0,)}


def test_nothing_else_of_the_document_moved(played: Played) -> None:
    assert played.delivery.document is not None
    assert played.delivery.plan is not None
    original = played.document.read_bytes()
    delivered = played.delivery.document.read_bytes()
    undone = aaf.undo(original, delivered, played.delivery.plan)
    assert aaf.canonical(undone) == aaf.canonical(original)


def test_a_second_run_changes_nothing(
    played: Played, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert played.delivery.document is not None
    again = run(
        played.delivery.document,
        Settings(engine="passthrough"),
        Place(tmp_path_factory.mktemp("b")),
    )
    assert again.folder is None
    reasons = {report.left_alone.reason for report in again.uses if report.left_alone}
    assert reasons <= {Reason.DISABLED, Reason.ALREADY_CLEANED}
    delivered = read_uses(adapters()["aaf"].read(played.delivery.document))
    assert len(again.uses) == len(delivered) >= 2 * len(played.uses)
    assert all(report.left_alone for report in again.uses)


# Media inside the document.


def embedded(path: Path, stand_ins: Sequence[StandIn]) -> Path:
    """A cut with every file inside of it, each played once from 1 s on, 4 s long."""
    with aaf2.open(str(path), "w") as file:
        top = file.create.CompositionMob("Embedded")
        top.usage = "Usage_TopLevel"
        file.content.mobs.append(top)
        sequence = top.create_sound_slot("25/1").segment
        for stand_in in stand_ins:
            master = file.create.MasterMob(stand_in.path.name)
            file.content.mobs.append(master)
            slot = master.import_audio_essence(str(stand_in.path), RATE_HZ)
            clip = master.create_source_clip(slot.slot_id, 25, 100)
            sequence.components.append(clip)
        sequence.length = 100 * len(stand_ins)
    return path


def test_embedded_media_are_taken_out_and_worked_on(tmp_path: Path) -> None:
    shared("audio/speech")
    stand_ins = [
        StandIn(tmp_path / f"take #{n} 100%.wav", Fraction(8), None, None, 1) for n in (1, 2)
    ]
    for stand_in in stand_ins:
        make(stand_in)
        sound, _ = soundfile.read(stand_in.path, dtype="int16")
        soundfile.write(stand_in.path, sound, RATE_HZ, subtype="PCM_16")
    document = embedded(tmp_path / "embedded.aaf", stand_ins)
    for stand_in in stand_ins:
        stand_in.path.unlink()
    settings = Settings(engine="passthrough", profile=Profile(keep_sbr_db=1000))
    delivery = run(document, settings, Place(tmp_path / "out"))
    assert (delivery.cleaned, delivery.failed) == (2, 0)
    assert delivery.folder is not None
    assert delivery.document is not None
    clean = [
        use
        for use in read_uses(adapters()["aaf"].read(delivery.document))
        if use.track.startswith("DX clean")
    ]
    for stand_in, use in zip(stand_ins, clean, strict=True):
        heard = _sound(local_path(use.media_url, delivery.document), use, 4 * RATE_HZ)
        spoken = speech_at(stand_in, RATE_HZ, 4 * RATE_HZ) / 32768
        assert _lag_samples(heard[:, 0], spoken[:, 0]) == 0
        assert np.corrcoef(heard[:, 0], spoken[:, 0])[0, 1] > 0.9
