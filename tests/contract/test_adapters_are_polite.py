"""An adapter opens the document and the target, and nothing else: no media, no network."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from testkit.contract import CASES, Case, made_up_plan

from nlecompanion import plugins
from nlecompanion.timeline.uses import read_uses

#: What the interpreter does; None while nobody listens. An audit hook cannot be taken out again.
_heard: list[tuple[str, str]] | None = None
_REACHES_OUT = ("socket.", "subprocess.", "os.system", "urllib.", "ftplib.", "os.exec", "os.spawn")


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if _heard is not None and (event == "open" or event.startswith(_REACHES_OUT)):
        _heard.append((event, str(arguments[0])))


sys.addaudithook(_listen)


@contextmanager
def listening() -> Iterator[list[tuple[str, str]]]:
    """What is opened or reached out for meanwhile, besides the installed packages themselves."""
    global _heard
    heard: list[tuple[str, str]] = []
    _heard = heard
    try:
        yield heard
    finally:
        _heard = None
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    heard[:] = [
        (event, what)
        for event, what in heard
        if not what.startswith((*places, sys.base_prefix)) and not what.endswith((".py", ".pyc"))
    ]


def _fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.iterdir()
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_reading_opens_the_document_only(case: Case, tmp_path: Path) -> None:
    path = case.write(tmp_path)
    before = _fingerprint(tmp_path)
    adapter = plugins.adapters()[case.format]
    with listening() as heard:
        adapter.read(path)
    assert {what for _, what in heard} <= {str(path)}
    assert _fingerprint(tmp_path) == before


@pytest.mark.parametrize("case", CASES, ids=str)
def test_patching_opens_the_document_and_the_target(case: Case, tmp_path: Path) -> None:
    source, delivery = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    delivery.mkdir()
    path = case.write(source)
    before = _fingerprint(source)
    adapter = plugins.adapters()[case.format]
    plan = made_up_plan(read_uses(adapter.read(path)), "Cut clean")
    target = delivery / path.name
    with listening() as heard:
        adapter.patch(path, plan, target)
    made = sorted(delivery.iterdir())
    assert {what for _, what in heard} == {str(path), *map(str, made)}
    assert _fingerprint(source) == before
    # An EDL holds one track: each new one is a list of its own beside it.
    assert made == [target] if case.format != "edl" else target in made


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_surest_adapter_is_the_documents_own(case: Case, tmp_path: Path) -> None:
    path = case.write(tmp_path)
    assert plugins.adapter_for(path).name == case.format
    assert plugins.adapter_for(path.rename(tmp_path / "no-ending")).name == case.format


@pytest.mark.parametrize("name", sorted(plugins.adapters()))
def test_other_files_are_nobodys(name: str, tmp_path: Path) -> None:
    adapter = plugins.adapters()[name]
    for other in (b"RIFF\x00\x00\x00\x00WAVEfmt ", b"", b"\x00" * 100, b"<html></html>", b"{}"):
        assert adapter.score(tmp_path / "sound.wav", other) == 0
