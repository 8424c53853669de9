"""Small edits of the tree that can be taken back without a trace.

A new element carries the white space that follows it; nobody else's is touched. Taking the
element out again, with what follows it, restores the document.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from urllib.parse import quote

from lxml import etree

from ..xml_safe import xml_text


def put_after(before: etree._Element, new: etree._Element) -> None:
    """Inserts `new` as the next sibling of `before`."""
    parent = before.getparent()
    if parent is None:
        raise ValueError("the root element has no siblings")
    new.tail = before.tail
    kept, before.tail = before.tail, None
    before.addnext(new)
    before.tail = kept
    new.tail = kept


def put_first(parent: etree._Element, new: etree._Element) -> None:
    """Inserts `new` as the first child of `parent`."""
    new.tail = parent.text
    parent.insert(0, new)


def set_text(parent: etree._Element, tag: str, text: str, after: Sequence[str] = ()) -> None:
    """Sets the text of the child `tag`, which is made after the last of `after` if missing."""
    child = parent.find(tag)
    if child is None:
        child = etree.Element(tag)
        insert(parent, child, after)
    child.text = xml_text(text)


def insert(parent: etree._Element, child: etree._Element, after: Sequence[str]) -> None:
    """Inserts `child` after the last child of `parent` whose tag is in `after`, else first."""
    _indent(child, parent.text or "")
    places = [sibling for sibling in parent if sibling.tag in after]
    if places:
        put_after(places[-1], child)
    else:
        put_first(parent, child)


def remove(element: etree._Element, *tags: str) -> None:
    """Takes all children of these names out; for copies only, white space moves up."""
    for tag in tags:
        for child in element.findall(tag):
            before = child.getprevious()
            if before is not None and child.getnext() is None:
                before.tail = child.tail
            element.remove(child)


def swap(old: etree._Element, new: etree._Element) -> None:
    """Puts `new` where `old` is."""
    parent = old.getparent()
    if parent is None:
        raise ValueError("the root element has no place to swap")
    _indent(new, parent.text or "")
    new.tail = old.tail
    parent.replace(old, new)


def nested(tag: str, *children: tuple[str, str] | etree._Element) -> etree._Element:
    """An element with children, given as elements or as (tag, text)."""
    element = etree.Element(tag)
    for child in children:
        if isinstance(child, tuple):
            element.append(leaf(*child))
        else:
            element.append(child)
    return element


def leaf(tag: str, text: str) -> etree._Element:
    """An element that holds text."""
    element = etree.Element(tag)
    element.text = xml_text(text)
    return element


def _indent(element: etree._Element, margin: str) -> None:
    """Lays a new element out like its surroundings; `margin` is the parent's line break."""
    if not len(element) or not margin.startswith("\n") or margin.strip():
        return
    inner = margin + ("\t" if "\t" in margin else "    ")
    element.text = inner
    for child in element:
        child.tail = inner
        _indent(child, inner)
    element[-1].tail = margin


def file_url(path: PurePath, localhost: bool) -> str:
    """A file URL in the dialect's form: `file://localhost/C%3a/…` or `file:///C:/…`.

    Bytes of the path stay as they are (no Unicode normalisation).
    """
    plain = path.as_posix()
    share = plain.startswith("//")
    head = ""
    if plain[1:2] == ":":
        head, plain = f"/{plain[0]}{'%3a' if localhost else ':'}", plain[2:]
    tail = quote(plain.encode("utf-8", "surrogateescape"), safe="/")
    if localhost:
        return f"file://localhost{head}{tail}"
    return f"file:{tail}" if share else f"file://{head}{tail}"
