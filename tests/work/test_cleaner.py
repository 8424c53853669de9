"""A cleaner source is proposed where there is one, with true numbers, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from testkit.media_files import encode
from testkit.model import use as a_use
from testkit.takes import RATE_HZ, noise, noisy, take

from nlecompanion.errors import Interrupted
from nlecompanion.media.neighbours import Bounds, Neighbours, neighbours
from nlecompanion.media.probe import probe
from nlecompanion.model import (
    Diagnosis,
    MediaFile,
    Proposal,
    Region,
    Ruling,
    Samples,
    SourceQuality,
    Span,
    Use,
    UseReport,
    Verdict,
)
from nlecompanion.plugins import engine_factory
from nlecompanion.settings import Settings
from nlecompanion.timeline.regions import plan_regions, settle
from nlecompanion.verdict.better import better
from nlecompanion.work.cleaner import Cleaner, find_cleaner

SECONDS = 14
DEFAULT = Settings()
LATE_S = Fraction("1.37")
LATE = int(LATE_S * RATE_HZ)
#: An encoder's delay that its container does not tell of.
DELAY = RATE_HZ // 10
SOURCE = Span(Fraction(3), Fraction(6))


def wav(path: Path, sound: Samples) -> Path:
    soundfile.write(path, sound, RATE_HZ, "PCM_24")
    return path


@dataclass(frozen=True)
class Job:
    """One flagged use of one file."""

    use: Use
    report: UseReport
    regions: tuple[Region, ...]
    file: MediaFile

    def search(
        self,
        others: Sequence[MediaFile] = (),
        settings: Settings = DEFAULT,
        ruling: Ruling = Ruling.WARN,
        beside: object = None,
        told: list[str] | None = None,
    ) -> Cleaner:
        report = replace(self.report, verdict=Verdict(ruling))
        extra = {} if beside is None else {"beside": beside}
        return find_cleaner(
            {self.use.id: report},
            self.regions,
            [self.file, *others],
            settings,
            engine_factory("dsp").create(),
            (lambda _: None) if told is None else told.append,
            **extra,  # type: ignore[arg-type]
        )

    def proposals(self, settings: Settings = DEFAULT) -> tuple[Proposal, ...]:
        return self.search(settings=settings).proposals.get(self.use.id, ())


def job(path: Path, channels: tuple[int, ...] = (0,), source: Span = SOURCE) -> Job:
    file = probe(path)
    use = a_use(source=source, record=source, channels=channels, media_url=str(path))
    use = settle(replace(use, media_start_s=None), file)
    assert use.left_alone is None
    regions = plan_regions([use], {use.media_url: file}, Fraction(2), RATE_HZ)
    speech = (Span(Fraction(0), source.duration_s),)
    diagnosis = Diagnosis(speech, source.duration_s, "mixture", -26.0, -28.0, 2.0)
    return Job(use, UseReport(use, None, diagnosis), regions, file)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("social.mp4", "aac", {"audio_bitrate": "96k", "video_rate": Fraction(25)}),
        ("social.m4a", "aac", {"audio_bitrate": "48k"}),
        ("social.mp3", "libmp3lame", {"audio_bitrate": "48k"}),
    ],
)
def test_the_original_of_a_noisy_re_encode_is_found_to_the_sample(
    tmp_path: Path, name: str, codec: str, options: dict[str, object]
) -> None:
    voice = take(0, SECONDS)
    late = np.concatenate([np.zeros(DELAY, np.float32), noisy(voice, 0)])
    cut = encode(late[:, None], RATE_HZ, tmp_path / name, codec, **options)  # type: ignore[arg-type]
    ahead = np.concatenate([take(20, 20)[:LATE], voice])
    wav(tmp_path / "ZOOM0007.WAV", ahead)
    (found,) = job(cut).proposals()
    assert found.path.name == "ZOOM0007.WAV"
    assert found.channels == (0,)
    assert found.offset_s == Fraction(LATE - DELAY, RATE_HZ)
    assert found.start_s == SOURCE.start_s + found.offset_s
    assert found.there.sbr_db is not None
    assert found.now.sbr_db is not None
    assert found.there.sbr_db > found.now.sbr_db + 10
    assert not found.there.codec_damaged
    assert "ZOOM0007.WAV" in found.reason


def test_the_channel_with_the_clean_lav_of_a_production_wav(tmp_path: Path) -> None:
    voice = take(0, SECONDS)
    lav = voice + np.float32(0.002) * noise(SECONDS, 1)
    boom, camera = noisy(np.roll(voice, 144), 2), noisy(np.roll(voice, 480), -3, 2)
    other = take(14, SECONDS)
    roll = wav(tmp_path / "Roll 12.wav", np.stack([boom, camera, lav, other], axis=1))
    (found,) = job(roll).proposals()
    assert found.channels == (2,)
    assert found.offset_s == Fraction(-144, RATE_HZ)
    assert found.reason.startswith("channel 3 of the same file from 2.997 s: voice +")


def test_one_channel_of_the_two_that_a_use_plays(tmp_path: Path) -> None:
    voice = take(0, SECONDS)
    pair = wav(tmp_path / "pair.wav", np.stack([noisy(voice, 0), voice], axis=1))
    (found,) = job(pair, (0, 1)).proposals()
    assert found.channels == (1,)


def test_both_channels_of_a_stereo_source_are_one_proposal(tmp_path: Path) -> None:
    voice = take(0, SECONDS)
    cut = wav(tmp_path / "cut.wav", noisy(voice, 0))
    wav(tmp_path / "stereo.wav", np.stack([voice, 0.9 * voice], axis=1))
    (found,) = job(cut).proposals()
    assert found.channels == (0, 1)


def test_another_take_of_the_same_speaker_is_not_proposed(tmp_path: Path) -> None:
    cut = wav(tmp_path / "cut.wav", noisy(take(0, SECONDS), 0))
    wav(tmp_path / "take 2.wav", take(10, 20))
    assert job(cut).proposals() == ()


def test_the_same_music_without_the_voice_is_not_proposed(tmp_path: Path) -> None:
    over = noise(SECONDS, 1) * np.float32(0.2)
    cut = wav(tmp_path / "cut.wav", take(0, SECONDS) + over)
    wav(tmp_path / "music alone.wav", over)
    for number, gain in enumerate((0.1, 0.3, 0.6)):
        voiced = take(14, SECONDS) + over * np.float32(gain)
        wav(tmp_path / f"other voice on it {number}.wav", voiced)
    assert job(cut).proposals() == ()


def test_a_source_that_is_no_better_is_not_proposed(tmp_path: Path) -> None:
    cut = wav(tmp_path / "cut.wav", noisy(take(0, SECONDS), 0))
    wav(tmp_path / "copy.wav", noisy(take(0, SECONDS), 0))
    wav(tmp_path / "worse.wav", noisy(take(0, SECONDS), -4))
    assert job(cut).proposals() == ()


def test_a_source_that_ends_before_the_use_does_is_not_proposed(tmp_path: Path) -> None:
    voice = take(0, SECONDS)
    cut = wav(tmp_path / "cut.wav", noisy(voice, 0))
    wav(tmp_path / "part.wav", voice[4 * RATE_HZ : 11 * RATE_HZ])
    assert job(cut).proposals() == ()


def test_the_best_three_are_proposed_best_first(tmp_path: Path) -> None:
    voice = take(0, SECONDS)
    cut = wav(tmp_path / "cut.wav", noisy(voice, -2))
    for name, sbr_db in (("a", 8), ("b", 30), ("c", 14), ("d", 20)):
        wav(tmp_path / f"{name}.wav", noisy(voice, sbr_db, 1))
    assert [found.path.stem for found in job(cut).proposals()] == ["b", "d", "c"]


@pytest.mark.parametrize("timecode", [True, False])
def test_timecode_spares_a_search_of_the_whole_file(tmp_path: Path, timecode: bool) -> None:
    voice = take(0, SECONDS)
    cut = wav(tmp_path / "cut.wav", noisy(voice, 0))
    made = job(cut)
    long = np.concatenate([np.zeros(50 * RATE_HZ, np.float32), voice])
    start_s = Fraction(3550) if timecode else None
    there = replace(probe(wav(tmp_path / "long.wav", long)), start_timecode_s=start_s)
    # Jam-synced recorders are some frames apart.
    own = replace(made.file, start_timecode_s=Fraction("3600.2"))
    made = replace(made, regions=(replace(made.regions[0], media=own),))
    told: list[str] = []
    found = made.search([there], beside=lambda *_: Neighbours((), False), told=told)
    assert [p.offset_s for p in found.proposals[made.use.id]] == [Fraction(50)]
    assert ("Searching long.wav" in told) is not timecode


def test_bad_neighbours_do_not_stop_the_search(tmp_path: Path) -> None:
    voice = take(0, SECONDS)
    cut = wav(tmp_path / "cut.wav", noisy(voice, 0))
    (tmp_path / "empty.wav").touch()
    (tmp_path / "garbage.mov").write_bytes(b"\0\0\0\x14ftypqt  " + bytes(range(256)) * 20)
    wav(tmp_path / "silence.wav", np.zeros(SECONDS * RATE_HZ, np.float32))
    wav(tmp_path / "clean.wav", voice)
    gone = replace(probe(wav(tmp_path / "gone.wav", voice)), path=tmp_path / "not there.wav")
    (tmp_path / "gone.wav").unlink()
    found = job(cut).search([gone])
    (proposal,) = found.proposals.values()
    assert [p.path.name for p in proposal] == ["clean.wav"]
    assert [note.where for note in found.notes] == ["cleaner sources: not there.wav"]


@pytest.mark.parametrize("sound", ["silence", "clipped", "noise"])
def test_bad_sound_gives_no_proposal_and_no_error(tmp_path: Path, sound: str) -> None:
    made = {
        "silence": np.zeros(SECONDS * RATE_HZ, np.float32),
        "clipped": np.sign(noise(SECONDS)),
        "noise": noise(SECONDS, 1),
    }[sound].astype(np.float32)
    cut = wav(tmp_path / "cut.wav", np.stack([made, made * np.float32(0)], axis=1))
    wav(tmp_path / "voice.wav", take(0, SECONDS))
    found = job(cut, (0, 1)).search()
    assert found.proposals == {}
    assert found.notes == ()


@pytest.mark.parametrize("ruling", [Ruling.DELIVER, Ruling.KEEP])
def test_nothing_is_looked_at_where_nothing_is_flagged(tmp_path: Path, ruling: Ruling) -> None:
    def never(*_: object) -> Neighbours:
        raise AssertionError("folders were listed")

    cut = wav(tmp_path / "cut.wav", noisy(take(0, SECONDS), 0))
    wav(tmp_path / "clean.wav", take(0, SECONDS))
    assert job(cut).search(ruling=ruling, beside=never) == Cleaner({}, ())


def test_the_wish_to_stop_is_heard(tmp_path: Path) -> None:
    cut = job(wav(tmp_path / "cut.wav", noisy(take(0, SECONDS), 0)))

    def stop(_: str) -> None:
        raise Interrupted("enough")

    report = replace(cut.report, verdict=Verdict(Ruling.UNFIXABLE))
    engine = engine_factory("dsp").create()
    with pytest.raises(Interrupted):
        find_cleaner({cut.use.id: report}, cut.regions, [cut.file], Settings(), engine, stop)


def test_only_what_lies_below_the_allowed_roots_is_read(tmp_path: Path) -> None:
    voice = take(0, SECONDS)
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    cut = job(wav(tmp_path / "in" / "cut.wav", noisy(voice, 0)))
    secret = wav(tmp_path / "out" / "secret.wav", voice)
    (tmp_path / "in" / "link.wav").symlink_to(secret)
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "out")
    roots = Settings(media_roots=(tmp_path / "in",), search_roots=(tmp_path / "out",))
    assert cut.proposals(roots) == ()
    sub = tmp_path / "in" / "day 1" / "sound"
    sub.mkdir(parents=True)
    wav(sub / "T004.wav", voice)
    assert [p.path for p in cut.proposals(roots)] == [sub / "T004.wav"]


def test_other_folders_are_searched_where_search_roots_say_so(tmp_path: Path) -> None:
    voice = take(0, SECONDS)
    (tmp_path / "cam").mkdir()
    (tmp_path / "sound").mkdir()
    cut = job(wav(tmp_path / "cam" / "cut.wav", noisy(voice, 0)))
    wav(tmp_path / "sound" / "T004.wav", voice)
    assert cut.proposals() == ()
    assert len(cut.proposals(Settings(search_roots=(tmp_path,)))) == 1


def test_the_count_and_the_time_of_probing_are_bounded(tmp_path: Path) -> None:
    short = np.full(4800, 0.1, np.float32)
    for number in range(6):
        wav(tmp_path / f"{number}.wav", short)
    (tmp_path / "notes.txt").write_text("no media")
    known = [probe(tmp_path / "0.wav")]
    every = neighbours(known, known, Settings())
    assert sorted(file.path.name for file in every.files) == [f"{n}.wav" for n in range(1, 6)]
    assert not every.stopped
    few = neighbours(known, known, Settings(), Bounds(files=2))
    assert (len(few.files), few.stopped) == (2, True)
    listed = neighbours(known, known, Settings(), Bounds(entries=3))
    assert (len(listed.files), listed.stopped) == (2, True)
    ticks = iter([0.0, 1.0, 9.0, 30.0])
    slow = neighbours(known, known, Settings(), Bounds(probe_s=20.0), lambda: next(ticks))
    assert (len(slow.files), slow.stopped) == (2, True)


GOOD = SourceQuality(12.0, 20_000.0, False, False)


@pytest.mark.parametrize(
    ("now", "there", "proposed"),
    [
        (replace(GOOD, sbr_db=8.9), GOOD, True),
        (replace(GOOD, sbr_db=9.1), GOOD, False),
        (replace(GOOD, sbr_db=None), GOOD, True),
        (GOOD, replace(GOOD, sbr_db=None), False),
        (replace(GOOD, sbr_db=-9.0), replace(GOOD, sbr_db=2.9), False),
        (replace(GOOD, sbr_db=-9.0), replace(GOOD, sbr_db=3.1), True),
        (replace(GOOD, highest_hz=17_900.0), GOOD, True),
        (replace(GOOD, highest_hz=18_100.0), GOOD, False),
        (replace(GOOD, codec_damaged=True), GOOD, True),
        (replace(GOOD, clipped=True), GOOD, True),
        (replace(GOOD, codec_damaged=True), replace(GOOD, sbr_db=8.9), False),
        (replace(GOOD, sbr_db=8.0), replace(GOOD, codec_damaged=True), False),
        (replace(GOOD, sbr_db=5.0), replace(GOOD, codec_damaged=True), True),
        (replace(GOOD, sbr_db=8.0), replace(GOOD, highest_hz=4_000.0), False),
        (replace(GOOD, sbr_db=8.0), replace(GOOD, highest_hz=14_000.0), True),
        (replace(GOOD, highest_hz=None), replace(GOOD, highest_hz=None), False),
        (GOOD, GOOD, False),
    ],
)
def test_only_what_is_clearly_better_is_proposed(
    now: SourceQuality, there: SourceQuality, proposed: bool
) -> None:
    assert (better(now, there) is not None) is proposed


def test_a_codec_damaged_source_is_named_as_such() -> None:
    found = better(replace(GOOD, sbr_db=0.0), replace(GOOD, codec_damaged=True))
    assert found is not None
    assert "codec-damaged itself" in found.words
    assert found.gain_db == pytest.approx(12.0 - 3.0)


def test_a_flagged_use_on_a_codec_damaged_source_is_told_so(tmp_path: Path) -> None:
    quiet = noisy(take(0, SECONDS), 25)
    cut = encode(quiet[:, None], RATE_HZ, tmp_path / "web.mp3", "libmp3lame", audio_bitrate="32k")
    wav(tmp_path / "original.wav", noisy(take(0, SECONDS), 25))
    (found,) = job(cut).proposals()
    assert found.now.codec_damaged
    assert not found.there.codec_damaged
    assert "no codec damage, which there is here" in found.reason
