"""The FCPXML document: its one project, and the resources by id."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lxml import etree

from nlecompanion.errors import NotATimeline, UnsupportedDocument

from ..xml_safe import XmlDocument, parse_xml
from .times import BadTime, frame_duration, time_of

#: What lies on a storyline, inside a clip, or is anchored to one.
STORY = frozenset(
    {
        "asset-clip",
        "audio",
        "audition",
        "caption",
        "clip",
        "gap",
        "live-drawing",
        "mc-clip",
        "ref-clip",
        "spine",
        "sync-clip",
        "title",
        "transition",
        "video",
    }
)
BUNDLE_INFO = "Info.fcpxml"


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A document with the one project that is worked on.

    `frame_s` is the length of the project's frame; `pieces` holds the ids of assets that describe
    different stretches of one file, whose `start` is therefore not the file's own.
    """

    xml: XmlDocument
    name: str
    version: tuple[int, int]
    project: etree._Element
    sequence: etree._Element
    spine: etree._Element
    frame_s: Fraction
    rate: Fraction
    start_s: Fraction
    assets: dict[str, etree._Element]
    media: dict[str, etree._Element]
    pieces: frozenset[str]
    effects: frozenset[str]

    def asset_of(self, element: etree._Element) -> etree._Element | None:
        """The asset that an `asset-clip`, `audio` or `video` plays, None where there is none."""
        return self.assets.get(element.get("ref", ""))


def story(parent: etree._Element) -> list[etree._Element]:
    """The story elements among the children, in their order."""
    return [child for child in parent if child.tag in STORY]


def info_of(path: Path) -> Path:
    """The XML file of a document: the path itself, or the one inside a bundle."""
    return path / BUNDLE_INFO if path.is_dir() else path


def url_of(asset: etree._Element) -> str:
    """The media URL: of the original media (1.9 and later), else the asset's own."""
    reps = asset.findall("media-rep")
    originals = [rep for rep in reps if rep.get("kind", "original-media") == "original-media"]
    for rep in originals or reps:
        return rep.get("src", "")
    return asset.get("src", "")


def open_document(path: Path) -> Document:
    """Parses the document and finds its one project.

    Raises:
        DocumentError: with one sentence fit for the editor.
    """
    xml = parse_xml(info_of(path))
    root = xml.tree.getroot()
    if root.tag != "fcpxml":
        raise NotATimeline(
            f"{path.name} is XML, but not FCPXML: its root is <{str(root.tag)[:40]}>. "
            "Export the project as XML from Final Cut Pro, or as FCPXML from Resolve."
        )
    version = _version(path.name, root)
    project, sequence, spine = _the_project(path.name, root)
    formats = {form.get("id", ""): form for form in root.iterfind("resources/format")}
    form = formats.get(sequence.get("format", ""))
    try:
        frame_s = None if form is None else frame_duration(form)
        start_s = time_of(sequence, "tcStart") or Fraction(0)
    except BadTime as error:
        raise UnsupportedDocument(f"{path.name}: {error}. Export the project again.") from error
    if frame_s is None:
        raise UnsupportedDocument(
            f"{path.name}: the project's format states no frame rate. Export the project again."
        )
    assets = {asset.get("id", ""): asset for asset in root.iterfind("resources/asset")}
    return Document(
        xml=xml,
        name=path.name,
        version=version,
        project=project,
        sequence=sequence,
        spine=spine,
        frame_s=frame_s,
        rate=1 / frame_s,
        start_s=start_s,
        assets=assets,
        media={media.get("id", ""): media for media in root.iterfind("resources/media")},
        pieces=_pieces(root, assets),
        effects=frozenset(e.get("id", "") for e in root.iterfind("resources/effect")),
    )


def _version(name: str, root: etree._Element) -> tuple[int, int]:
    text = root.get("version", "")
    major, _, minor = text.partition(".")
    if major != "1" or not minor.isascii() or not minor.isdigit() or len(minor) > 4:
        raise UnsupportedDocument(
            f"{name} is FCPXML version {text[:20]!r}; 1.5 to 1.14 are read. "
            "Choose an older version when exporting."
        )
    return 1, int(minor)


def _the_project(
    name: str, root: etree._Element
) -> tuple[etree._Element, etree._Element, etree._Element]:
    projects = list(root.iter("project"))
    if not projects:
        raise UnsupportedDocument(
            f"{name} holds no project. Select the project in the browser, not its clips or the "
            "event, and export that."
        )
    if len(projects) > 1:
        names = ", ".join(project.get("name", "")[:60] or "(unnamed)" for project in projects[:8])
        raise UnsupportedDocument(
            f"{name} holds {len(projects)} projects ({names}). Export one project at a time."
        )
    sequence = projects[0].find("sequence")
    spine = None if sequence is None else sequence.find("spine")
    if sequence is None or spine is None:
        raise UnsupportedDocument(f"{name}: its project holds no storyline. Export it again.")
    return projects[0], sequence, spine


def _pieces(root: etree._Element, assets: dict[str, etree._Element]) -> frozenset[str]:
    """Resolve may write an asset for each clip, as long as the clip and starting where it does.

    Seen as several assets of one file, or as a clip that fills an asset without Final Cut's uid.
    """
    by_url: dict[str, list[etree._Element]] = defaultdict(list)
    for asset in assets.values():
        by_url[url_of(asset)].append(asset)
    several = {
        asset.get("id", "")
        for url, group in by_url.items()
        if url and len({asset.get("start") for asset in group}) > 1
        for asset in group
    }
    filled = {
        used.get("id", "")
        for clip in root.iter("asset-clip")
        if (used := assets.get(clip.get("ref", ""))) is not None
        and used.get("uid") is None
        and used.get("start", "0s") not in ("0s", "0/1s")
        and used.get("start") == clip.get("start")
        and used.get("duration") == clip.get("duration")
    }
    return frozenset(several | filled)
