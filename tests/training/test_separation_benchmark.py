"""The separation benchmark's own arithmetic, on sounds whose scores are known."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from benchmarks import separation
from benchmarks.separation_metrics import level_change_db, si_sdr_db, silent_mask
from benchmarks.separation_peers import peer_lines
from testkit.training_sounds import voice

RATE_HZ = 48_000


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(samples).astype(np.float32)


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """Two mixtures at 0 dB and a PEERS.md of two lines."""
    entries = []
    for number, condition in enumerate(("music", "noise")):
        clean = voice(3.0, 120.0 + 40 * number, np.random.default_rng(number))
        hiss = noise(len(clean)) * np.sqrt(np.mean(clean**2))
        soundfile.write(tmp_path / f"{number:02}_mix.flac", 0.5 * (clean + hiss), RATE_HZ)
        soundfile.write(tmp_path / f"{number:02}_clean.flac", 0.5 * clean, RATE_HZ)
        entries.append({"id": f"{number:02}", "cond": condition, "snr": 0})
    (tmp_path / "meta.json").write_text(json.dumps(entries))
    (tmp_path / "PEERS.md").write_text(
        "| condition | system | dB | PESQ | STOI | SIG | BAK | OVRL |\n"
        "|---|---|---|---|---|---|---|---|\n"
        "| music | A peer | 8.20 | 2.00 | 0.854 | 3.17 | 3.86 | 2.85 |\n"
        "| noise | A peer | 4.20 | 1.00 | 0.654 | 3.17 | 3.86 | 2.85 |\n"
    )
    return tmp_path


def run(bench: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr(sys, "argv", ["separation.py", "--bench", str(bench), *options])
    monkeypatch.setattr(sys, "path", list(sys.path))
    runpy.run_path(separation.__file__, run_name="__main__")


@pytest.mark.parametrize("scale", [1.0, 0.01, -3.0])
def test_si_sdr_knows_nothing_of_level(scale: float) -> None:
    clean = voice(2.0, 100.0, np.random.default_rng(1))
    error = noise(len(clean))
    error -= (error @ clean) / (clean @ clean) * clean
    error *= np.sqrt(np.square(clean).sum() / np.square(error).sum() / 100)
    assert si_sdr_db(np.float32(scale) * (clean + error), clean) == pytest.approx(20.0, abs=0.05)


def test_silence_scores_least() -> None:
    clean = voice(1.0, 100.0, np.random.default_rng(1))
    assert si_sdr_db(np.zeros_like(clean), clean) == -80.0
    assert level_change_db(np.zeros_like(clean), clean) == pytest.approx(-120.0)


def test_pauses_are_found_away_from_the_voice() -> None:
    clean = np.zeros(3 * RATE_HZ, np.float32)
    clean[RATE_HZ : 2 * RATE_HZ] = noise(RATE_HZ)
    mask = silent_mask(clean, RATE_HZ)
    assert mask[: RATE_HZ // 2].all()
    assert not mask[RATE_HZ - 2400 : 2 * RATE_HZ + 2400].any()


def test_an_engine_that_does_nothing_gains_nothing(
    bench: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(bench, monkeypatch, "--engines", "passthrough", "--json")
    found = json.loads(capsys.readouterr().out)
    three = [m for m in found["means"] if m["condition"] == "three"]
    assert {m["system"] for m in three} == {"untouched", "passthrough"}
    assert all(m["improvement_db"] == pytest.approx(0.0, abs=1e-6) for m in three)
    assert found["other"]["passthrough"]["clean_si_sdr_db_worst"] == 80.0
    assert found["other"]["passthrough"]["music_alone_db_mean"] == pytest.approx(0.0, abs=1e-6)
    assert len(found["items"]["passthrough"]) == 2


def test_the_table_shows_peers_and_says_what_is_missing(
    bench: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.separation_metrics.find_spec", lambda name: None)
    run(bench, monkeypatch, "--engines", "passthrough")
    shown = capsys.readouterr().out
    assert "| music | A peer (PEERS.md) | 8.20 | 2.00 | 0.854 |" in shown
    assert "| three | A peer (PEERS.md) | 6.20 | 1.50 | 0.754 |" in shown
    assert "| three | passthrough | 0.00 | – | – |" in shown
    assert "pip install pesq pystoi speechmos" in shown


def test_unknown_engines_are_named(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="no engine nosuch"):
        run(bench, monkeypatch, "--engines", "nosuch")


def test_peer_figures_are_read_whole(bench: Path) -> None:
    lines = peer_lines(bench)
    assert [(line.condition, line.improvement_db) for line in lines] == [
        ("music", 8.2),
        ("noise", 4.2),
    ]
