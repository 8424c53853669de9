"""`.otioz` and `.otiod`: the media inside are used, and nothing but the cut in them changes."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from pathlib import Path

import numpy as np
import opentimelineio as otio
import pytest
import soundfile
from testkit import otio_json
from testkit.speech import RATE_HZ, speech

from nlecompanion import archive, plugins
from nlecompanion.errors import DocumentError, NotATimeline, UnsafeDocument, UnsupportedDocument
from nlecompanion.media.locate import local_path
from nlecompanion.model import Delivery, Reason
from nlecompanion.pipeline import Place, read_job, run
from nlecompanion.settings import Profile, Settings
from nlecompanion.timeline.uses import read_uses

ADAPTER = plugins.adapters()["otio"]
SETTINGS = Settings(engine="passthrough", profile=Profile(keep_sbr_db=1000))
SECONDS = 6


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that media are unpacked into while a job works."""
    folder = tmp_path / "cache"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: folder / name)
    return folder


def content(url: str = "media/take%201.wav") -> str:
    media = otio_json.media(url, start=0.0, duration=SECONDS * 25.0, rate=25.0)
    clip = otio_json.clip(25.0, 100.0, 25.0, "take 1", media)
    return json.dumps(
        otio_json.timeline([otio_json.track([clip], name="Dialogue")], 25.0), indent=4
    )


def folder_bundle(folder: Path, text: str | None = None) -> Path:
    path = folder / "Cut.otiod"
    (path / "media" / "unused").mkdir(parents=True)
    (path / "content.otio").write_text(text or content(), encoding="utf-8")
    (path / "version.txt").write_text("1.0.0")
    soundfile.write(path / "media" / "take 1.wav", speech(SECONDS, 2), RATE_HZ, "PCM_24")
    (path / "media" / "unused" / "b.bin").write_bytes(bytes(range(256)) * 64)
    return path


def zip_bundle(folder: Path, text: str | None = None) -> Path:
    source = folder_bundle(folder, text)
    path = folder / "Cut.otioz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = b"by hand"
        for name in ("version.txt", "content.otio"):
            archive.write(source / name, name, zipfile.ZIP_DEFLATED)
        for name in ("media/take 1.wav", "media/unused/b.bin"):
            archive.write(source / name, name)
    shutil.rmtree(source)
    return path


def assert_cleaned(delivery: Delivery) -> Path:
    """The one use was cleaned; gives the conformed document."""
    assert [report.left_alone for report in delivery.uses] == [None]
    assert delivery.folder is not None
    assert delivery.document is not None
    assert not delivery.losses
    # A cut without its media beside the bundle would have nothing to play.
    assert not list(delivery.folder.glob("*.otio"))
    return delivery.document


def assert_plays_cleaned(conformed: Path) -> None:
    """The new clip's file is there, outside of the bundle, with the original's sound."""
    uses = {use.track: use for use in read_uses(ADAPTER.read(conformed))}
    original, cleaned = uses["Dialogue"], uses["DX clean 1"]
    assert original.left_alone is not None
    assert original.media_url == "media/take%201.wav"
    path = local_path(cleaned.media_url, conformed)
    assert path.parent == conformed.parent / "clips"
    start = round(cleaned.source.start_s * RATE_HZ)
    heard = soundfile.read(path, start=start, frames=RATE_HZ, dtype="float64")[0][:, 0]
    told = speech(SECONDS, 2)[RATE_HZ : 2 * RATE_HZ, 0]
    # The same instant, however loud: the correlation peaks at 0 samples.
    spectrum = np.fft.rfft(heard) * np.conj(np.fft.rfft(told))
    assert int(np.argmax(np.fft.irfft(spectrum))) == 0
    assert np.corrcoef(heard, told)[0, 1] > 0.95


def test_a_zip_bundle_comes_back_with_only_its_cut_changed(tmp_path: Path, cache: Path) -> None:
    bundle = zip_bundle(tmp_path)
    before = bundle.read_bytes()
    conformed = assert_cleaned(run(bundle, SETTINGS, Place(tmp_path / "out")))
    assert conformed.name == "Cut clean.otioz"
    assert_plays_cleaned(conformed)
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(conformed) as new:
        assert new.testzip() is None
        assert old.comment == new.comment
        for was, now in zip(old.infolist(), new.infolist(), strict=True):
            facts = [
                (m.filename, m.date_time, m.compress_type, m.external_attr) for m in (was, now)
            ]
            assert facts[0] == facts[1]
            assert (old.read(was) == new.read(now)) == (was.filename != "content.otio")
    assert bundle.read_bytes() == before
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_a_folder_bundle_comes_back_with_only_its_cut_changed(tmp_path: Path) -> None:
    bundle = folder_bundle(tmp_path)
    conformed = assert_cleaned(run(bundle, SETTINGS, Place(tmp_path / "out")))
    assert conformed.name == "Cut clean.otiod"
    assert_plays_cleaned(conformed)
    names = {path.relative_to(bundle) for path in bundle.rglob("*") if path.is_file()}
    assert names == {path.relative_to(conformed) for path in conformed.rglob("*") if path.is_file()}
    for name in names - {Path("content.otio")}:
        assert (bundle / name).read_bytes() == (conformed / name).read_bytes()


