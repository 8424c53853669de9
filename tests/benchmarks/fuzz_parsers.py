"""What reads bytes from outside besides documents: media, scripts, settings, archives, frames.

Each must end in a result or in an error of ours; what it reads is damaged like documents are, media
and other binary files in their bytes, most of all where their headers lie.
"""

from __future__ import annotations

import io
import json
import random
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from testkit.mutate import mutated

from nlecompanion.decisions import Decision, Decisions
from nlecompanion.delivery.script import read_script
from nlecompanion.errors import DocumentError
from nlecompanion.model import MediaFile, TimelineFacts

Seeds = list[tuple[str, bytes]]
_RATE_HZ, _FRAMES = 8000, 400
_FACTS = TimelineFacts("cut", "edl", Fraction(25), 90_000, drop_frame=False, sample_rate_hz=48_000)
_HEADER_BYTES = 256


@dataclass(frozen=True, slots=True)
class Parser:
    """What is damaged, how, and who reads it."""

    seeds: Callable[[], Seeds]
    read: Callable[[Path], object]
    damage: Callable[[bytes, random.Random], bytes] = mutated


def shaken(data: bytes, chance: random.Random) -> bytes:
    """Bytes and numbers of four made anew, half of them among the first 256; a third is cut."""
    content = bytearray(data)
    for _ in range(chance.randint(1, 12)):
        reach = min(len(content), _HEADER_BYTES) if chance.random() < 0.5 else len(content)
        if reach < 5:
            break
        at = chance.randrange(reach - 4)
        if chance.random() < 0.5:
            content[at] = chance.randrange(256)
        else:
            number = chance.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, chance.getrandbits(32)))
            content[at : at + 4] = number.to_bytes(4, chance.choice(("little", "big")))
    if chance.random() < 1 / 3:
        del content[chance.randrange(len(content) + 1) :]
    return bytes(content)


