"""Bad `.otio` input ends in one sentence of a known type, never in a crash or a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from testkit import otio_json as otio
from testkit.contract import made_up_plan
from testkit.otio_specimens import SPECIMENS

from nlecompanion import plugins
from nlecompanion.errors import (
    DocumentError,
    NotATimeline,
    UnsafeDocument,
    UnsupportedDocument,
)
from nlecompanion.timeline.uses import read_uses

ADAPTER = plugins.adapters()["otio"]
PLAIN = json.dumps(SPECIMENS["plain"], indent=4)


def refuse(tmp_path: Path, data: bytes | str) -> DocumentError:
    path = tmp_path / "cut.otio"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(DocumentError) as caught:
        ADAPTER.read(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return caught.value


@pytest.mark.parametrize(
    "data",
    [b"", b" \n", b"hello", b"{", b"\xff\xfe{\x00}\x00", b"<xmeml/>", PLAIN[:-3], PLAIN[:5000]],
    ids=["empty", "blank", "text", "brace", "utf-16", "xml", "cut at the end", "cut in the middle"],
)
def test_what_is_not_json_is_not_a_timeline(tmp_path: Path, data: bytes | str) -> None:
    assert isinstance(refuse(tmp_path, data), NotATimeline)


@pytest.mark.parametrize(
    "data", ["{}", "[]", "5", "null", '{"OTIO_SCHEMA": 7}', '{"OTIO_SCHEMA": "Clip.2"}']
)
def test_json_that_is_no_timeline_is_unsupported(tmp_path: Path, data: str) -> None:
    assert isinstance(refuse(tmp_path, data), UnsupportedDocument)


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ('{"OTIO_SCHEMA":"Stack.1","children":[', "]}"),
        ("[", "]"),
        ('{"a":', "}"),
    ],
)
def test_20_000_levels_are_refused_before_anything_parses(
    tmp_path: Path, opening: str, closing: str
) -> None:
    deep = opening * 20_000 + "1" + closing * 20_000
    text = f'{{"OTIO_SCHEMA": "Timeline.1", "metadata": {{"x": {deep}}}}}'
    assert isinstance(refuse(tmp_path, text), UnsafeDocument)
    assert isinstance(refuse(tmp_path, opening * 20_000), UnsafeDocument)


def test_brackets_in_strings_are_not_levels(tmp_path: Path) -> None:
    tree = otio.timeline([otio.picture()], name="[{" * 5000 + '\\"')
    assert ADAPTER.read(otio.write(tmp_path / "cut.otio", tree)).name.startswith("[{")


def test_too_large_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cut.otio"
    with path.open("wb") as file:
        file.truncate(300 * 2**20)
    monkeypatch.setattr(Path, "read_bytes", lambda _path: pytest.fail("it was read"))
    with pytest.raises(UnsafeDocument, match="300 MiB"):
        ADAPTER.read(path)


def test_numbers_of_thousands_of_digits_are_refused(tmp_path: Path) -> None:
    text = PLAIN.replace('"value": 100.0', f'"value": {"9" * 5000}')
    assert isinstance(refuse(tmp_path, text), UnsafeDocument)
    assert isinstance(refuse(tmp_path, text.replace("9" * 5000, "9" * 400)), UnsupportedDocument)


IMPOSSIBLE_RATES = (
    *("0", "0.0", "-24.0", "NaN", "Infinity", "-Infinity", "Inf"),
    *("1e12", "1e999", "1e-12", "true", '"24"', "null"),
)


@pytest.mark.parametrize("rate", IMPOSSIBLE_RATES)
@pytest.mark.parametrize("tracks", ["picture", "sound"])
def test_impossible_rates(tmp_path: Path, rate: str, tracks: str) -> None:
    only = otio.picture() if tracks == "picture" else otio.track([otio.clip(86400.0, 9.0)])
    text = json.dumps(otio.timeline([only])).replace('"rate": 24.0', f'"rate": {rate}', 2)
    assert isinstance(refuse(tmp_path, text), UnsupportedDocument)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e300", "-1.0", '"1"', "null", "false"])
def test_impossible_durations(tmp_path: Path, value: str) -> None:
    text = json.dumps(otio.timeline([otio.track([otio.clip(86400.0, 777.0)])]))
    assert isinstance(
        refuse(tmp_path, text.replace('"value": 777.0', f'"value": {value}')), UnsupportedDocument
    )


def _changed(*path: Any, value: Any) -> str:
    tree = copy.deepcopy(dict(SPECIMENS["transitions"]))
    holder: Any = tree
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return json.dumps(tree)


_SOUND = ("tracks", "children", 1)
_CLIP = (*_SOUND, "children", 1)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("tracks",), None),
        (("tracks",), []),
        (("tracks", "children"), {}),
        (("tracks", "source_range"), 5),
        (("tracks", "children", 1), "track"),
        ((*_SOUND, "children"), 5),
        ((*_SOUND, "children", 1), None),
        ((*_SOUND, "children", 1), {"OTIO_SCHEMA": "Strange.1"}),
        ((*_SOUND, "children", 0, "in_offset"), {"rate": 0}),
        ((*_SOUND, "children", 0, "out_offset"), otio.rt(-1.0)),
        ((*_CLIP, "effects"), "loud"),
        ((*_CLIP, "effects"), [otio.time_warp(float("nan"))]),
        ((*_CLIP, "effects"), [otio.time_warp(1e300)]),
        ((*_CLIP, "enabled"), "yes"),
        ((*_CLIP, "source_range"), otio.rt(1.0)),
        ((*_CLIP, "media_references"), {"DEFAULT_MEDIA": 5}),
        ((*_CLIP, "media_references", "DEFAULT_MEDIA", "available_range"), []),
        (("global_start_time",), 12),
        (("global_start_time",), {"OTIO_SCHEMA": "RationalTime.1", "rate": 24}),
        (("OTIO_SCHEMA",), "Timeline.99"),
        (("OTIO_SCHEMA",), "Timeline"),
    ],
    ids=str,
)
def test_wrong_types_anywhere(tmp_path: Path, path: tuple[Any, ...], value: Any) -> None:
    assert isinstance(refuse(tmp_path, _changed(*path, value=value)), UnsupportedDocument)


def test_a_ring_of_references_is_refused(tmp_path: Path) -> None:
    ring = {"OTIO_SCHEMA": "SerializableObjectRef.1", "id": "root"}
    tree = otio.timeline([otio.track([ring])]) | {"OTIO_REF_ID": "root"}
    assert "reference" in str(refuse(tmp_path, json.dumps(tree)))


@pytest.mark.parametrize("label", ["UnknownSchema.1", "Unknown\\u0053chema.1"])
def test_the_schema_that_ends_the_process_is_refused(tmp_path: Path, label: str) -> None:
    text = PLAIN.replace('"metadata": {}', f'"metadata": {{"x": {{"OTIO_SCHEMA": "{label}"}}}}', 1)
    error = refuse(tmp_path, text)
    assert isinstance(error, UnsafeDocument)
    assert "UnknownSchema" in str(error)


_EXTERNAL = {"OTIO_SCHEMA": "ExternalReference.1", "target_url": "x"}
CRASHES = [
    {"OTIO_SCHEMA": "RationalTime.1", "rate": 24, "value": 1, "x": _EXTERNAL},
    {"OTIO_SCHEMA": "TimeRange.1", "start_time": otio.rt(1), "duration": [_EXTERNAL]},
    {"OTIO_SCHEMA": "TimeTransform.1", "offset": _EXTERNAL},
    {"OTIO_SCHEMA": "Box2d.1", "min": {"OTIO_SCHEMA": "V2d.1", "x": [_EXTERNAL]}},
    {"OTIO_SCHEMA": "Clip.1", "media_references": {"DEFAULT_MEDIA": _EXTERNAL}},
    {"OTIO_SCHEMA": "Clip.0", "active_media_reference_key": _EXTERNAL},
    {"OTIO_SCHEMA": "Clip.1", "media_reference": [_EXTERNAL]},
    {"OTIO_SCHEMA": "Marker.1", "marked_range": _EXTERNAL},
]


@pytest.mark.parametrize("value", CRASHES, ids=lambda value: str(value["OTIO_SCHEMA"]))
def test_what_crashes_the_library_natively_is_refused(tmp_path: Path, value: Any) -> None:
    tree = otio.timeline([otio.picture()]) | {"metadata": {"x": [value]}}
    assert isinstance(refuse(tmp_path, json.dumps(tree)), UnsafeDocument)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    """They made the library crash natively, and programs disagree on which of them counts."""
    error = refuse(tmp_path, PLAIN.replace('"name": "A003"', '"name": "A003", "name": "B"', 1))
    assert isinstance(error, UnsafeDocument)
    assert "'name'" in str(error)


def test_a_newer_schema_is_named(tmp_path: Path) -> None:
    text = PLAIN.replace('"Clip.2"', '"Clip.7"', 1)
    assert "Clip.7" in str(refuse(tmp_path, text))


def test_a_folder_is_no_document(tmp_path: Path) -> None:
    with pytest.raises(NotATimeline):
        ADAPTER.read(tmp_path)


_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["Clip.2", "Track.1", "Stack.1", "Gap.1", "Audio", "Timeline.1", "Clip.-1"]),
)
_keys = st.sampled_from(["OTIO_SCHEMA", "children", "rate", "value"])
_junk = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_keys, inner, max_size=3)),
    max_leaves=6,
)
#: Each example overwrites the one before.
_SAME_FOLDER = [HealthCheck.function_scoped_fixture]


def _places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values below a tree."""
    inner: Any = ()
    if isinstance(tree, dict):
        inner = tree.items()
    elif isinstance(tree, list):
        inner = enumerate(tree)
    found = [path] if path else []
    for step, value in inner:
        found += _places(value, (*path, step))
    return found


