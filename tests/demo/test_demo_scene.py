from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import nlecompanion.demo.scene as scene_module
from nlecompanion.demo.scene import (
    BOOM,
    OVEN,
    RATE,
    RECORDINGS,
    Recording,
    cut_file,
    make_scene,
    scene_cut,
    scene_sound,
)
from nlecompanion.demo.sound import RATE_HZ, Background, Line, active_rms, load_line, mix
from nlecompanion.demo.timeline import Cut, Edit, SoundTrack
from nlecompanion.errors import ProgramFailed
from nlecompanion.media.probe import probe
from nlecompanion.media.programs import Program, run
from nlecompanion.model import Reason
from nlecompanion.plugins import adapter_for
from nlecompanion.timeline.choice import choose
from nlecompanion.timeline.uses import read_uses


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scene(tmp_path_factory.mktemp("scene"))


def decoded(path: Path) -> Iterator[bytes]:
    import av

    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            yield frame.to_ndarray().tobytes()


def digest(blocks: Iterator[bytes]) -> str:
    total = hashlib.sha256()
    for block in blocks:
        total.update(block)
    return total.hexdigest()


def test_made_again_it_is_the_same_and_leaves_nothing_else(scene: Path) -> None:
    media = [scene.parent / "media" / recording.name for recording in RECORDINGS]
    document = scene.read_bytes()
    waves = [path.read_bytes() for path in media if path.suffix == ".wav"]
    sounds = [digest(decoded(path)) for path in media]
    assert make_scene(scene.parent) == scene
    assert scene.read_bytes() == document
    assert [path.read_bytes() for path in media if path.suffix == ".wav"] == waves
    assert [digest(decoded(path)) for path in media] == sounds
    assert {entry.name for entry in scene.parent.iterdir()} == {scene.name, "media"}
    assert sorted((scene.parent / "media").iterdir()) == sorted(media)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
def test_the_media_are_what_the_timeline_says(scene: Path, recording: Recording) -> None:
    import av

    file = cut_file(recording, scene.parent / "media")
    with av.open(str(file.path)) as container:
        (stream,) = container.streams.audio
        assert (stream.channels, stream.sample_rate) == (file.channels, file.sample_rate_hz)
        assert len(container.streams.video) == file.picture
        for video in container.streams.video:
            assert video.average_rate == file.rate
            assert video.frames == file.duration_frames
            assert video.metadata["timecode"] == recording.timecode
        length_samples = sum(frame.samples for frame in container.decode(stream))
    # AAC comes in packets of 1024 samples; the last one runs over the end.
    extra_samples = length_samples - file.duration_frames / file.rate * RATE_HZ
    assert 0 <= extra_samples < (1024 if file.picture else 1)
    probed = probe(file.path)
    assert probed.start_timecode_s == file.start_frame / file.rate
    assert probed.duration_s == file.duration_frames / file.rate


def test_the_production_sound_carries_its_timecode(scene: Path) -> None:
    wave = (scene.parent / "media" / BOOM.name).read_bytes()
    # EBU Tech 3285: TimeReference stands 338 bytes into the bext chunk.
    at = wave.index(b"bext") + 8 + 338
    time_reference = int.from_bytes(wave[at : at + 8], "little")
    assert time_reference == cut_file(BOOM, Path()).start_frame / RATE * RATE_HZ


def test_every_edit_lies_inside_its_file_and_beside_its_neighbours() -> None:
    cut = scene_cut(Path("media"))
    for edit in cut.edits:
        used_frames = edit.duration_frames * edit.speed_percent // 100
        assert edit.source_frame + used_frames <= edit.file.duration_frames
    for track in cut.tracks:
        on_track = [edit for edit in cut.edits if edit.track == track.name]
        for left, right in pairwise(on_track):
            assert left.record_end_frame <= right.record_frame


def test_speech_stands_above_its_background_by_what_was_asked() -> None:
    lines = (Line("baker_1", 0.5),)
    background = Background(music_db=0.0, hiss_db=-3.0)
    mixed = [mix(lines, background, sbr_db, 6.0, seed=1) for sbr_db in (4.0, 10.0)]
    before_speech = slice(0, RATE_HZ // 2)
    levels_db = [20 * np.log10(sound[before_speech].std()) for sound in mixed]
    assert levels_db[0] - levels_db[1] == pytest.approx(6.0, abs=0.01)
    voice = load_line("baker_1")
    speech_db = 20 * np.log10(active_rms(mixed[1][RATE_HZ // 2 :][: len(voice)].mean(axis=1)))
    assert speech_db == pytest.approx(-23.0, abs=1.5)


def test_no_recording_clips_and_none_is_silent() -> None:
    for seed, recording in enumerate(RECORDINGS):
        sound = scene_sound(recording, seed)
        assert sound.shape == (recording.duration_s * RATE_HZ, recording.channels)
        assert 0.2 < np.abs(sound).max() < 0.95


def test_an_adapter_reads_the_cut(scene: Path) -> None:
    timeline = adapter_for(scene).read(scene)
    uses = choose(read_uses(timeline), (), Fraction(1, 10))
    cut = scene_cut(scene.parent / "media")
    sounding = {(edit.track, edit.record_frame): edit for edit in cut.edits if edit.track}
    assert len(uses) == len(sounding)
    reasons = {}
    for use in uses:
        edit = sounding[(use.track, int(use.record.start_s * RATE))]
        assert use.record.duration_s * RATE == edit.duration_frames
        assert use.channels == edit.channels
        assert use.media_start_s == edit.file.start_frame / RATE
        if edit.speed_percent == 100:
            assert use.source.start_s * RATE == edit.source_frame
        if use.left_alone is not None:
            reasons[edit.record_frame, edit.track] = use.left_alone.reason
    assert reasons == {
        (845, "Dialogue"): Reason.DISABLED,
        (905, "Dialogue"): Reason.RETIMED,
        (540, "Music"): Reason.MUSIC_ROLE,
        (905, "Music"): Reason.MUSIC_ROLE,
    }
    crossfaded = {use.record.start_s * RATE: (use.lead_s, use.tail_s) for use in uses}
    six_frames_s = 6 / RATE
    assert crossfaded[Fraction(260)] == (Fraction(0), six_frames_s)
    assert crossfaded[Fraction(380)] == (six_frames_s, Fraction(0))


def test_an_ffmpeg_without_h264_still_makes_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import av

    def without_h264(program: Program, arguments: Sequence[str]) -> bytes:
        if "libx264" in arguments:
            raise ProgramFailed("ffmpeg", 8, "Unknown encoder 'libx264'")
        return run(program, arguments)

    monkeypatch.setattr(scene_module, "run", without_h264)
    monkeypatch.setattr(scene_module, "RECORDINGS", (OVEN,))
    monkeypatch.setattr(scene_module, "scene_cut", _only)
    make_scene(tmp_path)
    with av.open(str(tmp_path / "media" / OVEN.name)) as container:
        (video,) = container.streams.video
        assert (video.codec_context.name, video.metadata["timecode"]) == ("mpeg4", OVEN.timecode)


def _only(media: Path) -> Cut:
    edit = Edit(cut_file(OVEN, media), 0, 25, 0, "Dialogue")
    return Cut("one clip", RATE, 0, (SoundTrack("Dialogue"),), (edit,))
