"""Patching `.otio`: what is added looks like the rest, and the rest keeps every character."""

from __future__ import annotations

import difflib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from testkit import otio_json as otio
from testkit.contract import made_up_plan
from testkit.otio_specimens import SPECIMENS
from testkit.shared import shared

from nlecompanion import plugins
from nlecompanion.errors import UnsupportedDocument
from nlecompanion.model import (
    CleanedClip,
    CleanedMedia,
    CleanTrack,
    ConformPlan,
    Loss,
    Span,
    TimelineMarker,
)
from nlecompanion.timeline.uses import read_uses

ADAPTER = plugins.adapters()["otio"]


def conformed(path: Path, plan: ConformPlan | None = None) -> tuple[str, tuple[Loss, ...]]:
    target = path.with_name("delivered.otio")
    if plan is None:
        plan = made_up_plan(read_uses(ADAPTER.read(path)), "Cut 3 clean")
    losses = ADAPTER.patch(path, plan, target)
    return target.read_bytes().decode(), losses


def tracks_of(text: str) -> list[Any]:
    tracks = json.loads(text)["tracks"]["children"]
    assert isinstance(tracks, list)
    return tracks


def specimen(tmp_path: Path, label: str) -> Path:
    return otio.write(tmp_path / "cut.otio", SPECIMENS[label])


def removed_lines(original: str, delivered: str) -> list[str]:
    diff = difflib.ndiff(original.splitlines(), delivered.splitlines(), linejunk=None)
    return [line[2:].strip() for line in diff if line.startswith("- ")]


@pytest.mark.parametrize("label", ["plain", "old schemas", "samples"])
def test_only_lines_that_must_change_do(tmp_path: Path, label: str) -> None:
    """Line for line: the name, the flags, and a comma after what was last."""
    path = specimen(tmp_path, label)
    changed = removed_lines(path.read_text("utf-8"), conformed(path)[0])
    name, flag, ends = '"name": "Cut 3",', '"enabled": true,', {"}", "]", '"source_range": null'}
    assert set(changed) <= {name, flag, '"markers": [],', *ends}


def test_odd_spellings_stay(tmp_path: Path) -> None:
    text = json.dumps(SPECIMENS["plain"], indent=2).replace('"rate": 24.0', '"rate" :2.40e1')
    odd = '"metadata": {"z": 1.10, "n": -Inf, "big": 170141183460469231731687303715884105728}'
    text = "\ufeff" + text.replace('"metadata": {}', odd, 1).replace("\n", "\r\n")
    path = tmp_path / "cut.otio"
    path.write_bytes(text.encode())
    delivered = conformed(path)[0]
    assert odd in delivered
    assert delivered.count('"rate" :2.40e1') == text.count('"rate" :2.40e1')
    assert delivered.startswith("\ufeff{\r\n  ")
    assert "\n" not in delivered.replace("\r\n", "")


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_document_on_one_line_stays_on_one(tmp_path: Path, separators: tuple[str, str]) -> None:
    path = tmp_path / "cut.otio"
    path.write_text(json.dumps(SPECIMENS["plain"], separators=separators))
    delivered = conformed(path)[0]
    assert "\n" not in delivered
    assert delivered == json.dumps(json.loads(delivered), separators=separators)


def test_additions_are_indented_like_the_rest(tmp_path: Path) -> None:
    path = otio.write(tmp_path / "cut.otio", SPECIMENS["transitions"], indent=3)
    delivered = conformed(path)[0]
    assert delivered == json.dumps(json.loads(delivered), indent=3)


def test_huge_numbers_and_infinities_of_the_library_survive(tmp_path: Path) -> None:
    original = shared("timelines/corpus/otio/otio_big_int.otio").read_bytes()
    path = tmp_path / "cut.otio"
    path.write_bytes(original)
    marker = TimelineMarker(Span(Fraction(0), Fraction(1)), "n", "ü")
    delivered = conformed(path, ConformPlan("testdata", markers=(marker,)))[0].encode()
    assert b'"floatinf": Inf,' in delivered
    assert (
        b"57896044618658097711785492504343953926634992332820282019728792003956564819968"
        in delivered
    )


