"""Damaged and hostile AAFs: a result or one sentence, never a hang."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import aaf2
import pytest
from testkit import aaf
from testkit.aaf_damage import damaged
from testkit.contract import made_up_plan
from testkit.shared import shared

from nlecompanion.errors import (
    DocumentError,
    MediaOffline,
    NotATimeline,
    UnsafeDocument,
    UnsupportedDocument,
)
from nlecompanion.model import Reason
from nlecompanion.plugins import adapters
from nlecompanion.timeline.uses import read_uses

ADAPTER: Any = adapters()["aaf"]
MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")


def refusal(path: Path) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        ADAPTER.read(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert path.name in sentence
    assert sentence.endswith(".")
    return caught.value


def specimen(folder: Path) -> bytes:
    return aaf.SPECIMENS["resolve samples"](folder / "whole.aaf").read_bytes()


@pytest.mark.parametrize(
    "data",
    [b"", b"FORM\0\0\0\0AIFF", b"<?xml version='1.0'?>", MAGIC, MAGIC * 40],
    ids=["empty", "aiff", "xml", "magic", "magics"],
)
def test_what_is_no_aaf(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.aaf"
    path.write_bytes(data)
    refusal(path)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_file_that_is_cut_off(share: float, tmp_path: Path) -> None:
    data = specimen(tmp_path)
    path = tmp_path / "cut.aaf"
    path.write_bytes(data[: int(len(data) * share)])
    assert isinstance(refusal(path), NotATimeline)


def test_another_kind_of_compound_file(tmp_path: Path) -> None:
    path = tmp_path / "letter.aaf"
    from aaf2.cfb import CompoundFileBinary

    with path.open("wb+") as file:
        compound = CompoundFileBinary(file, "wb+")
        compound.open("/WordDocument", "w").write(b"Dear editor")
        compound.close()
    refusal(path)


def directory_of(data: bytes | bytearray) -> int:
    """Where the directory's first sector begins."""
    (shift,) = struct.unpack_from("<H", data, 30)
    (first,) = struct.unpack_from("<I", data, 48)
    place: int = (first + 1) << shift
    return place


def test_a_directory_that_goes_in_circles(tmp_path: Path) -> None:
    data = bytearray(specimen(tmp_path))
    root = directory_of(data)
    struct.pack_into("<I", data, root + 76, 5)
    struct.pack_into("<2I", data, root + 128 * 5 + 68, 5, 5)
    path = tmp_path / "cut.aaf"
    path.write_bytes(data)
    assert isinstance(refusal(path), UnsafeDocument)


def test_an_index_that_counts_billions(tmp_path: Path) -> None:
    data = bytearray(specimen(tmp_path))
    name = "Mobs-1901 index".encode("utf-16-le")
    entry = data.find(name)
    assert entry % 128 == 0
    sector, size = struct.unpack_from("<IQ", data, entry + 116)
    assert size < 4096  # a small stream: it lies in the root's own
    root = directory_of(data)
    (shift,) = struct.unpack_from("<H", data, 30)
    (stream,) = struct.unpack_from("<I", data, root + 116)
    (fat,) = struct.unpack_from("<I", data, 76)
    for _ in range(sector * 64 >> shift):
        (stream,) = struct.unpack_from("<I", data, ((fat + 1) << shift) + 4 * stream)
    place = ((stream + 1) << shift) + sector * 64 % (1 << shift)
    struct.pack_into("<I", data, place, 0xFFFFFFF0)
    path = tmp_path / "cut.aaf"
    path.write_bytes(data)
    assert isinstance(refusal(path), UnsafeDocument)


def test_a_chain_that_bites_its_tail(tmp_path: Path) -> None:
    data = bytearray(specimen(tmp_path))
    (shift,) = struct.unpack_from("<H", data, 30)
    (fat,) = struct.unpack_from("<I", data, 76)
    (first,) = struct.unpack_from("<I", data, 48)
    struct.pack_into("<I", data, ((fat + 1) << shift) + 4 * first, first)
    path = tmp_path / "cut.aaf"
    path.write_bytes(data)
    assert isinstance(refusal(path), UnsafeDocument)