@pytest.mark.parametrize("make", [zip_bundle, folder_bundle])
def test_the_library_reads_what_comes_back(tmp_path: Path, make: object) -> None:
    assert callable(make)
    conformed = assert_cleaned(run(make(tmp_path), SETTINGS, Place(tmp_path / "out")))
    timeline = otio.adapters.read_from_file(str(conformed))
    assert [track.name for track in timeline.audio_tracks()][:2] == ["Dialogue", "DX clean 1"]


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    conformed = assert_cleaned(run(zip_bundle(tmp_path), SETTINGS, Place(tmp_path / "out")))
    again = run(conformed, SETTINGS, Place(tmp_path / "again"))
    assert again.folder is None


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    bundle = zip_bundle(tmp_path)
    first, second = (run(bundle, SETTINGS, Place(tmp_path / "out", name)) for name in "ab")
    assert first.document is not None
    assert second.document is not None
    with zipfile.ZipFile(first.document) as a, zipfile.ZipFile(second.document) as b:
        texts = [z.read("content.otio").decode().replace("/out/b/", "/out/a/") for z in (a, b)]
    assert texts[0] == texts[1]


def test_a_dry_run_of_a_zip_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    job = read_job(zip_bundle(tmp_path), SETTINGS)
    assert len(job.regions) == 1
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_media_inside_may_be_read_whatever_the_roots_and_others_not(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    settings = Settings(
        engine="passthrough", profile=SETTINGS.profile, media_roots=(tmp_path / "elsewhere",)
    )
    outside = tmp_path / "secret.wav"
    soundfile.write(outside, speech(SECONDS, 2), RATE_HZ)
    for make in (zip_bundle, folder_bundle):
        assert read_job(make(tmp_path), settings).regions
    shutil.rmtree(tmp_path / "Cut.otiod")
    link = folder_bundle(tmp_path) / "media" / "take 1.wav"
    link.unlink()
    link.symlink_to(outside)
    job = read_job(tmp_path / "Cut.otiod", settings)
    assert job.uses[0].left_alone is not None
    assert job.uses[0].left_alone.reason is Reason.REFUSED


def test_a_link_in_a_folder_is_not_followed_and_told(tmp_path: Path) -> None:
    bundle = folder_bundle(tmp_path)
    (bundle / "media" / "home").symlink_to(tmp_path)
    delivery = run(bundle, SETTINGS, Place(tmp_path / "out"))
    assert delivery.document is not None
    assert not (delivery.document / "media" / "home").exists()
    assert [loss.where for loss in delivery.losses] == [str(Path("media/home"))]


def refused(path: Path) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        run(path, SETTINGS, Place(path.parent / "out"))
    assert "\n" not in str(caught.value)
    assert not (path.parent / "out").exists()
    return caught.value


@pytest.mark.parametrize(
    "name", ["../escape.wav", "/etc/escape.wav", "media/../../x.wav", "media\\..\\x", "media/a\0b"]
)
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    bundle = zip_bundle(tmp_path)
    # `zipfile` mends such names when it writes: the bytes are put in afterwards.
    stand_in = "q" * len(name)
    with zipfile.ZipFile(bundle, "a") as added:
        added.writestr(stand_in, b"x")
    bundle.write_bytes(bundle.read_bytes().replace(stand_in.encode(), name.encode()))
    assert isinstance(refused(bundle), UnsafeDocument)
    assert not list(tmp_path.rglob("*escape*"))


def test_a_link_a_twin_and_a_secret_member_are_refused(tmp_path: Path) -> None:
    bundle = zip_bundle(tmp_path)
    whole = bundle.read_bytes()
    with zipfile.ZipFile(bundle, "a") as added:
        link = zipfile.ZipInfo("media/link.wav")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        added.writestr(link, b"/etc/passwd")
    assert "is a link" in str(refused(bundle))
    bundle.write_bytes(whole)
    with zipfile.ZipFile(bundle, "a") as added:
        added.writestr("media/TAKE 1.wav", b"x")
    assert "twice" in str(refused(bundle))
    bundle.write_bytes(whole)
    with zipfile.ZipFile(bundle, "a") as added:
        added.writestr("media/secret", b"x")
        added.infolist()[-1].flag_bits |= 1
    assert isinstance(refused(bundle), UnsupportedDocument)


def test_bombs_are_refused_before_anything_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = zip_bundle(tmp_path)
    with zipfile.ZipFile(bundle, "a") as added, added.open("media/zeros", "w") as zeros:
        zeros.write(b"x")
    with zipfile.ZipFile(bundle) as opened:
        opened.getinfo("media/zeros").file_size = 20 << 30
        with pytest.raises(UnsafeDocument, match="would unpack to 2048"):
            archive._check(opened, bundle)
        monkeypatch.setattr(archive, "MAX_MEMBERS", 4)
        with pytest.raises(UnsafeDocument, match="holds 5 files"):
            archive._check(opened, bundle)


def test_a_document_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    bundle = tmp_path / "Cut.otioz"
    made = zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED)
    with made, made.open("content.otio", "w") as text:
        for _ in range(257):
            text.write(b" " * (1 << 20))
    assert "257 MiB; the limit is 256 MiB" in str(refused(bundle))


def test_a_cut_off_zip_is_no_timeline_yet(tmp_path: Path) -> None:
    bundle = zip_bundle(tmp_path)
    whole = bundle.read_bytes()
    bundle.write_bytes(whole[: len(whole) // 2])
    assert isinstance(refused(bundle), NotATimeline)
    damaged = whole.replace(b"RIFF", b"RIFX")
    bundle.write_bytes(damaged)
    assert "CRC" in str(refused(bundle))


def test_a_zip_of_something_else_is_no_timeline(tmp_path: Path) -> None:
    for name in ("notes.zip", "Cut.otioz"):
        with zipfile.ZipFile(tmp_path / name, "w") as made:
            made.writestr("letter.txt", "Dear editor")
        assert isinstance(refused(tmp_path / name), NotATimeline)
    (tmp_path / "Empty.otiod").mkdir()
    assert isinstance(refused(tmp_path / "Empty.otiod"), NotATimeline)
