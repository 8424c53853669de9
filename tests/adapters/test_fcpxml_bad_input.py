"""Bad documents end in one typed sentence that says what is wrong and what to do."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
from lxml import etree
from testkit import fcpxml_undo as kit
from testkit.fcpxml import ADAPTER, Writer, specimen
from testkit.passthrough_plan import passthrough_plan

from nlecompanion.errors import (
    DocumentError,
    NotATimeline,
    UnsafeDocument,
    UnsupportedDocument,
)
from nlecompanion.model import ConformPlan, Reason, Use
from nlecompanion.timeline.contract import timeline_facts
from nlecompanion.timeline.uses import read_uses

GOOD = specimen()
BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE fcpxml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<fcpxml version="1.9"><event name="&b;"/></fcpxml>"""
DEEP = b"<fcpxml version='1.9'>" + b"<clip>" * 300 + b"</clip>" * 300 + b"</fcpxml>"


def refused(folder: Path, data: bytes, kind: type[DocumentError]) -> str:
    path = folder / "cut.fcpxml"
    path.write_bytes(data)
    with pytest.raises(kind) as caught:
        ADAPTER.read(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "cut.fcpxml" in sentence
    with pytest.raises(kind):
        ADAPTER.patch(path, ConformPlan("x"), folder / "out.fcpxml")
    assert not (folder / "out.fcpxml").exists()
    return sentence


def uses_of(folder: Path, data: bytes) -> tuple[Use, ...]:
    path = folder / "cut.fcpxml"
    path.write_bytes(data)
    return read_uses(ADAPTER.read(path))


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"", NotATimeline, "empty"),
        (b"not XML at all", NotATimeline, "line 1"),
        (GOOD[:2500], NotATimeline, "cut off"),
        (b"<xmeml version='5'/>", NotATimeline, "<xmeml>"),
        (BOMB, UnsafeDocument, "entities"),
        (DEEP, UnsafeDocument, "256"),
        (b"<fcpxml/>", UnsupportedDocument, "version ''"),
        (b"<fcpxml version='2.0'/>", UnsupportedDocument, "older version"),
        (b"<fcpxml version='1.9'/>", UnsupportedDocument, "no project"),
        (b"<fcpxml version='1.9'><project/></fcpxml>", UnsupportedDocument, "no storyline"),
        (
            b"<fcpxml version='1.9'><project><sequence format='r1'><spine/></sequence></project>"
            b"</fcpxml>",
            UnsupportedDocument,
            "no frame rate",
        ),
    ],
)
def test_what_is_no_usable_document_is_refused(
    tmp_path: Path, data: bytes, kind: type[DocumentError], words: str
) -> None:
    assert words in refused(tmp_path, data, kind)


def test_several_projects_are_refused_by_name(tmp_path: Path) -> None:
    project = GOOD[GOOD.index(b"<project") : GOOD.index(b"</event>")]
    two = GOOD.replace(b"</event>", project.replace(b"Cut 3", b"Cut 4") + b"</event>")
    assert "2 projects (Cut 3, Cut 4)" in refused(tmp_path, two, UnsupportedDocument)


@pytest.mark.parametrize("text", ["0s", "-1/25s", "1/0s", "nan", "NaNs", "1e9s", "25", "2s", ""])
def test_a_frame_that_cannot_be_is_refused(tmp_path: Path, text: str) -> None:
    bad = GOOD.replace(b'frameDuration="1/25s"', f'frameDuration="{text}"'.encode())
    assert "frameDuration" in refused(tmp_path, bad, UnsupportedDocument)


@pytest.mark.parametrize("text", ["many", "1/0s", "9" * 40 + "s", "12", "1/25", "9999999999s", ""])
def test_a_clip_with_a_time_that_is_none_is_left_alone(tmp_path: Path, text: str) -> None:
    write = Writer()
    film = write.asset("film")
    write.items = [
        write.clip(film, "0s", 10, 50),
        write.clip(film, "2s", 10, 50).replace('duration="2s"', f'duration="{text}"'),
        write.clip(film, "4s", 10, 50),
    ]
    uses = uses_of(tmp_path, write.document())
    reasons = sorted(use.left_alone.reason.value for use in uses if use.left_alone is not None)
    assert reasons == [Reason.UNSUPPORTED]
    assert len(uses) == 3