def test_transitions_come_along(tmp_path: Path) -> None:
    """Clips 1, 2 and 4 are cleaned, 3 is retimed: fades into the gap that it leaves."""
    delivered, losses = conformed(specimen(tmp_path, "transitions"))
    children = tracks_of(delivered)[-1]["children"]
    kinds = [child["OTIO_SCHEMA"].partition(".")[0] for child in children]
    assert kinds == [
        "Transition",
        "Clip",
        "Transition",
        "Clip",
        "Transition",
        "Gap",
        "Transition",
        "Clip",
        "Transition",
    ]
    original = SPECIMENS["transitions"]["tracks"]["children"][1]["children"]
    assert [c for c in children if "in_offset" in c] == [original[i] for i in (0, 2, 4, 6, 8)]
    assert losses == ()


def test_a_last_fade_has_something_to_fade_into(tmp_path: Path) -> None:
    sounds = [
        otio.clip(86500.0, 50.0),
        otio.transition(3.0, 6.0),
        otio.clip(86400.0, 50.0, effects=[otio.time_warp(2.0)]),
    ]
    path = otio.write(tmp_path / "cut.otio", otio.timeline([otio.track(sounds)]))
    children = tracks_of(conformed(path)[0])[-1]["children"]
    assert children[1] == sounds[1]
    assert children[2]["source_range"]["duration"] == otio.rt(6.0)
    assert len(children) == 3


def test_resolves_metadata_fits_the_new_file(tmp_path: Path) -> None:
    tracks = tracks_of(conformed(specimen(tmp_path, "resolve"))[0])
    stereo, mono = tracks[-2:]
    assert stereo["metadata"]["Resolve_OTIO"]["Audio Type"] == "Stereo"
    assert mono["metadata"]["Resolve_OTIO"]["Audio Type"] == "Mono"
    children = [*stereo["children"], *mono["children"]]
    clips = [child for child in children if child["OTIO_SCHEMA"] == "Clip.2"]
    about = [clip["metadata"]["Resolve_OTIO"] for clip in clips]
    assert [entry["Link Group ID"] for entry in about] == [4, 5, 6]
    assert about[2]["Channels"] == [{"Source Channel ID": 0, "Source Track ID": 0}]
    assert len(about[0]["Channels"]) == 2
    assert (
        clips[0]["effects"]
        == SPECIMENS["resolve"]["tracks"]["children"][1]["children"][0]["effects"]
    )


def test_premieres_metadata_fits_the_new_file(tmp_path: Path) -> None:
    first = tracks_of(conformed(specimen(tmp_path, "premiere"))[0])[-1]["children"][0]
    about = first["metadata"]["PremierePro_OTIO"]
    assert about["LinkID"] == "6"
    assert about["OriginalChannelGroupIndex"] == 0
    assert about["AudioChannels"] == {
        "ChannelType": "Mono",
        "SecondaryAssignments": [{"SecondaryChannelIndex": 0}],
    }


def test_markers_count_as_the_documents_own_do(tmp_path: Path) -> None:
    marker = TimelineMarker(Span(Fraction(10), Fraction(1, 100)), "DX", "why", "RED")
    plan = ConformPlan("Cut 3", markers=(marker,))
    plain = json.loads(conformed(specimen(tmp_path, "plain"), plan)[0])["tracks"]["markers"]
    assert plain[0]["marked_range"] == otio.span(240.0, 1.0)
    resolve = json.loads(conformed(specimen(tmp_path, "resolve"), plan)[0])["tracks"]["markers"]
    # 10 s at 23.976 begin in frame 239; the specimen's own marker counts from the start timecode.
    assert resolve[1]["marked_range"]["start_time"]["value"] == 86400 + 239
    assert resolve[1]["metadata"] == {"Resolve_OTIO": {"Keywords": [], "Note": "why"}}


