"""XML from outside, parsed without harm and written back as it came.

No network, no DTD, no entities; size and depth have limits. The declaration, the DOCTYPE, the
byte order mark, the encoding and the line ends of the original are kept.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from nlecompanion.errors import DocumentError, NotATimeline, UnsafeDocument

MAX_BYTES = 256 * 2**20
#: libxml2's own limit where `huge_tree` is off.
MAX_DEPTH = 256

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PROLOG_BYTES = 65_536
# Possessive throughout: a hostile head of 64 KiB must not send the match backtracking.
_PROLOG = re.compile(
    r"(?:\s++|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*+(?:\[.*?\])?+[^>]*+>)*+", re.DOTALL
)
_ROOT = re.compile(r"<([^\s<>/!?]+)")
# XML 1.0, production 2: the characters that a document may hold.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, eq=False)
class XmlDocument:
    """A parsed document with what the parser does not keep: `prolog` is all before the root."""

    tree: etree._ElementTree
    prolog: str
    mark: bytes
    encoding: str
    newline: str


def xml_text(text: str) -> str:
    """`text` with every character that XML 1.0 forbids replaced by U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", text)


def root_name(head: bytes) -> str:
    """The root element's name as far as the first bytes show it, else an empty string."""
    _, encoding = _mark_and_encoding(head)
    text = head.decode(encoding, errors="replace").lstrip("\ufeff")
    prolog = _PROLOG.match(text)
    match = _ROOT.match(text, prolog.end() if prolog else 0)
    return match[1] if match else ""


def parse_xml(path: Path, max_bytes: int = MAX_BYTES) -> XmlDocument:
    """Parses a file.

    Raises:
        DocumentError: the file cannot be read.
        NotATimeline: empty, not XML, or cut off; the sentence names the line.
        UnsafeDocument: too large, too deep, or it declares entities.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > max_bytes:
            raise UnsafeDocument(
                f"{path.name} has {size_bytes / 2**20:.0f} MiB; at most {max_bytes >> 20} MiB are "
                "read. Export fewer sequences at a time."
            )
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError(
            f"{path.name} cannot be read: {error.strerror}. Check the file and its permissions."
        ) from error
    if not data.strip(b"\0 \t\r\n"):
        raise NotATimeline(f"{path.name} is empty. Export the timeline again.")
    _refuse_entities(path.name, data)
    tree = _parse(path.name, data)
    mark, encoding = _mark_and_encoding(data)
    if not mark and encoding == "utf-8":
        encoding = _codec(tree.docinfo.encoding)
    text = data[:_PROLOG_BYTES].decode(encoding, errors="replace").lstrip("\ufeff")
    prolog = _PROLOG.match(text)
    return XmlDocument(
        tree=tree,
        prolog=prolog[0] if prolog and _ROOT.match(text, prolog.end()) else "",
        mark=mark,
        encoding=encoding,
        newline="\r\n" if "\r\n" in text else "\n",
    )


def write_xml(document: XmlDocument, target: Path) -> None:
    """Writes the tree with the original's prolog, mark, encoding and line ends."""
    root = document.tree.getroot()
    if document.prolog:
        after = "".join(
            "\n" + etree.tostring(node, encoding="unicode", with_tail=False)
            for node in root.itersiblings()
        )
        text = etree.tostring(root, encoding="unicode", with_tail=False) + after + "\n"
    else:
        text = etree.tostring(document.tree, encoding="unicode") + "\n"
    if document.newline != "\n":
        text = text.replace("\n", document.newline)
    data = (document.prolog + text).encode(document.encoding, "xmlcharrefreplace")
    target.write_bytes(document.mark + data)


def _mark_and_encoding(data: bytes) -> tuple[bytes, str]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return mark, encoding
    # XML 1.0, appendix F.1: without a mark, `<?` tells the width of a character.
    if data.startswith(b"<\0"):
        return b"", "utf-16-le"
    if data.startswith(b"\0<"):
        return b"", "utf-16-be"
    return b"", "utf-8"


def _codec(declared: str | None) -> str:
    try:
        return codecs.lookup(declared or "utf-8").name
    except LookupError:
        # ASCII with character references is the same text in every encoding that extends ASCII.
        return "ascii"


def _refuse_entities(name: str, data: bytes) -> None:
    # Looked for before parsing: libxml2 expands entities in attribute values whatever it is told.
    if any("<!ENTITY".encode(encoding) in data for encoding in ("utf-8", "utf-16-le", "utf-16-be")):
        raise _entities_refused(name)


def _entities_refused(name: str) -> UnsafeDocument:
    return UnsafeDocument(
        f"{name} declares XML entities, which no editor writes. Export the timeline again."
    )


def _parse(name: str, data: bytes) -> etree._ElementTree:
    # `huge_tree` stays off: libxml2's own limits on depth (256) and text (10 MB) then hold.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        reason = " ".join((error.msg or "damaged").split(", line ")[0].split())
        # By its name libxml2 tells of limits; "depth" may be an element that was cut off.
        if "XML_PARSE_HUGE" in reason:
            raise UnsafeDocument(
                f"{name} is nested deeper than {MAX_DEPTH} levels or holds a text over 10 MB, "
                "which no editor writes. Export the timeline again."
            ) from error
        raise NotATimeline(
            f"{name} is not whole XML: line {error.lineno}: {reason}. "
            "It may be cut off or damaged; export the timeline again."
        ) from error
    except (LookupError, ValueError) as error:
        raise NotATimeline(f"{name} is not XML that can be read: {error}.") from error
    if root is None:
        raise NotATimeline(f"{name} has no root element. Export the timeline again.")
    tree = root.getroottree()
    dtd = tree.docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise _entities_refused(name)
    return tree
