"""Scores engines on a folder of mixtures: `python tests/benchmarks/separation.py --engines dsp`.

The folder holds `meta.json` (a list of `id`, `cond`, `snr`), `ID_mix.flac` and `ID_clean.flac`.
Figures are means over a condition; `three` is the mean over music, noise and music+noise.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.separation_metrics import (
    Mono,
    Scores,
    level_change_db,
    missing_packages,
    score,
    si_sdr_db,
    silent_mask,
)
from benchmarks.separation_peers import Line, peer_lines

from nlecompanion.engines.blocks import split_blocks
from nlecompanion.engines.contract import Engine
from nlecompanion.plugins import engine_factories

DEFAULT_BENCH = Path(__file__).resolve().parents[3] / "shared" / "bench"
COUNTED = ("music", "noise", "music+noise")
UNTOUCHED = "untouched"


@dataclass(frozen=True, slots=True)
class Mixture:
    """One item of the folder."""

    id: str
    condition: str
    mix: Mono
    clean: Mono
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Result:
    """One engine on one mixture."""

    mixture: str
    condition: str
    improvement_db: float
    scores: Scores
    #: Level of the voice where nobody speaks, over the mixture's there; None without such a place.
    pauses_db: float | None
    #: The background alone in: level of the voice over its own.
    background_alone_db: float
    #: The clean voice in: what is left of it.
    clean_si_sdr_db: float
    seconds: float


def load(bench: Path) -> list[Mixture]:
    """All mixtures of a folder."""
    import soundfile

    mixtures = []
    for entry in json.loads((bench / "meta.json").read_text(encoding="utf-8")):
        mix, rate_hz = soundfile.read(bench / f"{entry['id']}_mix.flac", dtype="float32")
        clean, _ = soundfile.read(bench / f"{entry['id']}_clean.flac", dtype="float32")
        mixtures.append(Mixture(entry["id"], entry["cond"], mix, clean, rate_hz))
    return mixtures


def voice_of(engine: Engine | None, sound: Mono, rate_hz: int) -> Mono:
    """The engine's voice of a mono sound; the sound itself without an engine."""
    if engine is None:
        return sound
    column = sound[:, None]
    parts = split_blocks(engine, lambda low, high: column[low:high], len(sound), rate_hz, 1)
    return np.concatenate([part.voice.samples[:, 0] for part in parts])


def judge(engine: Engine | None, mixture: Mixture) -> Result:
    """One engine on one mixture, on its background alone and on its clean voice alone."""
    rate_hz = mixture.rate_hz
    started_s = time.perf_counter()
    voice = voice_of(engine, mixture.mix, rate_hz)
    seconds = time.perf_counter() - started_s
    scores = score(voice, mixture.clean, rate_hz)
    silent = silent_mask(mixture.clean, rate_hz)
    pauses = None
    if silent.sum() > rate_hz // 5:
        pauses = level_change_db(voice[silent], mixture.mix[silent])
    background = mixture.mix - mixture.clean
    return Result(
        mixture.id,
        mixture.condition,
        scores.si_sdr_db - si_sdr_db(mixture.mix, mixture.clean),
        scores,
        pauses,
        level_change_db(voice_of(engine, background, rate_hz), background),
        si_sdr_db(voice_of(engine, mixture.clean, rate_hz), mixture.clean),
        seconds,
    )


def summary(name: str, results: Sequence[Result], conditions: Iterable[str]) -> list[Line]:
    """A line a condition, then `three`."""
    lines = []
    for condition in conditions:
        chosen = [r for r in results if r.condition == condition]
        if chosen:
            lines.append(_mean_line(condition, name, chosen))
    counted = [r for r in results if r.condition in COUNTED]
    return [*lines, _mean_line("three", name, counted)] if counted else lines


def _mean_line(condition: str, name: str, results: Sequence[Result]) -> Line:
    columns = [[getattr(r.scores, key) for r in results] for key in
               ("pesq", "stoi", "sig", "bak", "ovrl")]  # fmt: skip
    means = [None if None in values else float(np.mean(values)) for values in columns]
    return Line(condition, name, float(np.mean([r.improvement_db for r in results])), *means)


