"""Bad documents end in one typed sentence that says what is wrong and what to do."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from testkit.fcp7xml import Clip, Media, Track, premiere_xml
from testkit.passthrough_plan import passthrough_plan

from nlecompanion import plugins
from nlecompanion.errors import (
    DocumentError,
    NotATimeline,
    UnsafeDocument,
    UnsupportedDocument,
)
from nlecompanion.model import ConformPlan, LeftAlone, Reason
from nlecompanion.timeline.contract import Adapter
from nlecompanion.timeline.uses import read_uses

MEDIA = Media(Path("/media/a.mov"), Fraction(25), frames=1000)
GOOD = premiere_xml((Track((Clip(MEDIA, 0, 100, 50),), name="DX"),))
BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE xmeml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<xmeml version="4"><sequence><name>&b;</name></sequence></xmeml>"""
EXTERNAL = b"""<?xml version="1.0"?>
<!DOCTYPE xmeml [<!ENTITY secret SYSTEM "file:///etc/hostname">]>
<xmeml version="4"><sequence><name>&secret;</name></sequence></xmeml>"""


@pytest.fixture
def adapter() -> Adapter:
    return plugins.adapters()["fcp7xml"]


def document(folder: Path, data: bytes) -> Path:
    path = folder / "cut.xml"
    path.write_bytes(data)
    return path


def refused(adapter: Adapter, folder: Path, data: bytes, kind: type[DocumentError]) -> str:
    path = document(folder, data)
    with pytest.raises(kind) as caught:
        adapter.read(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "cut.xml" in sentence
    with pytest.raises(kind):
        adapter.patch(path, ConformPlan("x"), folder / "out.xml")
    assert not (folder / "out.xml").exists()
    return sentence


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"", NotATimeline, "empty"),
        (b"\0" * 4096, NotATimeline, "empty"),
        (b"not XML at all", NotATimeline, "line 1"),
        (GOOD[:2500], NotATimeline, "cut off"),
        (b"<fcpxml version='1.9'/>", NotATimeline, "<fcpxml>"),
        (BOMB, UnsafeDocument, "entities"),
        (EXTERNAL, UnsafeDocument, "entities"),
        (BOMB.decode().encode("utf-16"), UnsafeDocument, "entities"),
        (b"<xmeml>" + b"<bin>" * 20_000, UnsafeDocument, "256 levels"),
        (b"<xmeml>" + b"<bin>" * 300 + b"</bin>" * 300 + b"</xmeml>", UnsafeDocument, "256"),
        (b"<xmeml version='4'/>", UnsupportedDocument, "no sequence"),
        (b"<xmeml><sequence/></xmeml>", UnsupportedDocument, "no sequence"),
        (b"<xmeml><sequence><media/></sequence></xmeml>", UnsupportedDocument, "frame rate"),
        (b"<?xml version='1.0' encoding='klingon'?><xmeml/>", NotATimeline, "XML"),
    ],
)
def test_what_is_no_usable_document_is_refused(
    adapter: Adapter, tmp_path: Path, data: bytes, kind: type[DocumentError], words: str
) -> None:
    assert words in refused(adapter, tmp_path, data, kind)


@pytest.mark.parametrize("timebase", ["0", "-25", "NaN", "inf", "1e300", "twenty"])
def test_a_sequence_rate_that_is_none_is_refused(
    adapter: Adapter, tmp_path: Path, timebase: str
) -> None:
    head, sep, rest = GOOD.partition(b"<timebase>25</timebase>")
    bad = head + f"<timebase>{timebase}</timebase>".encode() + rest
    assert sep
    assert "timebase" in refused(adapter, tmp_path, bad, UnsupportedDocument)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<start>0</start>", "<start>1e30</start>"),
        ("<start>0</start>", f"<start>{'9' * 5000}</start>"),
        ("<in>50</in>", "<in>12.5</in>"),
        ("<in>50</in>", "<in>many</in>"),
    ],
)
def test_a_clip_with_a_place_that_is_none_is_left_alone(
    adapter: Adapter, tmp_path: Path, old: str, new: str
) -> None:
    text = GOOD.decode()
    assert text.count(old) == 2
    (use,) = read_uses(adapter.read(document(tmp_path, text.replace(old, new).encode())))
    assert use.left_alone is not None
    assert use.left_alone.reason is Reason.UNSUPPORTED


