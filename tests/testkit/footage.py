"""Real film and interview sound, cut as an editor would, and what must come of each clip.

Two forms of one cut: Premiere's FCP7 XML and OTIO. In it: several uses of one file with overlapping
ranges, stereo, mono, one channel of a stereo file, a crossfade and a fade-in, media at 44.1 kHz and
at another frame rate, timecode that does not start at 0, awkward file names, and every reason to
leave a clip alone: switched off, at double speed, offline, music, no speech.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from testkit.footage_otio import write_otio
from testkit.shared import shared

from nlecompanion.demo.timeline import Crossfade, Cut, CutFile, Edit, SoundTrack, premiere_xml
from nlecompanion.media.programs import file_address, find_ffmpeg, run
from nlecompanion.model import Reason
from nlecompanion.units import frames_from_timecode, timecode_from_frames

DIALOGUE, BOOM, MUSIC = "Dialogue", "Boom", "Music"
FADE_FRAMES = 10


class Form(StrEnum):
    """The document formats that the footage comes in."""

    PREMIERE = "premiere"
    OTIO = "otio"


@dataclass(frozen=True, slots=True)
class ExpectedUse:
    """What the timeline stage must find, and what must become of it.

    Frames count from the timeline's first, at its rate; `source_start_s` from the media's first
    instant. `reason` is None where a cleaned clip must be delivered.
    """

    name: str
    media: Path
    track: str
    channels: tuple[int, ...]
    record_frame: int
    record_frames: int
    source_start_s: Fraction
    media_start_s: Fraction
    reason: Reason | None
    lead_frames: int = 0
    tail_frames: int = 0

    @property
    def is_cleaned(self) -> bool:
        """Whether a cleaned clip must be delivered for it."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Footage:
    """A document with its media, and the uses in record order of each track."""

    document: Path
    media_folder: Path
    rate: Fraction
    start_frame: int
    drop_frame: bool
    uses: tuple[ExpectedUse, ...]

    def use(self, name: str) -> ExpectedUse:
        """The use of that clip name."""
        return next(use for use in self.uses if use.name == name)

    @property
    def cleaned(self) -> tuple[ExpectedUse, ...]:
        """The uses that must be worked on."""
        return tuple(use for use in self.uses if use.is_cleaned)


@dataclass(frozen=True, slots=True)
class _Media:
    """The files on disk; `lost` is not there."""

    trailer: CutFile
    sintel: CutFile
    camera: CutFile
    toy: CutFile
    male: CutFile
    noisy: CutFile
    score: CutFile
    lost: CutFile


def write_footage(
    folder: Path,
    form: Form = Form.PREMIERE,
    rate: Fraction = Fraction(25),
    drop_frame: bool = False,
) -> Footage:
    """Writes media and timeline into `folder` (made if need be), in about 1 s.

    Skips the test where the shared recordings are missing.
    """
    media_folder = folder / "media"
    media_folder.mkdir(parents=True, exist_ok=True)
    media = _write_media(shared("audio/film"), media_folder, rate, drop_frame)
    edits, reasons = _edits(media, rate, form)
    start = frames_from_timecode("01:00:00:00", rate, drop_frame)
    cut = Cut(
        name=f"Reel 1 {form}",
        rate=rate,
        start_frame=start,
        tracks=(SoundTrack(DIALOGUE), SoundTrack(BOOM, 1), SoundTrack(MUSIC)),
        edits=edits,
        crossfades=_fades(edits),
        drop_frame=drop_frame,
    )
    if form is Form.PREMIERE:
        document = folder / "Reel 1.xml"
        document.write_text(premiere_xml(cut), encoding="utf-8")
    else:
        document = write_otio(cut, folder / "Reel 1.otio")
    uses = tuple(_expected(edit, cut, reasons) for edit in edits if edit.track)
    return Footage(document, media_folder, rate, start, drop_frame, uses)


