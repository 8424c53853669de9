"""What real documents call their media, and the file that they mean."""

from __future__ import annotations

import os
import socket
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from testkit.media_files import encode, varied_sound

from nlecompanion.errors import MediaOffline, MediaRefused
from nlecompanion.media.extract import read_region
from nlecompanion.media.locate import local_path, url_from_path
from nlecompanion.media.probe import probe

ODD_NAMES = [
    "plain.wav",
    "with spaces  two.wav",
    'it\'s "quoted".wav',
    "take #3.wav",
    "100%.wav",
    "50%25 off.wav",
    "a%20b.wav",
    "what?.wav",
    "Führung Größe.wav",
    "采访 第一场.wav",
    "مقابلة ١.wav",
    "-i.wav",
    "-y -f lavfi.wav",
    "new\nline.wav",
    "take%03d.wav",
    "concat:a|b.wav",
    "semi;colon&amp=1+1.wav",
    "back\\slash.wav",
    "C:.wav",
    "tab\tand [brackets] {braces} *.wav",
    "emoji 🎬.wav",
]


@pytest.fixture
def document(tmp_path: Path) -> Path:
    return tmp_path / "project" / "cut.xml"


def touched(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_found_by_url_and_by_path(tmp_path: Path, document: Path, name: str) -> None:
    path = touched(tmp_path / "media" / name)
    assert local_path(url_from_path(path), document) == path
    assert local_path(url_from_path(path, localhost=True), document) == path
    assert local_path(str(path), document) == path
    assert local_path(f"file://{path}", document) == path


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_only_names_to_the_decoder(tmp_path: Path, document: Path, name: str) -> None:
    sound = varied_sound(4800, 1, 48_000)
    plain = encode(sound, 48_000, tmp_path / "sound.wav", "pcm_s16le")
    path = plain.rename(tmp_path / name)
    media = probe(local_path(url_from_path(path), document))
    assert sum(len(block) for block in read_region(media, (0,), 48_000, 0, 4800)) == 4800
    again = encode(sound, 48_000, tmp_path / f"second {name}", "pcm_s16le", f="wav")
    assert again.read_bytes() == path.read_bytes()


@given(
    name=st.text(
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]),
        min_size=1,
        max_size=60,
    ).filter(lambda name: name not in (".", "..") and len(name.encode()) < 240),
    localhost=st.booleans(),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_urls_come_back_whatever_the_name(tmp_path: Path, name: str, localhost: bool) -> None:
    path = touched(tmp_path / name)
    url = url_from_path(path, localhost)
    assert url.isascii()
    assert not set(url) & set(' #?\\"<>\n')
    assert local_path(url, tmp_path / "cut.xml") == path
    path.unlink()


