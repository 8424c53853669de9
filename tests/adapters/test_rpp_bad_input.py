"""Damaged and hostile projects end in one typed sentence, or are read; nothing else happens."""

from __future__ import annotations

import importlib
import random
from pathlib import Path

import pytest
from testkit import rpp
from testkit.contract import made_up_plan
from testkit.mutate import mutated

from nlecompanion.errors import DocumentError, NotATimeline, UnsafeDocument
from nlecompanion.model import ConformPlan
from nlecompanion.timeline.contract import Adapter
from nlecompanion.timeline.uses import read_uses

ADAPTER: Adapter = importlib.import_module("nlecompanion.adapters.rpp").ADAPTER

GOOD = rpp.SPECIMENS["plain"]
MUTATIONS = 400


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"", NotATimeline, "empty"),
        (b"\0" * 4096, NotATimeline, "empty"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", NotATimeline, "not a REAPER project"),
        (b"<html></html>", NotATimeline, "not a REAPER project"),
        (b"<REAPER_PROJECT 0.1\n", NotATimeline, "cut off"),
        (GOOD[: len(GOOD) // 2], NotATimeline, "cut off"),
        (GOOD.replace(b"Boom", b"B\0m"), NotATimeline, "NUL"),
        (b"<REAPER_PROJECT\n" + b"<A\n" * 20_000, UnsafeDocument, "256 levels"),
    ],
)
def test_what_is_no_usable_project_is_refused(
    tmp_path: Path, data: bytes, kind: type[DocumentError], words: str
) -> None:
    path = tmp_path / "cut.rpp"
    path.write_bytes(data)
    with pytest.raises(kind, match=words) as caught:
        ADAPTER.read(path)
    assert "\n" not in str(caught.value)
    assert "cut.rpp" in str(caught.value)
    with pytest.raises(kind):
        ADAPTER.patch(path, ConformPlan("x"), tmp_path / "out.rpp")
    assert not (tmp_path / "out.rpp").exists()


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"gone\.rpp cannot be read"):
        ADAPTER.read(tmp_path / "gone.rpp")


@pytest.mark.parametrize(
    ("head", "score"),
    [
        (GOOD, 100),
        (b"\xef\xbb\xbf" + GOOD, 100),
        (b"<?xml version='1.0'?>", 0),
        (b"{}", 0),
        (b"", 0),
    ],
)
def test_the_score_tells_by_the_first_line(head: bytes, score: int) -> None:
    assert ADAPTER.score(Path("cut"), head) == score


def test_mutated_projects_are_read_or_refused(tmp_path: Path) -> None:
    chance = random.Random(7)
    path, target = tmp_path / "cut.rpp", tmp_path / "out.rpp"
    read, sentences = 0, []
    for _ in range(MUTATIONS):
        path.write_bytes(mutated(chance.choice(sorted(rpp.SPECIMENS.values())), chance))
        try:
            uses = read_uses(ADAPTER.read(path))
            ADAPTER.patch(path, made_up_plan(uses, "Cut clean"), target)
            ADAPTER.read(target)
            read += 1
        except DocumentError as error:
            sentences.append(str(error))
    assert 0 < read < MUTATIONS
    assert not any("\n" in sentence for sentence in sentences)