def _media() -> Seeds:
    wave = np.sin(np.arange(_FRAMES) / 7)[:, None] * np.ones((1, 2)) / 2
    seeds = []
    for kind, subtype in (
        ("WAV", "PCM_24"),
        ("WAVEX", "FLOAT"),
        ("RF64", "PCM_16"),
        ("AIFF", "PCM_16"),
        ("CAF", "PCM_16"),
        ("W64", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("MP3", "MPEG_LAYER_III"),
    ):
        buffer = io.BytesIO()
        soundfile.write(buffer, wave, _RATE_HZ, subtype, format=kind)
        seeds.append((f"take.{kind.lower()}", buffer.getvalue()))
    return [*seeds, ("bext.wav", _with_bext(seeds[0][1]))]


def _with_bext(wav: bytes) -> bytes:
    bext = b"description".ljust(256, b"\0") + b"origin".ljust(64, b"\0") + b"2026-01-0112:00:00"
    bext = bext.ljust(338, b"\0") + (123_456).to_bytes(8, "little") + bytes(256)
    return wav[:12] + b"bext" + len(bext).to_bytes(4, "little") + bext + wav[12:]


def _read_media(path: Path) -> object:
    """As the probe does in its child, and then the samples."""
    from nlecompanion.media.broadcast_wav import read_bext
    from nlecompanion.media.decode import StreamReader
    from nlecompanion.media.extract import length_samples
    from nlecompanion.media.probe import probe
    from nlecompanion.wire import from_json, to_json

    read_bext(path)
    found = from_json(json.loads(json.dumps(to_json(probe(path), MediaFile))), MediaFile)
    rate_hz = found.streams[0].rate_hz
    length_samples(found, rate_hz)
    reader = StreamReader(found, found.streams[0], 0)
    try:
        return len(reader.read(_FRAMES))
    finally:
        reader.close()


def _scripts() -> Seeds:
    srt = (
        "1\n00:00:01,000 --> 00:00:02,500\nANNA: Good evening.\n\n"
        "2\n01:00:03,0 --> 01:00:04,0\n<i>Yes</i>\n"
    )
    vtt = "WEBVTT\n\nNOTE a note\n\n00:01.000 --> 00:02.500 align:start\n<v Anna>Good evening.\n"
    ass = (
        "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:01.00,0:00:02.50,Default,Anna,0,0,0,,{\\i1}Good{\\i0} evening.\\NYes\n"
    )
    return [("cut.srt", srt.encode()), ("cut.vtt", vtt.encode()), ("cut.ass", ass.encode())]


def _read_script(path: Path) -> object:
    return read_script(path, _FACTS)


def _settings() -> Seeds:
    settings = (
        'engine = "dsp"\nhandles_s = 2.5\nprofile = "exposed"\ntracks = ["A1"]\n'
        'media_roots = ["media", "~/x"]\nreport_sound_mb = 3\n[path_map]\n"X:/" = "/mnt"\n'
    )
    watch = (
        'still_s = 3\nwebhook = "https://example.org/hook"\nnotify = true\nstate_dir = "/var/x"\n'
    )
    own = 'title = "mine"\nreadable = 0.7\nde_echo = false\nmax_intensity_db = 12\n'
    return [
        ("settings.toml", settings.encode()),
        ("watch.toml", watch.encode()),
        ("own.toml", own.encode()),
    ]


def _read_settings(path: Path) -> object:
    """The three readers of TOML; each must refuse what is not its own."""
    from nlecompanion.errors import SettingsError
    from nlecompanion.settings import Profile, Settings, load_settings, overlaid
    from nlecompanion.watch.options import load_options

    watched = path.with_name("watched")
    watched.mkdir(exist_ok=True)
    (watched / "watch.toml").write_bytes(path.read_bytes())
    readers: tuple[Callable[[], object], ...] = (
        lambda: Settings(**load_settings(path)).fingerprint(),
        lambda: load_options(watched),
        lambda: overlaid(Profile(), path),
    )
    refused = []
    for reader in readers:
        try:
            reader()
        except SettingsError as error:
            refused.append(error)
    if len(refused) == len(readers):
        raise refused[0]
    return refused


def _archives() -> Seeds:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("content.otio", "{}")
        archive.writestr("version.txt", "1.0.0")
        archive.writestr("media/take.wav", bytes(300), zipfile.ZIP_DEFLATED)
    return [("cut.otioz", buffer.getvalue())]


def _read_archive(path: Path) -> object:
    from nlecompanion.archive import open_archive, unpack

    with open_archive(path) as archive, tempfile.TemporaryDirectory() as folder:
        names = [member.filename for member in archive.infolist() if not member.is_dir()]
        inner = Path(folder) / "inner"
        inner.mkdir()
        unpack(archive, names, inner)
        if sorted(p.name for p in Path(folder).iterdir()) != ["inner"]:
            raise AssertionError("something was written outside of the folder")
        return names


def _frames() -> Seeds:
    from nlecompanion.isolation import frame_of

    decided = Decisions({"use 1": Decision(accept=True, intensity_db=6.0, subtitle="Yes")})
    values = (
        decided.to_json(),
        {"answer": [1, 2.5, None, "x" * 40]},
        {"progress": [1.0, 2.0, "x"]},
    )
    return [(f"frame {n}.bin", frame_of(value)) for n, value in enumerate(values)]


def _read_frame(path: Path) -> object:
    """What a child may say, read as what its parent waits for."""
    from nlecompanion.errors import SettingsError
    from nlecompanion.isolation import read_frame
    from nlecompanion.wire import from_json

    with path.open("rb") as stream:
        value = read_frame(stream)
    try:
        Decisions.from_json(value)
    except SettingsError:
        refused = True
    else:
        refused = False
    try:
        from_json(value, MediaFile)
    except (ValueError, TypeError):
        return refused
    raise AssertionError("a frame of something else was taken for a media file")


def _journals() -> Seeds:
    from nlecompanion.watch.contract import SystemClock
    from nlecompanion.watch.journal import Journal
    from nlecompanion.watch.stability import Sighting

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite3"
        with Journal(path, SystemClock()) as journal:
            journal.sight([Sighting(f"scene {n}.xml", n, n) for n in range(20)], ())
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return [("journal.sqlite3", path.read_bytes())]


def _read_journal(path: Path) -> object:
    from nlecompanion.errors import WatchError
    from nlecompanion.watch.contract import SystemClock
    from nlecompanion.watch.journal import Journal
    from nlecompanion.watch.states import State

    for beside in ("-wal", "-shm"):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    try:
        with Journal(path, SystemClock()) as journal:
            return journal.in_state(*State)
    except WatchError as error:
        raise DocumentError(str(error)) from error


PARSERS = {
    "archive": Parser(_archives, _read_archive, shaken),
    "frame": Parser(_frames, _read_frame, shaken),
    "journal": Parser(_journals, _read_journal, shaken),
    "media": Parser(_media, _read_media, shaken),
    "script": Parser(_scripts, _read_script),
    "settings": Parser(_settings, _read_settings),
}