def _sentence_of(call: Callable[[], object]) -> str | None:
    """What a refusal says; None where there is none. Any other exception goes on."""
    try:
        call()
    except DocumentError as error:
        return str(error)
    return None


@settings(max_examples=300, deadline=None, suppress_health_check=_SAME_FOLDER)
@given(data=st.data())
def test_junk_in_a_good_document_gives_results_or_a_sentence(
    tmp_path: Path, data: st.DataObject
) -> None:
    label = data.draw(st.sampled_from(sorted(SPECIMENS)))
    tree = copy.deepcopy(dict(SPECIMENS[label]))
    for _ in range(data.draw(st.integers(1, 3))):
        *steps, last = data.draw(st.sampled_from(_places(tree)))
        holder: Any = tree
        for step in steps:
            holder = holder[step]
        holder[last] = data.draw(_junk)
    path = otio.write(tmp_path / "cut.otio", tree, indent=None)

    def conform() -> None:
        uses = read_uses(ADAPTER.read(path))
        ADAPTER.patch(path, made_up_plan(uses, "clean"), tmp_path / "out.otio")

    sentence = _sentence_of(conform)
    if sentence is None:
        ADAPTER.read(tmp_path / "out.otio")
    else:
        assert "\n" not in sentence


@settings(max_examples=200, deadline=None, suppress_health_check=_SAME_FOLDER)
@given(
    start=st.integers(0, len(PLAIN) - 1),
    length=st.integers(0, 40),
    new=st.one_of(st.text(max_size=5), st.sampled_from(["}", "]", '"', ",", "{", "9" * 30])),
)
def test_text_damaged_anywhere_gives_results_or_a_sentence(
    tmp_path: Path, start: int, length: int, new: str
) -> None:
    path = tmp_path / "cut.otio"
    damaged = PLAIN[:start] + new + PLAIN[start + length :]
    path.write_bytes(damaged.encode("utf-8", "surrogatepass"))
    assert "\n" not in (_sentence_of(lambda: ADAPTER.read(path)) or "")
