"""The demo's scene: what was "shot", how it is cut, and the files that come of it.

Everything that an editor's timeline brings along is in it once: a file used several times, a
crossfade, a production sound recording, a clip without speech, music on its own track, a clip
with its level turned down, one switched off, and one at double speed.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from nlecompanion.demo.sound import RATE_HZ, Background, Line, Sound, mix
from nlecompanion.demo.timeline import Crossfade, Cut, CutFile, Edit, SoundTrack, premiere_xml
from nlecompanion.errors import ProgramFailed
from nlecompanion.media.programs import file_address, find_ffmpeg, run
from nlecompanion.units import frames_from_timecode

RATE = Fraction(25)
SIZE = (480, 270)
TIMELINE_NAME = "Baker interview"
MEDIA_FOLDER = "media"
_BITEXACT = ("-fflags", "+bitexact", "-flags", "+bitexact")
_X264_QUICK = ("-preset", "veryfast", "-crf", "30", "-g", "25")


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of the scene; `sbr_db` is speech over background where it is made.

    `hue_degrees` turns the colours of the test picture; None where there is no picture.
    """

    name: str
    timecode: str
    duration_s: int
    background: Background
    lines: tuple[Line, ...] = ()
    sbr_db: float = 0.0
    channels: int = 2
    hue_degrees: int | None = None


BAKER = Recording(
    name="A001_baker.mp4",
    timecode="10:00:00:00",
    duration_s=21,
    background=Background(music_db=-3.0, hiss_db=0.0, hum_db=-6.0),
    lines=(Line("baker_1", 1.5), Line("baker_2", 7.2), Line("baker_3", 13.0)),
    sbr_db=6.0,
    hue_degrees=0,
)
REPORTER = Recording(
    name="A002_reporter.mp4",
    timecode="10:12:30:12",
    duration_s=12,
    background=Background(music_db=0.0, hiss_db=-6.0),
    lines=(Line("reporter_1", 1.5), Line("reporter_2", 7.0)),
    sbr_db=4.0,
    hue_degrees=100,
)
OVEN = Recording(
    name="A003_oven.mp4",
    timecode="10:21:08:05",
    duration_s=9,
    background=Background(music_db=0.0, hiss_db=-12.0),
    hue_degrees=200,
)
BOOM = Recording(
    name="T007_boom.wav",
    timecode="10:20:05:00",
    duration_s=9,
    background=Background(hiss_db=0.0, hum_db=-2.0),
    lines=(Line("miller_1", 1.0), Line("miller_2", 5.2)),
    sbr_db=5.0,
    channels=1,
)
THEME = Recording(
    name="theme.wav", timecode="00:00:00:00", duration_s=15, background=Background(music_db=0.0)
)
RECORDINGS = (BAKER, REPORTER, OVEN, BOOM, THEME)


def make_scene(folder: Path) -> Path:
    """Writes the scene's media and timeline into `folder`; gives the timeline document's path.

    Files of the scene that are there already are replaced. The same ffmpeg gives the same files.

    Raises:
        ProgramFailed: ffmpeg could not encode the media.
    """
    folder = folder.absolute()
    media = folder / MEDIA_FOLDER
    media.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder) as workshop:
        for seed, recording in enumerate(RECORDINGS):
            made = _make(recording, Path(workshop), seed)
            made.replace(media / recording.name)
    document = folder / f"{TIMELINE_NAME}.xml"
    document.write_text(premiere_xml(scene_cut(media)), encoding="utf-8")
    return document


def scene_sound(recording: Recording, seed: int) -> Sound:
    """A recording's sound, shape (samples, channels), at 48 kHz."""
    sound = mix(recording.lines, recording.background, recording.sbr_db, recording.duration_s, seed)
    return sound if recording.channels == 2 else sound[:, :1]


