"""Kdenlive projects are recognised and refused with the export that works."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from testkit.shared import shared

from nlecompanion.errors import UnsupportedDocument
from nlecompanion.model import ConformPlan
from nlecompanion.timeline.contract import Adapter

ADAPTER: Adapter = importlib.import_module("nlecompanion.adapters.kdenlive").ADAPTER

PROJECT = b'<?xml version="1.0"?><mlt producer="main_bin" root="/opt/kdenlive"/>'


def test_the_sentence_names_the_export(tmp_path: Path) -> None:
    path = tmp_path / "cut.kdenlive"
    path.write_bytes(PROJECT)
    with pytest.raises(UnsupportedDocument, match=r"cut\.kdenlive .*OpenTimelineIO Export.*\.otio"):
        ADAPTER.read(path)
    with pytest.raises(UnsupportedDocument):
        ADAPTER.patch(path, ConformPlan("x"), tmp_path / "out.kdenlive")
    assert not (tmp_path / "out.kdenlive").exists()


@pytest.mark.parametrize(
    ("name", "head", "score"),
    [
        ("cut.kdenlive", b"", 100),
        ("cut.xml", PROJECT, 100),
        ("cut.mlt", b'<?xml version="1.0"?><mlt title="Shotcut"/>', 0),
        ("cut.xml", b"<xmeml><!-- kdenlive --></xmeml>", 0),
        ("sound.wav", b"RIFF kdenlive", 0),
    ],
)
def test_the_score(name: str, head: bytes, score: int) -> None:
    assert ADAPTER.score(Path(name), head) == score


def test_every_real_project_is_recognised_without_its_ending() -> None:
    paths = sorted(shared("timelines/corpus/kdenlive").glob("*.kdenlive"))
    assert len(paths) == 3
    for path in paths:
        assert ADAPTER.score(Path("cut"), path.read_bytes()[:65_536]) == 100
