"""The trainer: it learns, it goes on bit for bit, and what it writes is what the engine reads."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from testkit.training_sounds import folders

from nlecompanion.engines.dialogue import bands
from nlecompanion.engines.dialogue.network import DialogueNetwork, NetworkShape
from nlecompanion.engines.dialogue.weights import read_network
from nlecompanion.errors import SettingsError
from nlecompanion.training.checkpoint import grown, load_checkpoint, load_network, save_weights
from nlecompanion.training.cli import train
from nlecompanion.training.sources import collect
from nlecompanion.training.trainer import (
    Limits,
    Material,
    Recipe,
    Trainer,
    replanned,
    run,
    start,
)

SHAPE = NetworkShape(width=24, level_radius_frames=20, dilations=(1, 2, 4))
RECIPE = Recipe(
    seed=7,
    items=3,
    item_samples=24_576,
    voice_slots=8,
    background_slots=8,
    voices_a_step=1,
    backgrounds_a_step=1,
    warmup_steps=5,
    average_decay=0.9,
)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    root = tmp_path_factory.mktemp("sounds")
    speech, music, effects = folders(root, np.random.default_rng(3))
    cache = root / "cache"
    voices, held_voices = collect([speech], cache, clean=True)
    songs, held_songs = collect([music], cache, clean=False)
    noises, held_noises = collect([effects], cache, clean=False)
    return Material(
        voices,
        songs,
        noises,
        held_voices=held_voices,
        held_music=held_songs,
        held_effects=held_noises,
    )


def begun(material: Material, out: Path, recipe: Recipe = RECIPE) -> Trainer:
    return start(
        material,
        recipe,
        out,
        SHAPE,
        init=None,
        compute=torch.float32,
        device=torch.device("cpu"),
    )


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def clock() -> float:
    return 0.0


def test_training_improves_held_out_mixtures(material: Material, tmp_path: Path) -> None:
    trainer = begun(material, tmp_path)
    before = trainer.report(0.0)
    after = run(trainer, Limits(steps=80), lambda _: None, clock)
    assert before.held_gain_db is not None
    assert after.held_gain_db is not None
    assert after.held_gain_db > before.held_gain_db + 0.7
    assert abs(after.loss) < 5.0


def test_stopping_and_going_on_changes_no_bit(material: Material, tmp_path: Path) -> None:
    straight = begun(material, tmp_path / "straight")
    run(straight, Limits(steps=12), lambda _: None, clock)
    halves = begun(material, tmp_path / "halves")
    halves.decay = (9, 3)
    while halves.step < 5:
        halves.train_step()
    halves.save()
    again = begun(material, tmp_path / "halves")
    assert again.step == 5
    run(again, Limits(steps=12), lambda _: None, clock)
    for name, tensor in straight.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name]), name
    for name, tensor in straight.optimiser.tensors().items():
        assert torch.equal(tensor, again.optimiser.tensors()[name]), name


def test_another_seed_is_another_training(material: Material, tmp_path: Path) -> None:
    begun(material, tmp_path).save()
    with pytest.raises(SettingsError, match="another --out folder"):
        begun(material, tmp_path, replace(RECIPE, seed=8))


def test_a_damaged_checkpoint_is_named(material: Material, tmp_path: Path) -> None:
    begun(material, tmp_path).save()
    state = load_checkpoint(tmp_path)
    assert state is not None
    fields = json.loads((tmp_path / "state.json").read_text())
    (tmp_path / fields["tensors"]).write_bytes(b"no tensors")
    with pytest.raises(SettingsError, match="damaged"):
        load_checkpoint(tmp_path)


def test_only_the_latest_tensors_are_kept(material: Material, tmp_path: Path) -> None:
    trainer = begun(material, tmp_path)
    for _ in range(2):
        trainer.train_step()
        trainer.save()
    assert [path.name for path in tmp_path.glob("state-*")] == ["state-00000002.safetensors"]
    assert not list(tmp_path.glob("*.part"))


def test_minutes_end_a_training_with_a_falling_rate(material: Material, tmp_path: Path) -> None:
    trainer = begun(material, tmp_path)
    ticks = itertools.count()
    # Each look at the clock is one second later; a step looks two to three times.
    run(trainer, Limits(minutes=0.5), lambda _: None, lambda: float(next(ticks)))
    assert trainer.decay is not None
    assert trainer.step == sum(trainer.decay)
    assert trainer.rate_scale() == 0.0


def test_the_command_writes_weights_and_goes_on_from_them(tmp_path: Path) -> None:
    speech, music, effects = folders(tmp_path, np.random.default_rng(4))
    sources = ["--speech", str(speech), "--music", str(music), "--effects", str(effects)]
    small = ["--width", "16", "--items", "1", "--pool", "4"]
    out = tmp_path / "out"
    done = CliRunner().invoke(train, [*sources, *small, "--out", str(out), "--steps", "2"])
    assert done.exit_code == 0, done.output
    network = load_network(out / "weights.safetensors")
    assert network.shape.width == 16
    tuned = tmp_path / "tuned"
    begin = ["--init", str(out / "weights.safetensors"), "--out", str(tuned), "--steps", "1"]
    done = CliRunner().invoke(train, [*sources, *small, *begin, "--rate", "0.1", "--workers", "2"])
    assert done.exit_code == 0, done.output
    assert read_network((tuned / "weights.safetensors").read_bytes()).shape == network.shape


def test_a_replanned_decay_goes_on_from_its_height_to_the_new_end() -> None:
    def height(decay: tuple[int, int], step: int) -> float:
        return 1.0 - (step - decay[0]) / decay[1]

    before = (1000, 4000)
    for left in (500, 2000, 9000):
        after = replanned(before, 2000, left)
        assert sum(after) == 2000 + left
        assert height(after, 2000) == pytest.approx(height(before, 2000), abs=2e-3)
    assert replanned(before, 5000, 300) == before


def test_minutes_end_in_time_on_a_machine_that_gets_slow(
    material: Material, tmp_path: Path
) -> None:
    trainer = begun(material, tmp_path)
    passed_s = itertools.accumulate(itertools.chain([1.0] * 60, itertools.repeat(4.0)))
    final: list[float] = []

    def now_s() -> float:
        final.append(next(passed_s))
        return final[-1]

    run(trainer, Limits(minutes=3.0, report_every_steps=5), lambda _: None, now_s)
    assert trainer.rate_scale() == 0.0
    # Planned at the first speed it would have ended after more than five minutes.
    assert 160.0 < final[-1] < 230.0


def test_growing_changes_no_gain(material: Material, tmp_path: Path) -> None:
    torch.manual_seed(2)
    small = DialogueNetwork(replace(SHAPE, surroundings=False))
    with torch.no_grad():
        for parameter in small.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2)
    path = tmp_path / "small.safetensors"
    save_weights(path, small.shape, dict(small.state_dict()))
    larger = replace(SHAPE, dilations=(*SHAPE.dilations, 2, 8))
    trainer = start(
        material, RECIPE, tmp_path / "out", larger, init=path, grow=True,
        compute=torch.float32, device=torch.device("cpu"),
    )  # fmt: skip
    assert trainer.network.shape == larger
    power = torch.rand(1, 60, bands.BANDS) ** 4
    with torch.no_grad():
        torch.testing.assert_close(trainer.network(power), load_network(path)(power))
    before = trainer.network.around.detach().clone()
    trainer.train_step()
    assert not torch.equal(trainer.network.around, before)


def test_a_network_cannot_grow_to_another_width(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot grow"):
        grown(DialogueNetwork(SHAPE), replace(SHAPE, width=48))
    with pytest.raises(SettingsError, match="cannot grow"):
        grown(DialogueNetwork(SHAPE), replace(SHAPE, dilations=(2, 4)))


def test_the_command_asks_when_to_end(tmp_path: Path) -> None:
    here = str(tmp_path)
    options = ["--speech", here, "--music", here, "--effects", here, "--out", here]
    done = CliRunner().invoke(train, options)
    assert done.exit_code == 2
    assert "--minutes 60" in done.output
