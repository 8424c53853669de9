"""The command `nlecompanion train`."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from nlecompanion.training.trainer import Material, Recipe, Report

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class _Folders:
    speech: tuple[Path, ...]
    music: tuple[Path, ...]
    effects: tuple[Path, ...]
    rooms: tuple[Path, ...]


@click.command(name="train")
@click.option("--speech", type=_FOLDER, multiple=True, required=True, help="Voices, clean.")
@click.option("--music", type=_FOLDER, multiple=True, required=True, help="Music without voices.")
@click.option("--effects", type=_FOLDER, multiple=True, required=True, help="Effects and noises.")
@click.option("--rooms", type=_FOLDER, multiple=True, help="Impulse responses, beside made ones.")
@click.option("--init", type=_FILE, help="Weights to begin with, such as the engine's own.")
@click.option("--grow", is_flag=True, help="Enlarge the weights of --init to today's shape.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for results.")
@click.option("--minutes", type=click.FloatRange(min=0.1), help="Time to train in this run.")
@click.option("--steps", type=click.IntRange(min=1), help="Steps to train in all.")
@click.option("--decay", type=click.FloatRange(0, 1), default=0.25, show_default=True,
              help="Part of the run over which the learning rate falls.")  # fmt: skip
@click.option("--rate", type=click.FloatRange(min=0.001), default=1.0, show_default=True,
              help="Factor on the learning rates; 0.2 suits fine-tuning.")  # fmt: skip
@click.option("--width", type=click.IntRange(16, 2048), default=256, show_default=True)
@click.option("--items", type=click.IntRange(1, 512), default=8, show_default=True,
              help="Mixtures of 8 s a step.")  # fmt: skip
@click.option("--pool", type=click.IntRange(4), default=800, show_default=True,
              help="Voices kept as spectra, 0.8 MB each; backgrounds a quarter more.")  # fmt: skip
@click.option("--hold-out", type=click.FloatRange(0, 0.5), default=0.05, show_default=True,
              help="Part of the groups kept back to score on; 0: train on all.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--workers", type=click.IntRange(min=0), default=0, show_default=True,
              help="Threads that prepare recordings; for a GPU, one a core.")  # fmt: skip
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps.")
@click.option("--compute", type=click.Choice(["auto", "bfloat16", "float32"]), default="auto",
              show_default=True, help="Type of the products; auto: the faster.")  # fmt: skip
@click.option("--cache", type=click.Path(path_type=Path), help="Decoded sound; default OUT/cache.")
def train(**options: Any) -> None:
    """Train the dialogue engine's network, or fine-tune it on a show's own sound.

    Goes on from the checkpoint in OUT where there is one. OUT/weights.safetensors is what the
    engine loads. At least one of --minutes and --steps is needed.
    """
    if options["minutes"] is None and options["steps"] is None:
        raise click.UsageError("say when to end: --minutes 60 or --steps 10000")
    import torch

    from nlecompanion.engines.dialogue.network import NetworkShape
    from nlecompanion.training.compute import compute_type
    from nlecompanion.training.trainer import Limits, run, start

    torch.set_num_threads(options["threads"])
    device = torch.device(options["device"])
    out: Path = options["out"]
    folders = _Folders(
        options["speech"], options["music"], options["effects"], options["rooms"] or ()
    )
    material = _material(folders, options["cache"] or out / "cache", options["hold_out"])
    stopped = Event()
    limits = Limits(steps=options["steps"], minutes=options["minutes"])
    with _ending(stopped), _workers(options["workers"]) as workers:
        trainer = start(
            material,
            _recipe(options),
            out,
            NetworkShape(width=options["width"]),
            init=options["init"],
            grow=options["grow"],
            compute=compute_type(options["compute"], device),
            device=device,
            workers=workers,
        )
        report = run(
            trainer, limits, lambda r: click.echo(_line(r)), time.monotonic, stopped.is_set
        )
    click.echo(_line(report))
    if stopped.is_set():
        click.echo(f"Stopped; the same command goes on from {out}.")


@contextmanager
def _workers(count: int) -> Iterator[Executor | None]:
    """Threads with one compute thread each; what they have not begun at the end is dropped."""
    if count == 0:
        yield None
        return
    import torch

    workers = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield workers
    finally:
        workers.shutdown(cancel_futures=True)


@contextmanager
def _ending(stopped: Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the training after its present step, with a checkpoint."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stopped.set()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _recipe(options: dict[str, Any]) -> Recipe:
    from nlecompanion.training.trainer import Recipe

    base = Recipe(
        seed=options["seed"],
        items=options["items"],
        # A voice is heard about four times, a background about eight, before it makes room.
        voices_a_step=max(1, options["items"] // 4),
        backgrounds_a_step=max(1, options["items"] // 8),
        decay_fraction=options["decay"],
        voice_slots=options["pool"],
        background_slots=options["pool"] * 5 // 4,
    )
    rate = options["rate"]
    return replace(base, muon_rate=base.muon_rate * rate, adam_rate=base.adam_rate * rate)


def _material(folders: _Folders, cache: Path, held_out: float) -> Material:
    from nlecompanion.training.pools import Rooms
    from nlecompanion.training.sources import collect
    from nlecompanion.training.trainer import Material

    voices, held_voices = collect(folders.speech, cache, clean=True, held_out=held_out)
    music, held_music = collect(folders.music, cache, clean=False, held_out=held_out)
    effects, held_effects = collect(folders.effects, cache, clean=False, held_out=held_out)
    rooms = (
        Rooms(collect(folders.rooms, cache, clean=False, held_out=0)[0])
        if folders.rooms
        else Rooms()
    )
    for name, found in (("speech", voices), ("music", music), ("effects", effects)):
        click.echo(f"{name}: {found.duration_s / 60:.0f} min in {len(found.recordings)} files")
    return Material(voices, music, effects, rooms, held_voices, held_music, held_effects)


def _line(report: Report) -> str:
    parts = [f"step {report.step}", f"loss {report.loss:.4f}", f"{report.sound_h:.1f} h heard"]
    if report.held_gain_db is not None and report.held_rest_db is not None:
        parts.append(f"held out: SNR +{report.held_gain_db:.2f} dB")
        parts.append(f"without voice {report.held_rest_db:.1f} dB")
    return ", ".join(parts)