def scene_cut(media: Path) -> Cut:
    """How the editor cut it: 42 s at 25 frames a second."""
    baker, reporter, oven, boom, theme = (cut_file(recording, media) for recording in RECORDINGS)
    dx, mx, mono = "Dialogue", "Music", "Dialogue boom"
    edits = (
        Edit(baker, 0, 135, 25, dx, picture=True),
        Edit(reporter, 135, 125, 30, dx, picture=True),
        Edit(baker, 260, 120, 175, dx, picture=True),
        Edit(baker, 380, 160, 315, dx, picture=True),
        Edit(oven, 540, 100, 20, dx, picture=True),
        Edit(theme, 540, 205, 0, mx, gain=0.25),
        Edit(oven, 640, 105, 120, picture=True),
        Edit(boom, 640, 105, 15, mono, channels=(0,)),
        Edit(reporter, 745, 100, 165, dx, picture=True, gain=0.8),
        Edit(reporter, 845, 60, 40, dx, picture=True, enabled=False),
        Edit(reporter, 905, 75, 30, dx, picture=True, speed_percent=200),
        Edit(theme, 905, 150, 205, mx, gain=0.25),
        Edit(oven, 980, 75, 0, picture=True),
        Edit(boom, 980, 75, 122, mono, channels=(0,)),
    )
    return Cut(
        name=TIMELINE_NAME,
        rate=RATE,
        start_frame=frames_from_timecode("01:00:00:00", RATE),
        tracks=(SoundTrack(dx), SoundTrack(mono, 1), SoundTrack(mx)),
        edits=edits,
        crossfades=(Crossfade(dx, 374, 380, 386),),
        size=SIZE,
    )


def cut_file(recording: Recording, media: Path) -> CutFile:
    """The recording as the timeline lists it, below the folder `media`."""
    return CutFile(
        path=media / recording.name,
        rate=RATE,
        duration_frames=int(recording.duration_s * RATE),
        start_frame=frames_from_timecode(recording.timecode, RATE),
        channels=recording.channels,
        picture=recording.hue_degrees is not None,
    )


def _make(recording: Recording, workshop: Path, seed: int) -> Path:
    raw = workshop / "sound.raw"
    raw.write_bytes(np.ascontiguousarray(scene_sound(recording, seed), dtype="<f4").tobytes())
    sound = ["-f", "f32le", "-ar", str(RATE_HZ), "-ac", str(recording.channels)]
    sound += ["-i", file_address(raw)]
    made = workshop / recording.name
    if recording.hue_degrees is None:
        _ffmpeg([*sound, *_wave_options(recording)], made)
        return made
    try:
        _ffmpeg([*sound, *_picture_options(recording), "-c:v", "libx264", *_X264_QUICK], made)
    except ProgramFailed:
        # Some builds leave H.264 out; MPEG-4 part 2 is in every one.
        _ffmpeg([*sound, *_picture_options(recording), "-c:v", "mpeg4"], made)
    return made


def _wave_options(recording: Recording) -> list[str]:
    start = frames_from_timecode(recording.timecode, RATE) * RATE_HZ / RATE
    return ["-c:a", "pcm_s24le", "-write_bext", "1", "-metadata", f"time_reference={int(start)}"]


def _picture_options(recording: Recording) -> list[str]:
    picture = (
        f"testsrc2=size={SIZE[0]}x{SIZE[1]}:rate={RATE}:duration={recording.duration_s},"
        f"hue=h={recording.hue_degrees},format=yuv420p"
    )
    options = ["-f", "lavfi", "-i", picture, "-map", "1:v", "-map", "0:a"]
    options += ["-c:a", "aac", "-b:a", "192k", "-timecode", recording.timecode]
    return options


def _ffmpeg(arguments: list[str], made: Path) -> None:
    quiet = ("-nostdin", "-hide_banner", "-loglevel", "error", "-y")
    run(find_ffmpeg(), (*quiet, *arguments, *_BITEXACT, file_address(made)))