def _edits(media: _Media, rate: Fraction, form: Form) -> tuple[tuple[Edit, ...], dict[str, Reason]]:
    """The cut, and why clips of it are left alone, by clip name."""
    dialogue = _Reel(DIALOGUE, rate)
    dialogue.add(media.trailer, "trailer one", 11.8, 3.2)
    dialogue.add(media.trailer, "trailer two", 18.0, 2.6)
    dialogue.add(media.sintel, "sintel", 4.8, 3.1, picture=True)
    dialogue.add(media.score, "score under the wrong name", 2.0, 3.0)
    dialogue.add(media.toy, "toy on a table", 1.0, 3.0, picture=True)
    dialogue.add(media.camera, "camera one", 0.5, 4.0, picture=True)
    dialogue.add(media.camera, "camera two", 3.0, 4.8, picture=True, gain=0.7)
    dialogue.add(media.trailer, "switched off", 18.0, 2.6, enabled=False)
    dialogue.add(media.trailer, "double speed", 12.0, 1.4, speed_percent=200)
    dialogue.add(media.lost, "lost card", 2.0, 3.0, picture=True)
    dialogue.add(media.trailer, "trailer one again", 12.0, 2.8)
    boom = _Reel(BOOM, rate, channels=(0,))
    boom.skip(5.8)
    boom.add(media.male, "male one", 1.9, 4.6)
    boom.add(media.male, "male two", 9.5, 4.5)
    boom.skip(1.0)
    boom.add(media.noisy, "noisy", 1.0, 5.0)
    if form is Form.PREMIERE:
        # OTIO has no common way to name one channel of a file.
        boom.add(media.trailer, "right channel", 11.9, 3.0, channels=(1,))
    music = _Reel(MUSIC, rate)
    music.skip(2.0)
    music.add(media.score, "score", 0.5, 10.0, gain=0.5)
    reasons = {
        "score under the wrong name": Reason.NO_SPEECH,
        "toy on a table": Reason.NO_SPEECH,
        "switched off": Reason.DISABLED,
        "double speed": Reason.RETIMED,
        "lost card": Reason.OFFLINE,
        "score": Reason.MUSIC_ROLE,
    }
    return (*dialogue.edits, *boom.edits, *music.edits), reasons


class _Reel:
    """Lays clips one after another onto one track; seconds become the nearest frame."""

    def __init__(self, track: str, rate: Fraction, channels: tuple[int, ...] = (0, 1)) -> None:
        self.edits: list[Edit] = []
        self._track = track
        self._rate = rate
        self._channels = channels
        self._frame = 0

    def skip(self, gap_s: float) -> None:
        self._frame += round(gap_s * self._rate)

    def add(
        self,
        file: CutFile,
        name: str,
        source_s: float,
        duration_s: float,
        *,
        picture: bool = False,
        channels: tuple[int, ...] | None = None,
        enabled: bool = True,
        speed_percent: int = 100,
        gain: float = 1.0,
    ) -> None:
        edit = Edit(
            file=file,
            record_frame=self._frame,
            duration_frames=round(duration_s * self._rate),
            source_frame=round(source_s * file.rate),
            track=self._track,
            picture=picture,
            name=name,
            channels=channels or self._channels,
            enabled=enabled,
            speed_percent=speed_percent,
            gain=gain,
        )
        self.edits.append(edit)
        self._frame = edit.record_end_frame


def _fades(edits: tuple[Edit, ...]) -> tuple[Crossfade, ...]:
    """A crossfade between two clips, and a fade-in that takes nothing from before the clip."""
    cut = next(edit.record_frame for edit in edits if edit.name == "trailer two")
    begin = next(edit.record_frame for edit in edits if edit.name == "noisy")
    return (
        Crossfade(DIALOGUE, cut - FADE_FRAMES, cut, cut + FADE_FRAMES),
        Crossfade(BOOM, begin, begin, begin + FADE_FRAMES),
    )


def _expected(edit: Edit, cut: Cut, reasons: dict[str, Reason]) -> ExpectedUse:
    around = [fade for fade in cut.crossfades if fade.track == edit.track]
    return ExpectedUse(
        name=edit.name,
        media=edit.file.path,
        track=edit.track,
        channels=edit.channels,
        record_frame=edit.record_frame,
        record_frames=edit.duration_frames,
        source_start_s=edit.source_frame / edit.file.rate,
        media_start_s=edit.file.start_frame / edit.file.rate,
        reason=reasons.get(edit.name),
        lead_frames=sum(
            fade.cut_frame - fade.start_frame
            for fade in around
            if fade.cut_frame == edit.record_frame
        ),
        tail_frames=sum(
            fade.end_frame - fade.cut_frame
            for fade in around
            if fade.cut_frame == edit.record_end_frame
        ),
    )


