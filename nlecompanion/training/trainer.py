"""The training loop: pools, batches, steps, reports, checkpoints.

Nothing in it depends on how often it was stopped: every random choice comes from the seed and the
number of the step, and the pools are rebuilt from the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nlecompanion.engines.dialogue import bands
from nlecompanion.engines.dialogue.network import DialogueNetwork, NetworkShape
from nlecompanion.errors import SettingsError
from nlecompanion.training import checkpoint as files
from nlecompanion.training import loss as losses
from nlecompanion.training.batches import Batch
from nlecompanion.training.mixing import MixingRules, mix_batch
from nlecompanion.training.optimiser import Optimiser
from nlecompanion.training.pools import Place, Pool, Rooms, background_maker, voice_maker
from nlecompanion.training.sources import Collection


@dataclass(frozen=True, slots=True)
class Material:
    """What is trained on, and what is held out to see how the training goes."""

    voices: Collection
    music: Collection
    effects: Collection
    rooms: Rooms = field(default_factory=Rooms)
    held_voices: Collection | None = None
    held_music: Collection | None = None
    held_effects: Collection | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of a training. Lengths of items are multiples of the hop."""

    seed: int = 0
    items: int = 8
    item_samples: int = 8 * bands.RATE_HZ
    voice_slots: int = 800
    background_slots: int = 1000
    voices_a_step: int = 2
    backgrounds_a_step: int = 1
    muon_rate: float = 0.02
    adam_rate: float = 2e-3
    average_decay: float = 0.996
    warmup_steps: int = 100
    decay_fraction: float = 0.25
    rules: MixingRules = field(default_factory=MixingRules)
    loss: losses.LossWeights = field(default_factory=losses.LossWeights)

    def identity(self) -> dict[str, Any]:
        """What must be the same when a training goes on."""
        pools = ("voice_slots", "background_slots", "voices_a_step", "backgrounds_a_step")
        kept = ("seed", "items", "item_samples", *pools)
        return {name: value for name, value in asdict(self).items() if name in kept}


@dataclass(frozen=True, slots=True)
class Limits:
    """When to end: after so many steps in all, or so many minutes of this run."""

    steps: int | None = None
    minutes: float | None = None
    save_every_s: float = 240.0
    report_every_steps: int = 100


@dataclass(frozen=True, slots=True)
class Report:
    """How a training stands."""

    step: int
    loss: float
    sound_h: float
    #: Mean SNR gain in dB on held-out mixtures, and the level left where nobody speaks.
    held_gain_db: float | None
    held_rest_db: float | None