def other_figures(results: Sequence[Result], mixtures: Sequence[Mixture]) -> dict[str, float]:
    """Figures that are not a condition's; reverberant items do not count in them."""
    counted = [r for r in results if r.condition in COUNTED] or list(results)
    with_music = [r for r in results if r.condition == "music"] or counted
    pauses = [r.pauses_db for r in counted if r.pauses_db is not None]
    length_s = sum(len(m.mix) / m.rate_hz for m in mixtures)
    return {
        "clean_si_sdr_db_mean": float(np.mean([r.clean_si_sdr_db for r in counted])),
        "clean_si_sdr_db_worst": float(np.min([r.clean_si_sdr_db for r in counted])),
        "pauses_db_mean": float(np.mean(pauses)) if pauses else float("nan"),
        "background_alone_db_mean": float(np.mean([r.background_alone_db for r in counted])),
        "music_alone_db_mean": float(np.mean([r.background_alone_db for r in with_music])),
        "music_alone_db_worst": float(np.max([r.background_alone_db for r in with_music])),
        "times_real_time": length_s / max(sum(r.seconds for r in results), 1e-9),
    }


def table(lines: Sequence[Line]) -> str:
    """Lines as a Markdown table, conditions together."""
    head = "| condition | system | SI-SDR improvement dB | PESQ wb | STOI | SIG | BAK | OVRL |"
    rows = [head, "|---|---|---|---|---|---|---|---|"]
    for condition in dict.fromkeys(line.condition for line in lines):
        for line in (line for line in lines if line.condition == condition):
            cells = [f"{line.improvement_db:.2f}", _cell(line.pesq, 2), _cell(line.stoi, 3)]
            cells += [_cell(value, 2) for value in (line.sig, line.bak, line.ovrl)]
            rows.append(f"| {line.condition} | {line.system} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _peers_with_three(bench: Path) -> list[Line]:
    """The published lines and their means over the three counted conditions."""
    lines = peer_lines(bench)
    means = []
    for system in dict.fromkeys(line.system for line in lines):
        rows = [line for line in lines if line.system == system and line.condition in COUNTED]
        columns = zip(*([*asdict(row).values()][2:] for row in rows), strict=True)
        means.append(Line("three", system, *(float(np.mean(column)) for column in columns)))
    return [*lines, *means]


def _chosen(names: str | None) -> dict[str, Engine | None]:
    factories = engine_factories()
    wanted = names.split(",") if names else sorted(factories)
    unknown = [name for name in wanted if name not in factories]
    if unknown:
        raise SystemExit(f"no engine {', '.join(unknown)}; there are {', '.join(factories)}")
    engines: dict[str, Engine | None] = {UNTOUCHED: None}
    for name in wanted:
        readiness = factories[name].readiness()
        if readiness.ready:
            engines[name] = factories[name].create()
        else:
            print(f"{name} is left out: {readiness.fix}", file=sys.stderr)
    return engines


def main() -> None:
    """Scores and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", type=Path, default=DEFAULT_BENCH)
    parser.add_argument("--engines", help="names with commas between; default: all that are ready")
    parser.add_argument("--json", action="store_true", help="every figure of every mixture")
    options = parser.parse_args()
    mixtures = load(options.bench)
    results = {
        name: [judge(engine, mixture) for mixture in mixtures]
        for name, engine in _chosen(options.engines).items()
    }
    conditions = list(dict.fromkeys(mixture.condition for mixture in mixtures))
    lines = [line for name, found in results.items() for line in summary(name, found, conditions)]
    others = {name: other_figures(found, mixtures) for name, found in results.items()}
    if options.json:
        fields = {
            "missing_packages": missing_packages(),
            "means": [asdict(line) for line in lines],
            "other": others,
            "items": {name: [asdict(result) for result in r] for name, r in results.items()},
        }
        print(json.dumps(fields, indent=1))
        return
    order = [*conditions, "three"]
    shown = [*lines, *_peers_with_three(options.bench)]
    print(table([line for condition in order for line in shown if line.condition == condition]))
    for name, figures in others.items():
        print(f"\n{name}: " + ", ".join(f"{key} {value:.2f}" for key, value in figures.items()))
    if missing_packages():
        print(f"\nNot measured for want of packages: pip install {' '.join(missing_packages())}")


if __name__ == "__main__":
    main()
