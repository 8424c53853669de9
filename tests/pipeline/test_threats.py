"""What somebody may have planted, and what must not leave: see `Security` in the README."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import soundfile
from testkit.engines import write_demucs_bag
from testkit.fcp7xml import Clip, Media, Track, premiere_xml
from testkit.speech import RATE_HZ, speech

from nlecompanion import pipeline
from nlecompanion.engines.deepfilternet import factory as deepfilternet
from nlecompanion.engines.demucs import FACTORY as DEMUCS
from nlecompanion.engines.dialogue.factory import DialogueFactory
from nlecompanion.errors import EngineError
from nlecompanion.settings import Settings


class _Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self._marker,)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "it has run"


@pytest.fixture(params=["plain", "torch"])
def trap(request: pytest.FixtureRequest, marker: Path, tmp_path: Path) -> bytes:
    """A file that runs code in whoever opens it as weights of the old kind."""
    if request.param == "plain":
        return pickle.dumps(_Trap(marker))
    import torch

    torch.save(_Trap(marker), tmp_path / "trap.pt")
    return (tmp_path / "trap.pt").read_bytes()


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NLECOMPANION_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


def test_the_trap_works(tmp_path: Path, marker: Path) -> None:
    pickle.loads(pickle.dumps(_Trap(marker)))
    assert marker.exists()


def test_a_pickle_among_demucs_weights_does_not_run(
    weights: Path, trap: bytes, marker: Path
) -> None:
    folder = write_demucs_bag(weights / "demucs", seeds=(1, 2))
    shutil.copy(folder / "00000002.safetensors", folder / "whole")
    (folder / "00000002.th").write_bytes(trap)
    assert DEMUCS.create().info.name == "demucs", "what lies beside is not read"
    (folder / "00000002.safetensors").write_bytes(trap)
    with pytest.raises(EngineError):
        DEMUCS.create()
    (folder / "htdemucs_ft.yaml").write_text(
        "models: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path "
        f"['{marker}']]\nweights: [[1, 1, 1, 1]]\n"
    )
    with pytest.raises(EngineError):
        DEMUCS.create()
    assert not marker.exists()


def test_a_pickle_in_place_of_ones_own_weights_does_not_run(
    weights: Path, trap: bytes, marker: Path
) -> None:
    (weights / "dialogue").mkdir(parents=True)
    (weights / "dialogue" / "weights.safetensors").write_bytes(trap)
    with pytest.raises(EngineError):
        DialogueFactory().create()
    assert not marker.exists()


def test_a_pickle_in_place_of_a_graph_does_not_run(
    weights: Path, trap: bytes, marker: Path
) -> None:
    folder = weights / "deepfilternet"
    folder.mkdir(parents=True)
    for name in deepfilternet.SHA256:
        (folder / name).write_bytes(trap)
    with pytest.raises(EngineError, match="SHA-256"):
        deepfilternet.DeepFilterNetFactory().create()
    assert not marker.exists()


def test_the_report_holds_no_path_of_this_machine(tmp_path: Path) -> None:
    """It may be sent on; only timelines and the receipt name media where the document does."""
    home = tmp_path / "home" / "their name"
    (home / "media").mkdir(parents=True)
    soundfile.write(home / "media" / "take.wav", speech(3, 2), RATE_HZ, "PCM_16")
    (home / "media" / "bad.wav").write_bytes(b"RIFF, and no more")
    medias = [
        Media(home / "media" / f"{name}.wav", Fraction(25), 75, picture=False)
        for name in ("take", "bad", "gone")
    ]
    clips = tuple(Clip(media, n * 60, n * 60 + 50, 5) for n, media in enumerate(medias))
    document = home / "Scene.xml"
    document.write_bytes(premiere_xml((Track(clips, "Dialogue"),), Fraction(25), "Scene"))
    settings = Settings(
        engine="dsp",
        media_roots=(home,),
        search_roots=(home / "media",),
        path_map=(("X:/", str(home)),),
    )
    made = pipeline.run(document, settings, pipeline.Place(home / "out"))
    assert made.folder is not None
    naming = {
        path.name
        for path in made.folder.rglob("*")
        if path.is_file() and b"their" in path.read_bytes()
    }
    assert naming == {"Scene clean.xml", "Scene clean.otio", "receipt.json"}
    told = json.loads((made.folder / "receipt.json").read_text())
    assert "their" not in json.dumps(told["settings"])