def made(folder: Path, build: Callable[[aaf.Maker], None]) -> Path:
    path = folder / "cut.aaf"
    with aaf2.open(str(path), "w") as file:
        build(aaf.Maker(file, Fraction(25)))
    return path


def test_no_sequence_inside(tmp_path: Path) -> None:
    path = made(tmp_path, lambda make: setattr(make.top, "usage", "Usage_SubClip"))
    assert isinstance(refusal(path), UnsupportedDocument)


@pytest.mark.parametrize("rate", ["0/1", "-25/1", "900000000/1"])
def test_rates_that_nothing_runs_at(rate: str, tmp_path: Path) -> None:
    def build(make: aaf.Maker) -> None:
        make.track(1, "", [make.filler(10)])
        next(iter(make.top.slots))["EditRate"].value = rate

    refusal(made(tmp_path, build))


@pytest.mark.parametrize("length", [-1, -(2**62), 2**62])
def test_lengths_that_are_none(length: int, tmp_path: Path) -> None:
    def build(make: aaf.Maker) -> None:
        clip = make.clip(make.master(aaf.Wave("/a.wav", "a")), 0, 10)
        make.track(1, "", [clip])
        clip.length = length

    assert isinstance(refusal(made(tmp_path, build)), UnsupportedDocument)


def test_sources_in_a_circle(tmp_path: Path) -> None:
    def build(make: aaf.Maker) -> None:
        master = make.master(aaf.Wave("/a.wav", "a"))
        next(iter(master.slots)).segment.mob = master
        make.track(1, "", [make.clip(master, 0, 10)])

    (use,) = read_uses(ADAPTER.read(made(tmp_path, build)))
    assert use.left_alone is not None
    assert use.left_alone.reason is Reason.OFFLINE
    assert "circle" in use.left_alone.detail


def test_effects_nested_deeply(tmp_path: Path) -> None:
    def build(make: aaf.Maker) -> None:
        segment = make.clip(make.master(aaf.Wave("/a.wav", "a")), 0, 10)
        for _ in range(60):
            segment = make.operation(aaf.GAIN, "Audio Gain", [segment], 10)
        make.track(1, "", [segment])

    (use,) = read_uses(ADAPTER.read(made(tmp_path, build)))
    assert use.left_alone is not None
    assert use.left_alone.reason is Reason.UNSUPPORTED


def test_media_that_are_not_inside(tmp_path: Path) -> None:
    specimen(tmp_path)
    for url in ("embedded-essence/../../x", f"embedded-essence/{'0' * 63}1/a.wav"):
        with pytest.raises(MediaOffline):
            ADAPTER.essence(tmp_path / "whole.aaf", url, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", range(6))
def test_damage_gives_a_result_or_a_sentence(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    documents = [make(tmp_path / f"{n}.aaf") for n, make in enumerate(aaf.SPECIMENS.values())]
    documents += [shared(f"timelines/corpus/aaf/{name}.aaf") for name in ("MC_Markers",)]
    originals = [path.read_bytes() for path in documents]
    path, target = tmp_path / "damaged.aaf", tmp_path / "conformed.aaf"
    outcomes, sentences = set(), []
    for _ in range(40):
        path.write_bytes(damaged(chance.choice(originals), chance))
        try:
            plan = made_up_plan(read_uses(ADAPTER.read(path)), "cut clean")
            ADAPTER.patch(path, plan, target)
            read_uses(ADAPTER.read(target))
            outcomes.add("conformed")
        except DocumentError as error:
            outcomes.add("refused")
            sentences.append(str(error))
    assert outcomes == {"conformed", "refused"}
    assert not [sentence for sentence in sentences if "\n" in sentence]