def _write_media(film: Path, folder: Path, rate: Fraction, drop_frame: bool) -> _Media:
    writer = _MediaWriter(folder, rate, drop_frame)
    for name in ("mdn_elf.mp4", "dfn_noisy_snr0.flac"):
        shutil.copyfile(film / name, folder / name)
    pal, ntsc_video = Fraction(25), Fraction(30)
    return _Media(
        trailer=writer.wave(film / "sintel_trailer_48k.ogg", "Trailer mix.wav", "01:02:03:00", 52),
        sintel=writer.sintel(film / "sintel_clip_video.mp4", pal),
        camera=writer.camera(film, ntsc_video),
        toy=CutFile(folder / "mdn_elf.mp4", ntsc_video, 241, sample_rate_hz=44_100, picture=True),
        male=writer.wave(
            film / "mmi_noisy_MalePart.flac", "Boom #2 100% Größe.wav", "14:20:00:00", 18, 44_100, 1
        ),
        noisy=CutFile(folder / "dfn_noisy_snr0.flac", rate, round(10.59 * rate), channels=1),
        score=writer.wave(
            film.parent / "music" / "visqol_ravel48_stereo.flac", "score.wav", "00:00:00:00", 14
        ),
        lost=CutFile(
            folder / "B007_lost.mov", pal, duration_frames=250, start_frame=900_000, picture=True
        ),
    )


@dataclass(frozen=True, slots=True)
class _MediaWriter:
    folder: Path
    rate: Fraction
    drop_frame: bool

    def wave(
        self,
        source: Path,
        name: str,
        timecode: str,
        duration_s: int,
        rate_hz: int = 48_000,
        channels: int = 2,
    ) -> CutFile:
        """A Broadcast WAV of the whole recording; its timecode lies on whole samples."""
        frame = frames_from_timecode(timecode, self.rate, self.drop_frame)
        # 400 frames are whole samples at every pair of rates used here.
        frame -= frame % 400
        start_sample = frame / self.rate * rate_hz
        assert start_sample.denominator == 1
        path = self.folder / name
        reference = ["-metadata", f"time_reference={start_sample.numerator}"]
        _ffmpeg(["-c:a", "pcm_s24le", "-write_bext", "1", *reference], path, source)
        return CutFile(
            path=path,
            rate=self.rate,
            duration_frames=int(duration_s * self.rate),
            start_frame=frame,
            channels=channels,
            sample_rate_hz=rate_hz,
            drop_frame=self.drop_frame,
        )

    def sintel(self, source: Path, rate: Fraction) -> CutFile:
        """The film clip as it is (MPEG-4 and MP3), with a timecode track."""
        path = self.folder / "sintel clip.mp4"
        _ffmpeg(["-c", "copy", "-timecode", "10:00:00:00"], path, source)
        start = frames_from_timecode("10:00:00:00", rate)
        return CutFile(path, rate, duration_frames=249, start_frame=start, picture=True)

    def camera(self, film: Path, rate: Fraction) -> CutFile:
        """A camera's file: picture at 30, a real noisy voice as AAC in stereo at 44.1 kHz."""
        path = self.folder / "camera.mp4"
        voice, frames, start = film / "mmi_noisy_MalePart.flac", 240, 12_345
        options = ["-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-b:a", "192k"]
        options += ["-af", "atrim=1.5:9.5,asetpts=PTS-STARTPTS,pan=stereo|c0=c0|c1=0.8*c0"]
        options += ["-t", str(frames // rate), "-timecode", timecode_from_frames(start, rate)]
        _ffmpeg(options, path, film / "mdn_frog.mp4", voice)
        return CutFile(
            path=path,
            rate=rate,
            duration_frames=frames,
            start_frame=start,
            sample_rate_hz=44_100,
            picture=True,
        )


def _ffmpeg(options: list[str], made: Path, *sources: Path) -> None:
    inputs = [part for source in sources for part in ("-i", file_address(source))]
    quiet = ["-nostdin", "-hide_banner", "-loglevel", "error", "-y"]
    run(find_ffmpeg(), [*quiet, *inputs, *options, "-fflags", "+bitexact", file_address(made)])