class Trainer:
    """A training that can be stopped after any step."""

    def __init__(
        self,
        material: Material,
        recipe: Recipe,
        out: Path,
        network: DialogueNetwork,
        compute: torch.dtype,
        device: torch.device,
        workers: Executor | None = None,
    ) -> None:
        self.recipe = recipe
        self.out = out
        self.network = network.to(device)
        self.compute = compute
        self.device = device
        self.step = 0
        self.decay: tuple[int, int] | None = None
        self.optimiser = Optimiser(network, muon_rate=recipe.muon_rate, adam_rate=recipe.adam_rate)
        self._voices, self._backgrounds = _pools(
            material.voices, material.music, material.effects, material.rooms,
            recipe.item_samples, (recipe.voice_slots, recipe.background_slots), recipe.seed,
            Place(device, workers),
        )  # fmt: skip
        self._held = _held_out_batches(material, recipe)

    def fill_pools(self) -> None:
        """Brings the pools to what they must hold at the present step."""
        recipe = self.recipe
        self._voices.fill_to(recipe.voice_slots + self.step * recipe.voices_a_step)
        self._backgrounds.fill_to(recipe.background_slots + self.step * recipe.backgrounds_a_step)

    def batch(self) -> Batch:
        """The present step's batch."""
        recipe = self.recipe
        return mix_batch(
            self._voices, self._backgrounds, recipe.items, recipe.rules, (recipe.seed, 3, self.step)
        )

    @torch.no_grad()
    def measure_features(self) -> None:
        """Sets the network's feature statistics from a batch; before the first step only."""
        features = self.network.features(self.batch().mix)
        flat = features / self.network.feature_scale + self.network.feature_mean
        flat = flat.reshape(-1, bands.BANDS)
        self.network.feature_mean.copy_(flat.mean(0))
        self.network.feature_scale.copy_(1.0 / flat.std(0).clamp(min=0.5))

    def train_step(self) -> float:
        """One update; gives the loss before it."""
        self.fill_pools()
        batch = self.batch()
        gains = self.network(batch.mix, self.compute)
        loss = losses.training_loss(gains, batch, self.recipe.loss)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step(self.rate_scale(), self.recipe.average_decay)
        self.step += 1
        return float(loss.detach())

    def rate_scale(self) -> float:
        """Warm-up, then constant, then a straight fall to nothing over the decay."""
        scale = min(1.0, (self.optimiser.updates + 1) / max(1, self.recipe.warmup_steps))
        if self.decay is not None:
            start, length = self.decay
            scale *= max(0.0, 1.0 - max(0, self.step - start) / max(1, length))
        return scale

    def report(self, loss: float) -> Report:
        """The present loss and, where something is held out, how the averaged weights do there."""
        seconds = self.step * self.recipe.items * self.recipe.item_samples / bands.RATE_HZ
        if not self._held:
            return Report(self.step, loss, seconds / 3600, None, None)
        gain_db, rest_db = self._held_scores()
        return Report(self.step, loss, seconds / 3600, gain_db, rest_db)

    @torch.no_grad()
    def _held_scores(self) -> tuple[float, float]:
        gained: list[Tensor] = []
        rest: list[Tensor] = []
        for batch in self._held:
            moved = _moved(batch, self.device)
            gains = torch.func.functional_call(
                self.network, self.optimiser.average, (moved.mix, self.compute)
            )
            gain_db = losses.input_ratio_db(moved) - losses.error_ratio_db(gains, moved)
            gained.append(gain_db[moved.spoken])
            rest.append(losses.error_ratio_db(gains, moved)[~moved.spoken])
        return float(torch.cat(gained).mean()), float(torch.cat(rest).mean())

    def save(self) -> None:
        """Writes the checkpoint and the weights as an engine can use them."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors.update(self.optimiser.tensors())
        state = files.Checkpoint(
            self.network.shape, self.step, self.optimiser.updates, self.decay,
            self.recipe.identity(), {name: tensor.cpu() for name, tensor in tensors.items()},
        )  # fmt: skip
        files.save_checkpoint(self.out, state)
        averaged = files.engine_tensors(self.network, self.optimiser.average)
        weights = {name: tensor.cpu() for name, tensor in averaged.items()}
        files.save_weights(self.out / files.WEIGHTS_NAME, self.network.shape, weights)

    def resume(self, state: files.Checkpoint) -> None:
        """Goes on from a checkpoint.

        Raises:
            SettingsError: the checkpoint is of another training.
        """
        if state.identity != self.recipe.identity():
            raise SettingsError(
                f"{self.out} holds a training with {state.identity}, not {self.recipe.identity()}: "
                "use the same options or another --out folder"
            )
        prefix = "network."
        files.copy_into(
            self.network,
            {k.removeprefix(prefix): v for k, v in state.tensors.items() if k.startswith(prefix)},
        )
        self.optimiser.load(state.tensors, state.updates)
        self.step = state.step
        self.decay = state.decay


def start(
    material: Material,
    recipe: Recipe,
    out: Path,
    shape: NetworkShape,
    *,
    init: Path | None,
    compute: torch.dtype,
    device: torch.device,
    grow: bool = False,
    workers: Executor | None = None,
) -> Trainer:
    """A trainer: from the checkpoint in `out` where there is one, else from `init`, else anew.

    The weights of `init` keep their shape, or with `grow` are made to fill `shape`. `workers`
    prepare recordings beside the training, which they change nothing in.

    Raises:
        SettingsError: a checkpoint of another training, or `init` is not a weights file.
    """
    state = files.load_checkpoint(out)
    torch.manual_seed(recipe.seed)
    network = DialogueNetwork(state.shape if state else shape)
    if init is not None and state is None:
        network = files.load_network(init)
        if grow:
            network = files.grown(network, shape)
        network = network.train().requires_grad_(True)
    trainer = Trainer(material, recipe, out, network, compute, device, workers)
    if state is not None:
        trainer.resume(state)
    trainer.fill_pools()
    if state is None and init is None:
        trainer.measure_features()
    return trainer


def run(
    trainer: Trainer,
    limits: Limits,
    tell: Callable[[Report], None],
    now_s: Callable[[], float],
    stopped: Callable[[], bool] = lambda: False,
) -> Report:
    """Trains until a limit is met or `stopped` says so; saves on the way and at the end.

    The learning rate falls over the last part: of the steps where they are given, else of the
    minutes, by the speed measured so far. A training that had ended goes on at the full rate.
    """
    begin_s = saved_s = told_s = now_s()
    first_step = trainer.step
    fraction = trainer.recipe.decay_fraction
    if trainer.decay is not None and trainer.step >= sum(trainer.decay):
        trainer.decay = None
    if limits.steps is not None:
        length = max(1, round((limits.steps - first_step) * fraction))
        trainer.decay = trainer.decay or (limits.steps - length, length)
    smooth: float | None = None
    while not (stopped() or _ended(trainer, limits)):
        value = trainer.train_step()
        smooth = value if smooth is None else 0.98 * smooth + 0.02 * value
        passed_s = now_s() - begin_s
        if trainer.decay is None and limits.minutes is not None:
            left_s = limits.minutes * 60 - passed_s
            if left_s <= limits.minutes * 60 * fraction:
                speed = (trainer.step - first_step) / max(passed_s, 1e-3)
                trainer.decay = (trainer.step, max(1, round(left_s * speed)))
        if trainer.step % limits.report_every_steps == 0:
            tell(trainer.report(smooth))
            if trainer.decay is not None and limits.minutes is not None and limits.steps is None:
                left_s = max(1.0, limits.minutes * 60 - (now_s() - begin_s))
                speed = limits.report_every_steps / max(now_s() - told_s, 1e-3)
                trainer.decay = replanned(trainer.decay, trainer.step, round(left_s * speed))
            told_s = now_s()
        if now_s() - saved_s >= limits.save_every_s:
            trainer.save()
            saved_s = now_s()
    trainer.save()
    return trainer.report(smooth if smooth is not None else float("nan"))


def replanned(decay: tuple[int, int], step: int, left: int) -> tuple[int, int]:
    """The decay that from its present height ends in `left` steps: others may slow the machine."""
    start, length = decay
    height = 1.0 - (step - start) / length
    if left < 1 or height <= 0.0:
        return decay
    whole = max(1, round(left / height))
    return step + left - whole, whole


def _ended(trainer: Trainer, limits: Limits) -> bool:
    if limits.steps is not None and trainer.step >= limits.steps:
        return True
    return trainer.decay is not None and trainer.step >= sum(trainer.decay)


def _pools(
    voices: Collection, music: Collection, effects: Collection, rooms: Rooms,
    length_samples: int, slots: tuple[int, int], seed: int, place: Place | None = None,
) -> tuple[Pool, Pool]:  # fmt: skip
    voice = voice_maker(voices, rooms, length_samples)
    background = background_maker(music, effects, rooms, length_samples)
    return (
        Pool(voice, slots[0], length_samples, (seed, 1), place),
        Pool(background, slots[1], length_samples, (seed, 2), place),
    )


def _held_out_batches(material: Material, recipe: Recipe) -> list[Batch]:
    held = (material.held_voices, material.held_music, material.held_effects)
    voices, music, effects = held
    if voices is None or music is None or effects is None:
        return []
    slots = min(48, recipe.voice_slots), min(64, recipe.background_slots)
    pools = _pools(voices, music, effects, Rooms(), recipe.item_samples, slots, 12_345)
    for pool, count in zip(pools, slots, strict=True):
        pool.fill_to(count)
    rules = MixingRules(-5.0, 10.0, no_voice=0.15, no_background=0.0, automation=0.0)
    return [mix_batch(*pools, recipe.items, rules, (12_345, number)) for number in range(8)]


def _moved(batch: Batch, device: torch.device) -> Batch:
    if device.type == "cpu":
        return batch
    return Batch(*(getattr(batch, name).to(device) for name in Batch.__dataclass_fields__))
