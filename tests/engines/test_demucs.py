"""Demucs' path with tiny models: weights from disk only, right channels, no delay, no surprises."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from testkit.engines import TINY_HTDEMUCS, SingingModel, tiny_htdemucs, write_demucs_bag
from testkit.sound import as_samples, delay_samples, level_db, noise, tone, voice

from nlecompanion.engines import demucs_weights
from nlecompanion.engines.demucs import FACTORY, Demucs
from nlecompanion.engines.threads import set_threads
from nlecompanion.engines.weights import FOLDER_VARIABLE
from nlecompanion.errors import EngineError, WeightsMissing
from nlecompanion.model import Samples, Take


def singing() -> tuple[Demucs, SingingModel]:
    model = SingingModel()
    return Demucs([(model, 1.0)], "none"), model


def voice_of(engine: Demucs, samples: Samples, rate_hz: int = 48_000) -> Samples:
    return engine.split(Take(samples, rate_hz)).voice.samples


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    return tmp_path / "demucs"


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000, 96_000, 47_952])
def test_there_and_back_loses_nothing_that_the_model_hears(rate_hz: int) -> None:
    engine = Demucs([(SingingModel(segment_s=Fraction(4)), 1.0)], "none")
    sound = as_samples(voice(3.3, rate_hz))
    found = voice_of(engine, sound, rate_hz)
    assert delay_samples(found, sound) == 0
    edge = rate_hz // 100
    assert level_db(found[edge:-edge] - sound[edge:-edge]) < level_db(sound) - 40


def test_what_lies_above_the_model_goes_to_the_background() -> None:
    engine, _ = singing()
    split = engine.split(Take(as_samples(tone(30_000, 1, 96_000)), 96_000))
    assert level_db(split.voice.samples) < -70
    assert level_db(split.background.samples) == pytest.approx(-20, abs=0.1)


def test_mono_stereo_and_the_centre_of_five_one_reach_the_model() -> None:
    for channels, calls in ((1, 1), (2, 1), (6, 6)):
        engine, model = singing()
        sound = as_samples(*(noise(0.4, seed=channel) for channel in range(channels)))
        found = voice_of(engine, sound, 44_100)
        assert {shape[:2] for shape in model.shapes} == {(1, 2)}
        assert len(model.shapes) == calls * 2  # 0.44 s are two steps of 0.37 s
        np.testing.assert_allclose(found, sound, atol=1e-6)


def test_a_bag_is_the_weighted_mean_of_its_models() -> None:
    sound = as_samples(noise(1), noise(1, seed=2))
    models = [tiny_htdemucs(seed) for seed in (1, 2)]
    single = [voice_of(Demucs([(model, 1.0)], "one"), sound) for model in models]
    both = voice_of(Demucs([(models[0], 1.0), (models[1], 3.0)], "two"), sound)
    np.testing.assert_allclose(both, 0.25 * single[0] + 0.75 * single[1], atol=1e-6)


def test_it_agrees_with_demucs_own_overlap() -> None:
    import torch
    from demucs.apply import apply_model

    model = tiny_htdemucs()
    sound = as_samples(noise(2, 44_100), noise(2, 44_100, seed=2))
    engine = Demucs([(model, 1.0)], "one")
    # Demucs' step is not rounded; at 44.1 kHz ours is the same.
    assert engine.geometry(44_100, 2).block_samples == 20 * int(0.75 * 22_050)
    with torch.inference_mode():
        mix = torch.from_numpy(sound.T.copy())[None]
        theirs = apply_model(model, mix, shifts=0, overlap=0.25)
    own = voice_of(engine, sound, 44_100)
    np.testing.assert_allclose(own, theirs[0, 3].numpy().T, atol=1e-5)


def test_threads_do_not_change_the_result() -> None:
    sound = as_samples(noise(1), noise(1, seed=2))
    engine = Demucs([(tiny_htdemucs(), 1.0)], "one")
    one = voice_of(engine, sound)
    set_threads(2)
    try:
        two = voice_of(engine, sound)
    finally:
        set_threads(1)
    np.testing.assert_allclose(two, one, atol=1e-6)


def test_no_threads_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        set_threads(0)


def test_a_rate_that_cannot_be_cut_evenly_is_refused() -> None:
    with pytest.raises(EngineError, match="47999 Hz"):
        singing()[0].geometry(47_999, 1)


def test_weights_are_loaded_from_the_folder(folder: Path) -> None:
    write_demucs_bag(folder, seeds=(1, 2))
    assert FACTORY.readiness().ready
    engine = FACTORY.create()
    assert engine.info.weights.startswith("htdemucs_ft: 00000002.safetensors (")
    # The first model of the bag does not count for the voice.
    sound = as_samples(noise(0.5))
    alone = Demucs([(tiny_htdemucs(2), 1.0)], "one")
    np.testing.assert_array_equal(voice_of(engine, sound), voice_of(alone, sound))


def test_what_demucs_own_loader_reads_gives_the_same_model(tmp_path: Path) -> None:
    from demucs.hf import load_safetensors_model

    path = write_demucs_bag(tmp_path) / "00000000.safetensors"
    ours, theirs = demucs_weights.load_model(path), load_safetensors_model(path)
    assert ours.segment == theirs.segment == TINY_HTDEMUCS["segment"]
    for key, tensor in theirs.state_dict().items():
        assert (ours.state_dict()[key] == tensor).all(), key


def test_without_weights_the_next_move_is_named(folder: Path) -> None:
    assert "nlecompanion engines get demucs" in FACTORY.readiness().fix
    with pytest.raises(WeightsMissing, match="nlecompanion engines get demucs"):
        FACTORY.create()
    folder.mkdir()
    (folder / "04573f0d.th").write_bytes(b"pickle")
    assert "pickles" in FACTORY.readiness().fix
    write_demucs_bag(folder, seeds=(1, 2))
    (folder / "00000001.safetensors").unlink()
    assert FACTORY.readiness().ready, "a model without a say in the voice is not needed"
    (folder / "00000002.safetensors").unlink()
    assert "00000002.safetensors is missing" in FACTORY.readiness().fix


@pytest.mark.parametrize(
    "text",
    ["", "[", "models: 3", "models: []", "models: ['../../secret']", "models: [a]\nweights: [[1]]"],
)
def test_a_broken_bag_is_named(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "htdemucs.yaml").write_text(text, "utf-8")
    assert not FACTORY.readiness().ready
    assert "does not describe" in FACTORY.readiness().fix
    with pytest.raises(WeightsMissing, match="does not describe"):
        FACTORY.create()


def rewrite(folder: Path, changes: dict[str, str], tensors: dict[str, Any] | None = None) -> Path:
    from safetensors.torch import save_file

    kwargs = dict(TINY_HTDEMUCS, segment={"_type": "fraction", "numerator": 1, "denominator": 2})
    metadata = {"klass": "demucs.htdemucs.HTDemucs", "args": "[]", "kwargs": json.dumps(kwargs)}
    path = folder / "00000000.safetensors"
    save_file(
        dict(tiny_htdemucs().state_dict()) if tensors is None else tensors,
        str(path),
        metadata | changes,
    )
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"klass": "subprocess.Popen", "args": '[["touch", "pwned"]]', "kwargs": "{}"}, "Popen"),
        ({"klass": "demucs.utils.fatal"}, "fatal"),
        ({"structure": '{"_class": "subprocess.Popen"}'}, "quantised"),
        ({"kwargs": "{"}, "not a Demucs model"),
        ({"args": '[["drums", "bass"]]', "kwargs": "{}"}, "not a Demucs model"),
    ],
)
def test_weights_cannot_name_code_to_run(
    tmp_path: Path, changes: dict[str, str], words: str
) -> None:
    write_demucs_bag(tmp_path)
    with pytest.raises(EngineError, match=words):
        demucs_weights.load_model(rewrite(tmp_path, changes))
    assert not (tmp_path / "pwned").exists()


def test_other_tensors_and_truncated_files_are_refused(tmp_path: Path) -> None:
    write_demucs_bag(tmp_path)
    path = tmp_path / "00000000.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(EngineError, match="safetensors is not a Demucs model"):
        demucs_weights.load_model(path)
    path.write_bytes(b"")
    with pytest.raises(EngineError, match="safetensors is not a Demucs model"):
        demucs_weights.load_model(path)
    import torch

    with pytest.raises(EngineError, match="loading state_dict"):
        demucs_weights.load_model(rewrite(tmp_path, {}, {"weight": torch.zeros(3)}))


def test_a_changed_file_is_noticed_after_a_fetch(folder: Path, tmp_path: Path) -> None:
    source = write_demucs_bag(tmp_path / "hub", seeds=(1, 2))
    demucs_weights.fetch(folder, copier(source))
    demucs_weights.load(folder)
    path = folder / "00000002.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(EngineError, match="SHA-256"):
        demucs_weights.load(folder)


def copier(source: Path) -> demucs_weights.Download:
    def download(bag: str, filename: str, target: Path) -> None:
        (target / filename).write_bytes((source / filename).read_bytes())

    return download


def test_a_fetch_takes_what_the_voice_needs(folder: Path, tmp_path: Path) -> None:
    source = write_demucs_bag(tmp_path / "hub", seeds=(1, 2))
    demucs_weights.fetch(folder, copier(source))
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["00000002.safetensors", "SHA256SUMS", "htdemucs_ft.yaml"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert FACTORY.readiness().ready


@pytest.mark.parametrize("broken", ["missing", "no model", "no bag"])
def test_a_failed_fetch_leaves_nothing_behind(folder: Path, tmp_path: Path, broken: str) -> None:
    source = write_demucs_bag(tmp_path / "hub")
    if broken == "missing":
        (source / "00000000.safetensors").unlink()
    elif broken == "no model":
        (source / "00000000.safetensors").write_bytes(b"not found")
    else:
        (source / "htdemucs_ft.yaml").write_text("not found", "utf-8")
    with pytest.raises(EngineError):
        demucs_weights.fetch(folder, copier(source))
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


class _Refusing(BaseHTTPRequestHandler):
    asked: list[str]

    def do_HEAD(self) -> None:
        self.asked.append(self.path)
        self.send_error(404)

    do_GET = do_HEAD  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def test_the_hub_is_asked_as_demucs_own_loader_asks_it(tmp_path: Path) -> None:
    asked: list[str] = []
    handler = type("Handler", (_Refusing,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            code = (
                "import sys, pathlib\n"
                "from nlecompanion.engines.demucs_weights import fetch\n"
                "fetch(pathlib.Path(sys.argv[1]))\n"
            )
            ended = subprocess.run(
                [sys.executable, "-c", code, str(tmp_path / "demucs")],
                env={
                    "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
                    "HF_HOME": str(tmp_path / "hub"),
                    "HF_HUB_DISABLE_TELEMETRY": "1",
                    "NO_PROXY": "127.0.0.1",
                },
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            server.shutdown()
            thread.join()
    assert ended.returncode == 1
    assert "Could not fetch Demucs' weights" in ended.stderr
    assert asked
    assert all(path == "/adefossez/HTDemucs-ft/resolve/main/htdemucs_ft.yaml" for path in asked)
    assert not (tmp_path / "demucs").exists()


def test_asking_for_readiness_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from nlecompanion.engines.demucs import FACTORY\n"
        "FACTORY.readiness()\n"
        "print([name for name in ('torch', 'scipy', 'demucs', 'safetensors', 'huggingface_hub')\n"
        "       if name in sys.modules])\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_the_licence_notice_is_there_to_be_shown() -> None:
    assert "scientific purposes" in FACTORY.info.licence_notice
    assert FACTORY.merit_db is not None