def test_a_clip_without_places_is_left_alone_not_lost(adapter: Adapter, tmp_path: Path) -> None:
    data = b"""<xmeml version="5"><sequence><rate><timebase>25</timebase></rate><media><audio>
    <track><clipitem id="a"/><clipitem/><generatoritem/><transitionitem/></track>
    </audio></media></sequence></xmeml>"""
    uses = read_uses(adapter.read(document(tmp_path, data)))
    assert [use.left_alone and use.left_alone.reason for use in uses] == [
        Reason.OFFLINE,
        Reason.OFFLINE,
        Reason.GENERATED,
    ]


def test_two_sequences_are_refused_by_name(adapter: Adapter, tmp_path: Path) -> None:
    body = (
        "<sequence id='{0}'><name>{0}</name><rate><timebase>25</timebase></rate><media/></sequence>"
    )
    both = f"<xmeml version='4'>{body.format('Reel 1')}{body.format('Reel 2')}</xmeml>"
    sentence = refused(adapter, tmp_path, both.encode(), UnsupportedDocument)
    assert "Reel 1, Reel 2" in sentence
    assert "one sequence at a time" in sentence


def test_a_sequence_that_only_serves_another_is_not_in_the_way(
    adapter: Adapter, tmp_path: Path
) -> None:
    inner = "<sequence id='in'><rate><timebase>25</timebase></rate><media/></sequence>"
    outer = (
        "<sequence id='out'><name>Outer</name><rate><timebase>25</timebase></rate><media><audio>"
        "<track><clipitem><start>0</start><end>9</end><sequence id='in'/></clipitem></track>"
        "</audio></media></sequence>"
    )
    timeline = adapter.read(
        document(tmp_path, f"<xmeml version='4'>{inner}{outer}</xmeml>".encode())
    )
    assert timeline.name == "Outer"
    assert read_uses(timeline)[0].left_alone == LeftAlone(
        Reason.NO_SPEECH, "nothing sounds in its range"
    )


def test_an_external_dtd_is_neither_fetched_nor_needed(adapter: Adapter, tmp_path: Path) -> None:
    data = GOOD.replace(
        b"<!DOCTYPE xmeml>", b'<!DOCTYPE xmeml SYSTEM "http://192.0.2.1/xmeml.dtd">'
    )
    path = document(tmp_path, data)
    assert len(read_uses(adapter.read(path))) == 1
    adapter.patch(path, ConformPlan("Cut clean"), tmp_path / "out.xml")
    assert b'SYSTEM "http://192.0.2.1/xmeml.dtd"' in (tmp_path / "out.xml").read_bytes()


def test_a_missing_file_is_one_sentence(adapter: Adapter, tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"gone\.xml cannot be read"):
        adapter.read(tmp_path / "gone.xml")


@pytest.mark.parametrize(
    "address", ["A1/9:clipitem-2", "A9/1:x", "A1/1:other", "", "A0/0:", "Aé/½:"]
)
def test_an_address_from_another_document_is_refused(
    adapter: Adapter, tmp_path: Path, address: str
) -> None:
    path = document(tmp_path, GOOD)
    plan = ConformPlan("Cut clean", disable=(address,))
    with pytest.raises(DocumentError, match="no clip at"):
        adapter.patch(path, plan, tmp_path / "out.xml")


@pytest.mark.parametrize(
    ("head", "score"),
    [
        (GOOD, 100),
        (b"\xef\xbb\xbf" + GOOD, 100),
        (GOOD.decode().encode("utf-16"), 100),
        (b"<xmeml version='5'>", 100),
        (b"<!-- <xmeml> --><fcpxml/>", 0),
        (b"<?xml version='1.0'?><!DOCTYPE fcpxml><fcpxml/>", 0),
        (b"xmeml", 0),
        (b"", 0),
        (bytes(range(256)), 0),
        # Quadratic backtracking over this would take minutes.
        (b"<!DOCTYPE" + b"a" * 65_000, 0),
        (b" " * 65_000, 0),
    ],
)
def test_the_score_tells_by_the_root_element(adapter: Adapter, head: bytes, score: int) -> None:
    assert adapter.score(Path("cut.xml"), head) == score


def test_a_document_without_sound_is_read_and_renamed(adapter: Adapter, tmp_path: Path) -> None:
    path = document(tmp_path, premiere_xml(()))
    timeline = adapter.read(path)
    assert read_uses(timeline) == ()
    assert adapter.patch(path, passthrough_plan(timeline, tmp_path), tmp_path / "out.xml") == ()
    assert adapter.read(tmp_path / "out.xml").name == "Cut clean"
