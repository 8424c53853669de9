"""Damaged and hostile lists end in one typed sentence, or are read; nothing else happens."""

from __future__ import annotations

import importlib
import random
from pathlib import Path

import pytest
from testkit import edl
from testkit.contract import made_up_plan
from testkit.mutate import mutated

from nlecompanion.errors import DocumentError, NotATimeline, UnsupportedDocument
from nlecompanion.model import ConformPlan
from nlecompanion.timeline.contract import Adapter
from nlecompanion.timeline.uses import read_uses

ADAPTER: Adapter = importlib.import_module("nlecompanion.adapters.edl").ADAPTER

MUTATIONS = 400
LINE = b"001  R        A     C        00:00:00:00 00:00:01:00 01:00:00:00 01:00:01:00\n"


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"", NotATimeline, "empty"),
        (b"\0" * 4096, NotATimeline, "empty"),
        (b"TITLE: x\nFCM: NON-DROP FRAME\n", NotATimeline, "no events"),
        (bytes(range(256)) * 20, NotATimeline, "binary"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", NotATimeline, "binary"),
        (b'"ID";"Track";"StartTime"\n1;0;0.0\n', NotATimeline, "no events"),
        (LINE.replace(b" A  ", b" V  "), UnsupportedDocument, "no sound"),
        (LINE.replace(b"R   ", b"BL  "), UnsupportedDocument, "no sound"),
        (LINE.replace(b" 01:00:01:00", b" 01:75:01:00"), UnsupportedDocument, "not a timecode"),
        (LINE.replace(b"00:01:00 01", b"00:01:999 01"), UnsupportedDocument, "999"),
        (b"x" * 5_000_000, NotATimeline, "no events"),
    ],
)
def test_what_is_no_usable_list_is_refused(
    tmp_path: Path, data: bytes, kind: type[DocumentError], words: str
) -> None:
    path = tmp_path / "cut.edl"
    path.write_bytes(data)
    with pytest.raises(kind, match=words) as caught:
        ADAPTER.read(path)
    assert "\n" not in str(caught.value)
    assert "cut.edl" in str(caught.value)
    with pytest.raises(kind):
        ADAPTER.patch(path, ConformPlan("x"), tmp_path / "out.edl")
    assert not (tmp_path / "out.edl").exists()


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"gone\.edl cannot be read"):
        ADAPTER.read(tmp_path / "gone.edl")


@pytest.mark.parametrize(
    ("head", "score"),
    [
        (edl.CUT_25.encode(), 90),
        (b"\xef\xbb\xbf" + edl.CUT_25.encode(), 90),
        (LINE, 90),
        (b"TITLE: x\nFCM: DROP FRAME\n", 90),
        (b"TITLE: a play\nAct one\n", 0),
        (b"<?xml version='1.0'?>", 0),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", 0),
        (b"", 0),
        (b"1 " * 32_768, 0),
        (b"M2" + b" 0" * 32_000, 0),
    ],
)
def test_the_score_tells_by_the_lines(head: bytes, score: int) -> None:
    assert ADAPTER.score(Path("cut.txt"), head) == score


def test_mutated_lists_are_read_or_refused(tmp_path: Path) -> None:
    chance = random.Random(11)
    path = tmp_path / "cut.edl"
    read, sentences = 0, []
    for number in range(MUTATIONS):
        path.write_bytes(mutated(edl.CUT_25.encode(), chance))
        try:
            uses = read_uses(ADAPTER.read(path))
            target = tmp_path / f"{number}.edl"
            ADAPTER.patch(path, made_up_plan(uses, "Cut clean"), target)
            ADAPTER.read(target)
            read += 1
        except DocumentError as error:
            sentences.append(str(error))
    assert 0 < read < MUTATIONS
    assert not any("\n" in sentence for sentence in sentences)
