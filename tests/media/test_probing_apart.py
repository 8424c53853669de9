"""Media are probed in a child: a file that kills its decoder is one unreadable file."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import pytest
import soundfile
from testkit.model import use
from testkit.speech import RATE_HZ, speech

from nlecompanion.errors import MediaOffline, MediaUnreadable
from nlecompanion.isolation import Isolation, Limits
from nlecompanion.media.find import find_media
from nlecompanion.media.probe import probe
from nlecompanion.media.probing import probe_apart
from nlecompanion.model import Reason, Span
from nlecompanion.settings import Settings

#: Runs when a child starts: FFmpeg dies of files with a certain name, as it has of damaged ones.
_DECODER_BUG = """
import os, signal, time
import av

opened = av.open

def open(file, *arguments, **options):
    name = os.path.basename(str(file))
    if "crash" in name:
        os.kill(os.getpid(), signal.SIGSEGV)
    while "hang" in name:
        time.sleep(60)
    return opened(file, *arguments, **options)

av.open = open
"""


@pytest.fixture
def fragile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_DECODER_BUG)
    monkeypatch.setenv("PYTHONPATH", str(site))
    return tmp_path


def wav(path: Path) -> Path:
    soundfile.write(path, speech(2, 2), RATE_HZ, "PCM_24")
    return path


def test_the_child_says_what_the_probe_says(tmp_path: Path) -> None:
    path = wav(tmp_path / "a #1.wav")
    (tmp_path / "empty.wav").touch()
    with Isolation() as isolation:
        assert probe_apart(path, isolation) == probe(path)
        with pytest.raises(MediaUnreadable, match="is empty"):
            probe_apart(tmp_path / "empty.wav", isolation)
        with pytest.raises(MediaOffline):
            probe_apart(tmp_path / "gone.wav", isolation)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_file_that_crashes_its_decoder_is_unreadable_and_the_next_is_probed(
    fragile: Path,
) -> None:
    paths = [wav(fragile / name) for name in ("a.wav", "crash.wav", "b.wav")]
    span = Span(Fraction(0), Fraction(1))
    uses = [
        use(n, media_url=str(path), media_start_s=None, source=span, channels=None)
        for n, path in enumerate(paths)
    ]
    with Isolation() as isolation:
        found = find_media(uses, (), fragile / "cut.xml", Settings(), isolation)
    assert sorted(found.files) == [str(paths[0]), str(paths[2])]
    left_alone = [settled.left_alone for settled in found.uses]
    assert [reason and reason.reason for reason in left_alone] == [None, Reason.UNREADABLE, None]
    assert left_alone[1] is not None
    assert "crash.wav crashed its reader by SIGSEGV (signal 11" in left_alone[1].detail


def test_a_file_that_hangs_its_decoder_is_unreadable(fragile: Path) -> None:
    path = wav(fragile / "hang.wav")
    limits = Limits(1 << 30, cpu_s=60, wall_s=1.5)
    with Isolation() as isolation:
        with pytest.raises(MediaUnreadable, match=r"hang\.wav took longer than 1\.5 s"):
            probe_apart(path, isolation, limits)
        assert probe_apart(wav(fragile / "good.wav"), isolation).path.name == "good.wav"