def test_storylines_nested_without_end_are_refused(tmp_path: Path) -> None:
    write = Writer()
    write.items = ["<clip duration='1s'>" * 100 + "</clip>" * 100]
    assert "60 levels" in refused(tmp_path, write.document(), UnsafeDocument)


def test_a_compound_clip_inside_itself_is_left_alone(tmp_path: Path) -> None:
    write = Writer()
    film = write.asset("film")
    loop = '<ref-clip ref="loop" offset="{0}" duration="1s"/>'
    write.resources.append(
        '<media id="loop"><sequence format="r1"><spine>'
        f"{write.clip(film, '0s', 0, 25)}{loop.format('1s')}</spine></sequence></media>"
    )
    write.items = ['<ref-clip ref="loop" offset="0s" duration="2s"/>']
    (use,) = uses_of(tmp_path, write.document())
    assert use.left_alone is not None
    assert use.left_alone.reason is Reason.NESTED


def test_a_clip_of_no_media_is_offline(tmp_path: Path) -> None:
    write = Writer()
    film = write.asset("film")
    write.items = [
        write.clip(film, "0s", 0, 25),
        '<asset-clip ref="r99" offset="1s" duration="1s"/>',
    ]
    data = write.document().replace(b'src="file:///Volumes/Rushes/film%20%231.mov"', b'src=""')
    reasons = [use.left_alone and use.left_alone.reason for use in uses_of(tmp_path, data)]
    assert reasons == [Reason.OFFLINE, Reason.OFFLINE]


def test_a_plan_of_another_document_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.fcpxml"
    path.write_bytes(GOOD)
    plan = passthrough_plan(ADAPTER.read(path), tmp_path)
    write = Writer()
    write.items = [write.clip(write.asset("film"), "0s", 0, 25)]
    path.write_bytes(write.document())
    with pytest.raises(DocumentError, match="not the document"):
        ADAPTER.patch(path, plan, tmp_path / "out.fcpxml")
    assert not (tmp_path / "out.fcpxml").exists()


def test_other_xml_and_folders_are_not_ours(tmp_path: Path) -> None:
    assert ADAPTER.score(tmp_path / "cut.fcpxml", b"<xmeml/>") == 0
    assert ADAPTER.score(tmp_path, b"") == 0
    assert ADAPTER.score(tmp_path / "cut.xml", GOOD[:65_536]) == 100


def test_a_named_format_has_its_rate(tmp_path: Path) -> None:
    for name, rate in (
        ("FFVideoFormat1080p2398", Fraction(24_000, 1001)),
        ("FFVideoFormat1080i50", Fraction(25)),
        ("FFVideoFormat720p60", Fraction(60)),
    ):
        named = GOOD.replace(b'"FFVideoFormat1080p" frameDuration="1/25s"', f'"{name}"'.encode())
        path = tmp_path / "cut.fcpxml"
        path.write_bytes(named)
        timeline = ADAPTER.read(path)
        assert timeline_facts(timeline).rate == rate


_VALUES = [
    "",
    "0s",
    "-5s",
    "1/0s",
    "99999999999/3s",
    "nan",
    "r1",
    "film",
    "2",
    "-1",
    "video",
    "7/9s",
]


@pytest.mark.parametrize("seed", range(20))
def test_damaged_documents_end_in_results_or_sentences(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    path = tmp_path / "cut.fcpxml"
    refusals = 0
    for _ in range(20):
        tree = etree.fromstring(GOOD)
        for _ in range(random.randint(1, 8)):
            element = random.choice(list(tree.iter()))
            if element.attrib and random.random() < 0.6:
                element.set(random.choice(list(element.attrib)), random.choice(_VALUES))
            elif element.attrib and random.random() < 0.5:
                del element.attrib[random.choice(list(element.attrib))]
            elif element.getparent() is not None and random.random() < 0.4:
                element.tag = random.choice([e.tag for e in etree.fromstring(GOOD).iter()])
        path.write_bytes(etree.tostring(tree))
        try:
            timeline = ADAPTER.read(path)
            plan = passthrough_plan(timeline, tmp_path)
            ADAPTER.patch(path, plan, tmp_path / "out.fcpxml")
        except DocumentError:
            refusals += 1
            continue
        delivered = (tmp_path / "out.fcpxml").read_bytes()
        assert kit.canonical(kit.undo(path.read_bytes(), delivered, plan))
        assert len(read_uses(ADAPTER.read(tmp_path / "out.fcpxml"))) >= len(plan.disable)
    assert refusals < 20
