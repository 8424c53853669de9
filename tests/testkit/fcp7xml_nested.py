"""A Premiere sequence in which another one is nested, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from fractions import Fraction
from pathlib import Path

from lxml import etree
from testkit.fcp7xml import Clip, Media, Track, premiere_xml

RATE = Fraction(25)
_SHOWN = "/nested-sequence"


def shown(start: int, end: int, source_in: int, enabled: bool = True) -> Clip:
    """A clip of the outer sequence that shows the nested one from frame `source_in` on."""
    return Clip(Media(Path(_SHOWN), RATE, 5000), start, end, source_in, enabled)


def nested_xml(
    outer: Sequence[Track], inner: Sequence[Track], inner_rate: Fraction = RATE
) -> bytes:
    """The document; clips made by `shown` hold the inner sequence in the place of a file."""
    root = etree.fromstring(premiere_xml(tuple(outer), RATE, "outer"))
    nested = etree.fromstring(premiere_xml(tuple(inner), inner_rate, "inner")).find(".//sequence")
    assert nested is not None
    _rename(nested)
    nested.set("id", "sequence-nested")
    for clip in root.iterfind(".//audio/track/clipitem"):
        file = clip.find("file")
        if file is None or not _plays(root, file):
            continue
        place = clip.index(file)
        clip[place] = deepcopy(nested)
        source = clip.find("sourcetrack")
        if source is not None:
            clip.remove(source)
        for child in list(nested):
            nested.remove(child)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n' + etree.tostring(root)


def _plays(root: etree._Element, file: etree._Element) -> bool:
    found = root.xpath("//file[@id=$id]/pathurl/text()", id=file.get("id", ""))
    return any(str(url).endswith(_SHOWN) for url in found) or not found


def _rename(nested: etree._Element) -> None:
    """Ids of the nested sequence that the outer one does not have."""
    for element in nested.iter():
        if element.get("id"):
            element.set("id", f"in-{element.get('id')}")
        if element.tag in ("linkclipref", "masterclipid") and element.text:
            element.text = f"in-{element.text}"
