"""What goes wrong with one use is said, and the others are done; what cannot be, leaves nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from testkit.fcp7xml import Clip, Media, Track, premiere_xml
from testkit.speech import RATE_HZ, speech

from nlecompanion.cli import main
from nlecompanion.errors import NotWritable
from nlecompanion.model import Delivery, Reason
from nlecompanion.pipeline import Place, run
from nlecompanion.settings import Settings

RATE = Fraction(25)
SECONDS = 6
ODD_NAMES = [
    "two words.wav",
    'it\'s "quoted".wav',
    "take #7.wav",
    "50% done.wav",
    "%41.wav",
    "Grüße.wav",
    "Gru\u0308\u00dfe.wav",
    "会议.wav",
    "مقابلة.wav",
    "-i.wav",
    "a&b <c>.wav",
]


def wav(path: Path, seconds: float = SECONDS, channels: int = 2) -> Media:
    soundfile.write(path, speech(seconds, channels), RATE_HZ, "PCM_24")
    return Media(path, RATE, int(seconds * 25), channels, picture=False)


def document(folder: Path, clips: list[Clip], name: str = "Cut.xml") -> Path:
    path = folder / name
    path.write_bytes(premiere_xml((Track(tuple(clips), "Dialogue"),), RATE, "Cut"))
    return path


def in_a_row(medias: list[Media]) -> list[Clip]:
    return [Clip(media, n * 100, n * 100 + 100, 25) for n, media in enumerate(medias)]


def reasons(delivery: Delivery) -> list[Reason | None]:
    return [r.left_alone.reason if r.left_alone else None for r in delivery.uses]


def test_one_bad_file_does_not_sink_the_others(tmp_path: Path) -> None:
    good = wav(tmp_path / "good.wav")
    missing = replace(good, path=tmp_path / "missing.wav")
    empty = replace(good, path=tmp_path / "empty.wav")
    empty.path.touch()
    damaged = replace(good, path=tmp_path / "damaged.mov")
    damaged.path.write_bytes(b"\0\0\0\x14ftypqt  " + os.urandom(5000))
    short = wav(tmp_path / "short.wav", seconds=2)
    folder = replace(good, path=tmp_path / "folder.wav")
    folder.path.mkdir()
    pipe = replace(good, path=tmp_path / "pipe.wav")
    os.mkfifo(pipe.path)
    mono = replace(wav(tmp_path / "mono.wav", channels=1), channels=2)
    clips = in_a_row([good, missing, empty, damaged, short, folder, pipe, mono, good])
    delivery = run(document(tmp_path, clips), Settings(engine="dsp"), Place(tmp_path))
    found = reasons(delivery)
    assert found[0] is None
    assert found[-1] is None
    assert found[1] is Reason.OFFLINE
    assert found[2] is Reason.UNREADABLE
    assert found[3] is Reason.UNREADABLE
    assert found[4] is Reason.MEDIA_TOO_SHORT
    assert found[5] in {Reason.OFFLINE, Reason.REFUSED, Reason.UNREADABLE}
    assert found[6] is Reason.REFUSED
    assert found[7] is Reason.NO_AUDIO
    assert delivery.failed == 7
    assert all(r.left_alone.detail for r in delivery.uses if r.left_alone)
    assert all(r.marked for r in delivery.uses if r.left_alone)


@pytest.mark.parametrize(
    "url",
    ["http://example.com/a.wav", "concat:a.wav|b.wav", "pipe:0", "rtmp://x/y", "data:audio/wav,x"],
)
def test_what_is_not_a_local_file_is_refused(tmp_path: Path, url: str) -> None:
    good = wav(tmp_path / "good.wav")
    cut = document(tmp_path, in_a_row([good]))
    text = cut.read_text(encoding="utf-8")
    start, end = text.index("<pathurl>") + 9, text.index("</pathurl>")
    cut.write_text(text[:start] + url + text[end:], encoding="utf-8")
    delivery = run(cut, Settings(engine="dsp"), Place(tmp_path))
    assert delivery.folder is None
    assert reasons(delivery)[0] in {Reason.REFUSED, Reason.OFFLINE}


def test_media_outside_the_allowed_roots_are_refused_links_included(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    allowed, secret = wav(inside / "a.wav"), wav(outside / "b.wav")
    link = replace(secret, path=inside / "link.wav")
    link.path.symlink_to(secret.path)
    settings = Settings(engine="dsp", media_roots=(inside,))
    cut = document(tmp_path, in_a_row([allowed, secret, link]))
    delivery = run(cut, settings, Place(tmp_path))
    assert reasons(delivery) == [None, Reason.REFUSED, Reason.REFUSED]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_work_all_the_way(tmp_path: Path, name: str) -> None:
    folder = tmp_path / Path(name).stem
    folder.mkdir()
    cut = document(folder, in_a_row([wav(folder / name)]), f"{Path(name).stem}.xml")
    delivery = run(cut, Settings(engine="dsp"), Place(folder))
    assert delivery.cleaned == 1
    assert delivery.document is not None
    again = run(delivery.document, Settings(engine="dsp"), Place(folder))
    assert Reason.ALREADY_CLEANED in reasons(again)


def test_media_that_are_still_being_written_are_not_taken_for_whole(tmp_path: Path) -> None:
    media = wav(tmp_path / "a.wav")
    whole = media.path.read_bytes()
    media.path.write_bytes(whole[: len(whole) // 3])
    delivery = run(document(tmp_path, in_a_row([media])), Settings(engine="dsp"), Place(tmp_path))
    assert reasons(delivery)[0] in {Reason.MEDIA_TOO_SHORT, Reason.UNREADABLE}
    assert delivery.folder is None


def test_exit_codes_tell_what_happened(tmp_path: Path) -> None:
    good = wav(tmp_path / "good.wav")
    missing = replace(good, path=tmp_path / "missing.wav")
    runner = CliRunner()
    well = document(tmp_path, in_a_row([good]), "well.xml")
    result = runner.invoke(main, ["run", str(well), "--engine", "dsp", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["summary"]["cleaned"] == 1
    some = document(tmp_path, in_a_row([good, missing]), "some.xml")
    result = runner.invoke(main, ["run", str(some), "--engine", "dsp"])
    assert result.exit_code == 1
    assert "missing.wav" in result.output
    assert (tmp_path / "some clean" / "some clean.xml").is_file()


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    cut = document(tmp_path, in_a_row([wav(tmp_path / "a.wav")]))
    before = sorted(tmp_path.rglob("*"))
    result = CliRunner().invoke(main, ["run", str(cut), "--dry-run"])
    assert result.exit_code == 0
    assert "1 regions" in result.output
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    cut = document(tmp_path, in_a_row([wav(tmp_path / "a.wav")]))
    out = tmp_path / "out"
    # A limit on the size of files stands for the full disk: it needs no rights to set up.
    code = (
        "import resource, signal, sys; from nlecompanion.cli import main;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", str(cut), "--engine", "dsp", "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "space" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(out.iterdir()) == []


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    cut = document(tmp_path, in_a_row([wav(tmp_path / "a.wav")]))
    (tmp_path / "file").touch()
    with pytest.raises(NotWritable, match="--out"):
        run(cut, Settings(engine="dsp"), Place(tmp_path / "file"))


def test_a_document_that_changes_during_the_work_is_not_conformed(tmp_path: Path) -> None:
    media = wav(tmp_path / "a.wav")
    cut = document(tmp_path, in_a_row([media]))
    later = shutil.copy(cut, tmp_path / "later.xml")
    Path(later).write_text(Path(later).read_text().replace("Cut", "Cat"))

    def export_again(_: object) -> None:
        shutil.copy(later, cut)

    with pytest.raises(Exception, match="Run once more"):
        run(cut, Settings(engine="dsp"), Place(tmp_path / "out"), export_again)
    assert list((tmp_path / "out").iterdir()) == []


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    cut = document(tmp_path, in_a_row([wav(tmp_path / "a.wav"), wav(tmp_path / "b.wav")]))
    made = []
    for _ in range(2):
        delivery = run(cut, Settings(engine="dsp"), Place(tmp_path / "out"))
        assert delivery.folder is not None
        files = sorted(p for p in delivery.folder.rglob("*") if p.is_file())
        made.append({str(p.relative_to(delivery.folder)): p.read_bytes() for p in files})
        shutil.rmtree(delivery.folder)
    assert made[0] == made[1]


def test_a_region_of_many_blocks_keeps_its_length_and_place(tmp_path: Path) -> None:
    media = wav(tmp_path / "long.wav", seconds=100)
    cut = document(tmp_path, [Clip(media, 0, 2400, 50)])
    delivery = run(cut, Settings(engine="dsp"), Place(tmp_path))
    assert reasons(delivery) == [None]
    assert delivery.folder is not None
    cleaned, _ = soundfile.read(delivery.folder / "clips" / "long DX.wav", dtype="float32")
    original, _ = soundfile.read(media.path, dtype="float32")
    assert cleaned.shape == original.shape
    for start in range(0, len(original), RATE_HZ * 10):
        part, whole = cleaned[start:, 0][: RATE_HZ * 5], original[start:, 0][: RATE_HZ * 5]
        likeness = float(part @ whole / np.sqrt((part @ part) * (whole @ whole)))
        assert likeness > 0.9


def test_a_relative_out_folder_gives_clips_that_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = document(tmp_path, in_a_row([wav(tmp_path / "a.wav")]))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(
        main, ["run", cut.name, "--engine", "dsp", "--out", "there", "--json"]
    )
    assert result.exit_code == 0, result.output
    conformed = Path(json.loads(result.output)["document"])
    assert conformed.is_absolute()
    again = run(conformed, Settings(engine="dsp"), Place(tmp_path / "again"))
    assert Reason.OFFLINE not in reasons(again)


def test_a_track_that_is_not_there_is_an_error_with_a_list(tmp_path: Path) -> None:
    first, second = wav(tmp_path / "a.wav"), wav(tmp_path / "b.wav")
    cut = tmp_path / "Cut.xml"
    clips = [Clip(media, 0, 100, 25) for media in (first, second)]
    cut.write_bytes(premiere_xml((Track((clips[0],)), Track((clips[1],))), RATE, "Cut"))
    result = CliRunner().invoke(main, ["run", str(cut), "--tracks", "A9", "--json"])
    assert result.exit_code == 2
    assert "A1" in json.loads(result.stdout)["error"]
    # Two stereo tracks are four elements in the document, and A1 and A2 to the editor.
    delivery = run(cut, Settings(engine="dsp", tracks=("A2",)), Place(tmp_path))
    assert reasons(delivery) == [Reason.NOT_CHOSEN, None]


def test_a_pipe_or_an_empty_file_is_no_timeline(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.xml")
    (tmp_path / "empty.xml").touch()
    for name, hint in (("pipe.xml", "no file"), ("empty.xml", "empty")):
        result = CliRunner().invoke(main, ["run", str(tmp_path / name)])
        assert result.exit_code == 2
        assert hint in result.output


def test_a_media_name_that_is_no_utf8_is_worked_on(tmp_path: Path) -> None:
    media = wav(tmp_path / "a.wav")
    media.path.rename(tmp_path / os.fsdecode(b"caf\xe9.wav"))
    cut = document(tmp_path, in_a_row([media]))
    cut.write_text(cut.read_text().replace("a.wav</pathurl>", "caf%E9.wav</pathurl>"))
    assert reasons(run(cut, Settings(engine="dsp"), Place(tmp_path))) == [None]


def test_relative_media_paths_are_a_loss_that_is_told(tmp_path: Path) -> None:
    cut = document(tmp_path, in_a_row([wav(tmp_path / "a.wav")]))
    text = cut.read_text()
    start, end = text.index("<pathurl>") + 9, text.index("</pathurl>")
    cut.write_text(text[:start] + "a.wav" + text[end:])
    delivery = run(cut, Settings(engine="dsp"), Place(tmp_path))
    assert reasons(delivery) == [None]
    assert any("relative" in loss.what for loss in delivery.losses)


def test_a_name_too_long_for_the_disk_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["run", str(tmp_path / ("x" * 300 + ".xml"))])
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1
    long = document(tmp_path, in_a_row([wav(tmp_path / "a.wav")]), "L" * 246 + ".xml")
    assert run(long, Settings(engine="dsp"), Place(tmp_path)).cleaned == 1


def test_sigterm_leaves_nothing_half_made(tmp_path: Path) -> None:
    cut = document(tmp_path, in_a_row([wav(tmp_path / "a.wav")]))
    out = tmp_path / "out"
    code = (
        "import os, signal, sys, nlecompanion.work\n"
        "from nlecompanion.cli import main\n"
        "treat = sys.modules['nlecompanion.work.treat']\n"
        "treat.apply_edges = lambda *_: os.kill(os.getpid(), signal.SIGTERM)\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", str(cut), "--engine", "dsp", "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130, done.stderr
    assert "nothing was delivered" in done.stderr
    assert list(out.iterdir()) == []


def test_clean_tracks_of_an_earlier_run_are_counted_on(tmp_path: Path) -> None:
    first = wav(tmp_path / "a.wav")
    delivery = run(document(tmp_path, in_a_row([first])), Settings(engine="dsp"), Place(tmp_path))
    assert delivery.document is not None
    # The editor goes on in the conformed timeline and switches an original on again.
    text = delivery.document.read_text()
    place = text.index("<enabled>FALSE</enabled>")
    more = tmp_path / "More.xml"
    more.write_text(text.replace("<enabled>FALSE</enabled>", "<enabled>TRUE</enabled>"))
    assert place > 0
    again = run(more, Settings(engine="dsp"), Place(tmp_path))
    assert again.plan is not None
    assert [track.name for track in again.plan.tracks if track.enabled] == ["DX clean 2"]


@pytest.mark.parametrize("prefix", ["D:/Mein Film", "//server/show", "/Volumes/Show"])
def test_cleaned_clips_are_named_as_the_editor_sees_them(tmp_path: Path, prefix: str) -> None:
    here = tmp_path / "share"
    here.mkdir()
    cut = document(here, in_a_row([wav(here / "a.wav")]))
    text = cut.read_text()
    start, end = text.index("<pathurl>") + 9, text.index("</pathurl>")
    head = "" if prefix.startswith("/") else "/"
    url = f"file://localhost{head}{prefix}/a.wav".replace(" ", "%20").replace("D:", "D%3a")
    cut.write_text(text[:start] + url + text[end:])
    settings = Settings(engine="dsp", path_map=((prefix, str(here)),))
    delivery = run(cut, settings, Place(here))
    assert delivery.plan is not None
    cleaned = delivery.plan.tracks[0].clips[0].media.path.as_posix()
    assert cleaned == f"{prefix}/Cut clean/clips/a DX.wav"
    assert delivery.document is not None
    # On this machine the map leads back to the file, so that a second run knows it.
    again = run(delivery.document, settings, Place(tmp_path))
    assert reasons(again)[:2] == [Reason.DISABLED, Reason.ALREADY_CLEANED]
