"""The readers under names of their own in OpenTimelineIO: on request, and never by suffix."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import opentimelineio as otio
import pytest
from testkit.contract import CASES, Case

from nlecompanion import plugins
from nlecompanion.errors import DocumentError

MANIFEST = Path(str(resources.files("nlecompanion.adapters"))) / "plugin_manifest.json"
FIRST_OF_EACH = list({case.format: case for case in reversed(CASES)}.values())


@pytest.fixture
def manifest(monkeypatch: pytest.MonkeyPatch) -> Iterator[otio.plugins.manifest.Manifest]:
    """OpenTimelineIO with our manifest and nobody else's."""
    monkeypatch.setenv("OTIO_PLUGIN_MANIFEST_PATH", str(MANIFEST))
    monkeypatch.setenv("OTIO_DISABLE_ENTRYPOINTS_PLUGINS", "1")
    yield otio.plugins.ActiveManifest(force_reload=True)
    monkeypatch.undo()
    otio.plugins.ActiveManifest(force_reload=True)


def ours(manifest: otio.plugins.manifest.Manifest) -> list[otio.adapters.Adapter]:
    return [entry for entry in manifest.adapters if entry.name.startswith("nlecompanion_")]


def test_every_installed_adapter_has_an_entry(
    manifest: otio.plugins.manifest.Manifest,
) -> None:
    names = [entry.name for entry in ours(manifest)]
    assert sorted(names) == sorted(f"nlecompanion_{name}" for name in plugins.adapters())


def test_no_entry_claims_a_suffix(manifest: otio.plugins.manifest.Manifest) -> None:
    assert [list(entry.suffixes) for entry in ours(manifest)] == [[] for _ in ours(manifest)]
    for suffix in {s.removeprefix(".") for a in plugins.adapters().values() for s in a.suffixes}:
        taken = [entry.name for entry in manifest.adapters if suffix in entry.suffixes]
        assert not any(name.startswith("nlecompanion_") for name in taken)


@pytest.mark.parametrize("case", FIRST_OF_EACH, ids=str)
def test_the_reader_is_the_adapters_own(
    case: Case, tmp_path: Path, manifest: otio.plugins.manifest.Manifest
) -> None:
    path = case.write(tmp_path)
    name = f"nlecompanion_{case.format}"
    read = otio.adapters.read_from_file(str(path), adapter_name=name)
    assert read.to_json_string() == plugins.adapters()[case.format].read(path).to_json_string()
    assert any(clip.metadata.get("nlecompanion") for track in read.audio_tracks() for clip in track)


def test_a_refusal_reaches_the_caller_as_its_sentence(
    tmp_path: Path, manifest: otio.plugins.manifest.Manifest
) -> None:
    path = tmp_path / "cut.xml"
    path.write_text("<xmeml version='5'><sequence>", encoding="utf-8")
    with pytest.raises(DocumentError, match=r"cut\.xml"):
        otio.adapters.read_from_file(str(path), adapter_name="nlecompanion_fcp7xml")


def test_they_only_read(tmp_path: Path, manifest: otio.plugins.manifest.Manifest) -> None:
    with pytest.raises(otio.exceptions.AdapterDoesntSupportFunctionError):
        otio.adapters.write_to_file(
            otio.schema.Timeline(), str(tmp_path / "x.xml"), adapter_name="nlecompanion_fcp7xml"
        )
    assert not list(tmp_path.iterdir())


def test_an_entry_without_its_adapter_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manifest: otio.plugins.manifest.Manifest
) -> None:
    monkeypatch.setattr(plugins, "adapters", lambda: {})
    with pytest.raises(otio.exceptions.NotSupportedError, match="no reader 'rpp'"):
        otio.adapters.read_from_file(str(tmp_path / "x.rpp"), adapter_name="nlecompanion_rpp")


def test_finding_the_manifest_loads_no_reader() -> None:
    """As OpenTimelineIO does for the entry point: import the package, read the JSON beside it."""
    code = (
        "import json, sys; from importlib import resources; import nlecompanion.adapters as a; "
        "assert not hasattr(a, 'plugin_manifest'); "
        "text = (resources.files(a.__name__) / 'plugin_manifest.json').read_text(); "
        "print(json.dumps([len(json.loads(text)['adapters']), sorted(set(sys.modules) & "
        "{'lxml', 'numpy', 'scipy', 'torch', 'av', 'opentimelineio', 'nlecompanion.plugins'})]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, heavy = json.loads(done.stdout)
    assert count == len(json.loads(MANIFEST.read_text(encoding="utf-8"))["adapters"])
    assert heavy == []