def test_names_that_are_no_unicode(tmp_path: Path) -> None:
    path = touched(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")))
    assert url_from_path(path).endswith("/caf%E9.wav")
    assert local_path(url_from_path(path), tmp_path / "cut.xml") == path


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_document", ["NFC", "NFD"])
def test_both_unicode_forms_in_any_part_of_the_path(
    tmp_path: Path, document: Path, on_disk: str, in_document: str
) -> None:
    name = "Grün/é à/Führung.wav"
    path = touched(tmp_path / unicodedata.normalize(on_disk, name))  # type: ignore[arg-type]
    url = url_from_path(tmp_path) + "/" + quote(unicodedata.normalize(in_document, name))  # type: ignore[arg-type]
    assert local_path(url, document).samefile(path)


def test_relative_paths_lie_beside_the_document(document: Path) -> None:
    path = touched(document.parent / "media" / "a b.wav")
    for url in ("media/a b.wav", "./media/a%20b.wav", "file:media/a%20b.wav", "media\\a b.wav"):
        assert local_path(url, document).samefile(path)
    assert local_path("../project/media/a b.wav", document).samefile(path)


@pytest.mark.parametrize(
    "url",
    [
        "file://localhost/C%3a/Media/Day 1/a%20b.wav",
        "file://localhost/C:/Media/Day%201/a%20b.wav",
        "file:///C%3A/Media/Day%201/a%20b.wav",
        "file:///c:/media/Day%201/a%20b.wav",
        "file://C:/Media/Day 1/a b.wav",
        "C:\\Media\\Day 1\\a b.wav",
        "C:/Media/Day 1/a b.wav",
        "file:///C|/Media/Day%201/a%20b.wav",
    ],
)
def test_windows_drives_come_through_the_path_map(tmp_path: Path, document: Path, url: str) -> None:
    path = touched(tmp_path / "mnt" / "Day 1" / "a b.wav")
    prefix = "C|\\Media" if "|" in url else "C:\\Media\\"
    assert local_path(url, document, [(prefix, str(tmp_path / "mnt"))]) == path
    with pytest.raises(MediaOffline):
        local_path(url, document)


@pytest.mark.parametrize(
    "url",
    [
        "file://nas/Projects/a%20b.wav",
        "file:////nas/Projects/a%20b.wav",
        "file://localhost//nas/Projects/a b.wav",
        "\\\\NAS\\Projects\\a b.wav",
        "//nas/projects/a b.wav",
    ],
)
def test_shares_come_through_the_path_map(tmp_path: Path, document: Path, url: str) -> None:
    path = touched(tmp_path / "a b.wav")
    for prefix in ("\\\\nas\\Projects", "//nas/Projects", "file://nas/Projects/"):
        assert local_path(url, document, [(prefix, str(tmp_path))]) == path


def test_the_path_map_compares_whole_names(tmp_path: Path, document: Path) -> None:
    path = touched(tmp_path / "here" / "x.wav")
    mapping = [("/Volumes/Media", str(tmp_path / "wrong")), ("/Volumes", str(tmp_path))]
    assert local_path("file:///Volumes/here/x.wav", document, mapping) == path
    with pytest.raises(MediaOffline):
        local_path("file:///VolumesX/here/x.wav", document, mapping)
    # The map is tried first, the path as it stands afterwards.
    real = touched(tmp_path / "real" / "y.wav")
    assert local_path(str(real), document, [(str(tmp_path), "/nowhere")]) == real


def test_names_encoded_twice_or_in_a_code_page(tmp_path: Path, document: Path) -> None:
    path = touched(tmp_path / "Führung 1.wav")
    folder = url_from_path(tmp_path)
    assert local_path(f"{folder}/F%25C3%25BChrung%25201.wav", document) == path
    assert local_path(f"{folder}/F%FChrung%201.wav", document) == path


def test_offline_says_where_it_looked(document: Path) -> None:
    with pytest.raises(MediaOffline, match=r"a b\.wav.*offline\. Looked at /media/a b\.wav") as e:
        local_path("file:///media/a%20b.wav", document)
    assert "\n" not in str(e.value)
    with pytest.raises(MediaOffline, match="without a media path"):
        local_path("", document)
    with pytest.raises(MediaOffline):
        local_path("file:///" + "x" * 5000, document)
    with pytest.raises(MediaOffline) as newline:
        local_path("file:///media/a%0Ab.wav", document)
    assert "\n" not in str(newline.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a.wav",
        "https://example.org/a.wav",
        "HTTP://example.org/a.wav",
        "rtsp://camera/1",
        "s3://bucket/a.wav",
        "concat:/etc/passwd|/etc/hosts",
        "pipe:0",
        "fd:0",
        "data:audio/wav;base64,AAAA",
        "subfile,,start,0,end,9,,:/etc/passwd",
        "crypto:/etc/passwd",
        "file:///a\0b.wav",
        "x" * 40_000,
    ],
)
def test_what_is_no_local_file_is_refused(document: Path, url: str) -> None:
    expected = MediaOffline if url.startswith("subfile,") else MediaRefused
    with pytest.raises(expected) as caught:
        local_path(url, document)
    assert len(str(caught.value)) < 600


def test_pipes_devices_and_folders_are_refused(
    tmp_path: Path, document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        # A socket's path must be short.
        monkeypatch.chdir(tmp_path)
        listening.bind("socket.wav")
    for name, kind in [
        ("pipe.wav", "a pipe"),
        ("folder.wav", "a folder"),
        ("socket.wav", "socket"),
    ]:
        with pytest.raises(MediaRefused, match=kind):
            local_path(str(tmp_path / name), document)
    with pytest.raises(MediaRefused, match="device"):
        local_path("file:///dev/zero", document)


def test_only_below_the_roots_once_links_are_resolved(tmp_path: Path, document: Path) -> None:
    inside, outside = touched(tmp_path / "in" / "a.wav"), touched(tmp_path / "out" / "b.wav")
    roots = [tmp_path / "in"]
    assert local_path(str(inside), document, roots=roots) == inside
    (tmp_path / "in" / "link.wav").symlink_to(outside)
    (tmp_path / "out" / "back.wav").symlink_to(inside)
    escapes = [str(outside), str(tmp_path / "in" / "link.wav"), f"{tmp_path}/in/../out/b.wav"]
    for url in escapes:
        with pytest.raises(MediaRefused, match="outside the folders"):
            local_path(url, document, roots=roots)
    assert local_path(str(tmp_path / "out" / "back.wav"), document, roots=roots).samefile(inside)
    (tmp_path / "in" / "loop.wav").symlink_to(tmp_path / "in" / "loop.wav")
    with pytest.raises(MediaOffline):
        local_path(str(tmp_path / "in" / "loop.wav"), document, roots=roots)