def test_a_track_that_trims_itself_gets_clips_of_what_is_heard(tmp_path: Path) -> None:
    tracks = tracks_of(conformed(specimen(tmp_path, "trimmed"))[0])
    new = tracks[-1]
    assert new["source_range"] is None
    # The stack's own trim begins at 10: what is heard first lies there on the new track.
    gap, first = new["children"][:2]
    assert gap["source_range"]["duration"] == otio.rt(10.0)
    assert first["source_range"] == otio.span(86530.0, 70.0)


def test_off_the_frame_grid_the_samples_count(tmp_path: Path) -> None:
    path = specimen(tmp_path, "plain")
    use = read_uses(ADAPTER.read(path))[0]
    file = CleanedMedia(
        "m1", Path("/d/1.wav"), 48_000, 1, 480_001, Fraction(3600) + Fraction(1, 48_000), None
    )
    clip = CleanedClip(use.id, use.addresses, file, Fraction(7, 48_000), use.record)
    delivered, losses = conformed(path, ConformPlan("x", (CleanTrack("DX clean 1", 1, (clip,)),)))
    new = tracks_of(delivered)[-1]["children"][0]
    assert new["source_range"]["start_time"] == otio.rt(3600 * 48_000 + 8.0, 48_000.0)
    assert new["source_range"]["duration"] == otio.rt(100.0)
    available = new["media_references"]["DEFAULT_MEDIA"]["available_range"]
    assert available["duration"] == otio.rt(480_001.0, 48_000.0)
    assert losses == ()


def test_what_no_rate_counts_is_a_loss(tmp_path: Path) -> None:
    path = specimen(tmp_path, "plain")
    use = read_uses(ADAPTER.read(path))[0]
    odd = Fraction(1, 999_983)
    file = CleanedMedia("m1", Path("/d/1.wav"), 48_000, 1, 480_000, Fraction(3600), None)
    clip = CleanedClip(use.id, use.addresses, file, odd, use.record)
    _, losses = conformed(path, ConformPlan("x", (CleanTrack("DX clean 1", 1, (clip,)),)))
    assert len(losses) == 1
    assert "rounded" in losses[0].what


@pytest.mark.parametrize(
    "address", ["tracks/9/children/0", "tracks/1/children/99", "tracks/1", "x"]
)
def test_an_address_that_is_not_there_is_an_error(tmp_path: Path, address: str) -> None:
    path = specimen(tmp_path, "plain")
    with pytest.raises(UnsupportedDocument, match="does not have"):
        ADAPTER.patch(path, ConformPlan("x", disable=(address,)), tmp_path / "out.otio")
    assert not (tmp_path / "out.otio").exists()


def test_clips_over_each_other_are_an_error(tmp_path: Path) -> None:
    path = specimen(tmp_path, "plain")
    plan = made_up_plan(read_uses(ADAPTER.read(path)), "x")
    first = plan.tracks[0].clips[0]
    with pytest.raises(UnsupportedDocument, match="over each other"):
        conformed(path, ConformPlan("x", (CleanTrack("DX clean 1", 2, (first, first)),)))


def test_notes_of_another_adapter_are_addresses_too(tmp_path: Path) -> None:
    tree = json.loads(json.dumps(SPECIMENS["plain"]))
    tree["tracks"]["children"][1]["children"][2]["metadata"] = {
        "nlecompanion": {"address": "A1/3:clipitem-7", "use": "u", "record": ["31/6", "5/2"]}
    }
    path = otio.write(tmp_path / "cut.otio", tree)
    delivered, _ = conformed(path, ConformPlan("x", disable=("A1/3:clipitem-7",)))
    flags = [child["enabled"] for child in tracks_of(delivered)[1]["children"]]
    assert flags == [True, True, False, True]
