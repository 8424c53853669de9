"""Offline media are looked for below search roots by name, and taken only where more agrees."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import soundfile
from click.testing import CliRunner
from testkit.fcp7xml import Clip, Media, Track, premiere_xml
from testkit.model import media, use
from testkit.speech import RATE_HZ, speech

from nlecompanion.cli import main
from nlecompanion.errors import MediaUnreadable
from nlecompanion.media.locate import local_path
from nlecompanion.media.search import Found, Search, allowed, confirmed, file_names
from nlecompanion.model import MediaFile, Reason
from nlecompanion.pipeline import Place, read_job, run
from nlecompanion.settings import Profile, Settings
from nlecompanion.timeline.documents import StatedMedia

URL = "file://localhost/Volumes/Rushes/Day%201/A003.mov"
STATED = StatedMedia(URL, Fraction(3600), Fraction(100))
ONE = Path("/found/A003.mov")


def test_names_are_told_from_every_spelling_of_a_path() -> None:
    assert file_names(URL) == {"a003.mov"}
    assert file_names("D:\\Rushes\\Take 1.WAV") == {"take 1.wav"}
    assert "gr\u00fc\u00dfe.wav".casefold() in file_names("media/Gru\u0308\u00dfe.wav")
    assert file_names("") == set()


def tree(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return paths


def search(*roots: Path, media_roots: tuple[Path, ...] = (), **more: Any) -> Search:
    return Search(roots, media_roots, frozenset({"a003.mov"}), **more)


def test_every_file_of_the_name_is_found_once(tmp_path: Path) -> None:
    first, second, _ = tree(tmp_path, "a/A003.mov", "b/deep/er/a003.MOV", "b/A004.mov")
    (tmp_path / "b" / "again").symlink_to(tmp_path / "a")
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    (tmp_path / "b" / "A003.mov").symlink_to(first)
    looked = search(tmp_path, tmp_path / "b", tmp_path / "missing")
    assert looked.candidates(URL) == [first, second]
    assert looked.candidates("B001.mov") == []
    assert not looked.stopped


def test_the_walk_is_made_once_and_ends_at_its_limit(tmp_path: Path) -> None:
    (first,) = tree(tmp_path, "a/A003.mov")
    looked = search(tmp_path)
    assert looked.candidates(URL) == [first]
    tree(tmp_path, "b/A003.mov")
    assert looked.candidates(URL) == [first]
    few = search(tmp_path, max_entries=2)
    assert few.candidates(URL) == []
    assert few.stopped


def test_nothing_outside_of_the_media_roots_is_looked_at(tmp_path: Path) -> None:
    inside, _ = tree(tmp_path, "in/x/A003.mov", "out/A003.mov")
    assert search(tmp_path, media_roots=(tmp_path / "in",)).candidates(URL) == [inside]
    assert search(tmp_path / "in" / "x", media_roots=(tmp_path / "in",)).candidates(URL) == [inside]
    assert search(tmp_path / "out", media_roots=(tmp_path / "in",)).candidates(URL) == []
    (tmp_path / "in" / "way out").symlink_to(tmp_path / "out")
    assert allowed([tmp_path / "in" / "way out"], [tmp_path / "in"]) == []


def probing(**files: MediaFile) -> Callable[[Path], MediaFile]:
    def probe(path: Path) -> MediaFile:
        if path.parent.name not in files:
            raise MediaUnreadable(f"{path.name} is damaged.")
        return replace(files[path.parent.name], path=path)

    return probe


def test_length_and_timecode_confirm() -> None:
    found = confirmed([ONE], [use()], STATED, probing(found=media()))
    assert isinstance(found, Found)
    assert (found.file.path, found.agreed) == (ONE, "name, length and start timecode")


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (media(90), "lasts 90.00 s, the timeline says 100.00 s"),
        (media(100.2), "lasts 100.20 s, the timeline says 100.00 s"),
        (media(start_timecode_s=Fraction(7200)), "timecode 7200.00 s, the timeline says 3600.00 s"),
        (media(channels=1), "has 1 channels"),
        (media(cleaned_by_us=True), "was made by nlecompanion"),
    ],
)
def test_what_contradicts_is_not_taken(file: MediaFile, why: str) -> None:
    answer = confirmed([ONE], [use()], STATED, probing(found=file))
    assert isinstance(answer, str)
    assert "not taken" in answer
    assert why in answer


def test_of_several_the_one_that_agrees_is_taken() -> None:
    paths = [Path(f"/{name}/A003.mov") for name in ("damaged", "long", "right")]
    probe = probing(long=media(500), right=media())
    found = confirmed(paths, [use()], STATED, probe)
    assert isinstance(found, Found)
    assert found.file.path == paths[2]


def test_two_that_agree_are_one_too_many() -> None:
    paths = [Path(f"/{name}/A003.mov") for name in ("a", "b")]
    answer = confirmed(paths, [use()], STATED, probing(a=media(), b=media()))
    assert isinstance(answer, str)
    assert "2 files fit equally well (/a/A003.mov and /b/A003.mov)" in answer


def test_a_name_alone_proves_nothing() -> None:
    for stated in (None, StatedMedia(URL, None, None)):
        answer = confirmed([ONE], [use()], stated, probing(found=media()))
        assert isinstance(answer, str)
        assert "neither length nor timecode" in answer


def test_a_list_that_counts_timecode_is_confirmed_by_it() -> None:
    listed = use(start_s=3610, media_start_s=None, counts_timecode=True)
    stated = StatedMedia(URL, None, None)
    found = confirmed([ONE], [listed], stated, probing(found=media()))
    assert isinstance(found, Found)
    assert found.agreed == "name, timecode"
    other = media(start_timecode_s=Fraction(7200))
    assert isinstance(confirmed([ONE], [listed], stated, probing(found=other)), str)


def test_too_many_of_one_name_are_not_compared() -> None:
    answer = confirmed([ONE] * 17, [use()], STATED, probing(found=media()))
    assert answer == "17 files below the search folders have its name."


SETTINGS = Settings(engine="passthrough", profile=Profile(keep_sbr_db=1000))


def moved(folder: Path) -> tuple[Path, Path]:
    """A cut whose one file was moved below `archive` after the export: document and file."""
    path = folder / "take.wav"
    soundfile.write(path, speech(6, 2), RATE_HZ, "PCM_24")
    clip = Clip(Media(path, Fraction(25), 150, 2, picture=False), 0, 100, 25)
    document = folder / "Cut.xml"
    document.write_bytes(premiere_xml((Track((clip,), "Dialogue"),), Fraction(25), "Cut"))
    found = folder / "archive" / "day 1" / "take.wav"
    found.parent.mkdir(parents=True)
    path.rename(found)
    soundfile.write(folder / "archive" / "TAKE.wav", speech(3, 2), RATE_HZ)
    return document, found


def test_a_moved_file_is_found_and_told_everywhere(tmp_path: Path) -> None:
    document, found = moved(tmp_path)
    assert run(document, SETTINGS, Place(tmp_path / "out")).uses[0].left_alone is not None
    settings = replace(SETTINGS, search_roots=(tmp_path / "archive",))
    delivery = run(document, settings, Place(tmp_path / "out"))
    assert delivery.cleaned == 1
    assert [loss.what for loss in delivery.losses] == [
        f"is not where the timeline says; found by name, length: {found}"
    ]
    assert delivery.folder is not None
    receipt = json.loads((delivery.folder / "receipt.json").read_text())
    assert str(found) in receipt["losses"][0]["what"]
    assert settings.fingerprint() != SETTINGS.fingerprint()


def test_the_command_line_and_the_settings_file_name_search_roots(tmp_path: Path) -> None:
    document, found = moved(tmp_path)
    (tmp_path / "s.toml").write_text('search_roots = ["archive"]\n')
    for given in (
        ["--search", str(tmp_path / "archive")],
        ["--settings", str(tmp_path / "s.toml")],
    ):
        arguments = ["run", str(document), "--dry-run", "--engine", "passthrough", *given]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0
        assert f"found by name, length: {found}" in result.output


def test_what_was_found_but_not_taken_is_said(tmp_path: Path) -> None:
    document, found = moved(tmp_path)
    shutil.copy(found, tmp_path / "archive" / "take.wav")
    settings = replace(SETTINGS, search_roots=(tmp_path / "archive",))
    left_alone = read_job(document, settings).uses[0].left_alone
    assert left_alone is not None
    assert left_alone.reason is Reason.OFFLINE
    assert "2 files fit equally well" in left_alone.detail


def test_paths_of_a_bundle_count_from_inside_of_it(tmp_path: Path) -> None:
    bundle = tmp_path / "Cut.fcpxmld"
    inside, beside = tree(tmp_path, "Cut.fcpxmld/Media/a.wav", "Media/a.wav")
    assert local_path("./Media/a.wav", bundle) == inside
    inside.unlink()
    assert local_path("Media/a.wav", bundle) == beside
