"""FCPXML documents for tests, written as Final Cut Pro writes them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from fractions import Fraction
from xml.sax.saxutils import quoteattr

from lxml import etree
from testkit.shared import shared

from nlecompanion.timeline.contract import Adapter

ADAPTER: Adapter = importlib.import_module("nlecompanion.adapters.fcpxml").ADAPTER
RATES = (
    Fraction(25),
    Fraction(24_000, 1001),
    Fraction(24),
    Fraction(30_000, 1001),
    Fraction(50),
    Fraction(60),
)
VERSIONS = tuple((1, minor) for minor in range(6, 15))


def time(seconds: Fraction | int) -> str:
    """A time as the format writes it."""
    value = Fraction(seconds)
    return f"{value.numerator}s" if value.denominator == 1 else f"{value}s"


def is_valid(data: bytes) -> bool:
    """Whether the document follows the DTD of its version; skips where there are no DTDs."""
    root = etree.fromstring(data)
    name = f"Final_Cut_Pro_XML_DTD_version_{root.get('version')}.dtd"
    return etree.DTD(str(shared(f"timelines/dtd/{name}"))).validate(root)


class Writer:
    """Writes one project; positions are frames, from the project's first."""

    def __init__(
        self,
        rate: Fraction = Fraction(25),
        version: tuple[int, int] = (1, 11),
        start_frame: int = 0,
        tc_format: str = "NDF",
    ) -> None:
        self.rate = rate
        self.version = version
        self.start_frame = start_frame
        self.tc_format = tc_format
        self.resources: list[str] = []
        self.starts: dict[str, Fraction] = {}
        self.items: list[str] = []

    def at(self, frame: int) -> Fraction:
        """A frame in seconds."""
        return frame / self.rate

    def offset(self, frame: int) -> str:
        """A frame of the record as an offset on the primary storyline."""
        return time(self.at(self.start_frame + frame))

    def asset(
        self,
        name: str,
        start_s: Fraction | int = 0,
        channels: int = 2,
        picture: bool = True,
        url: str = "",
    ) -> str:
        """Adds an asset of an hour; its id is its name."""
        url = url or f"file:///Volumes/Rushes/{name}%20%231.mov"
        look = 'hasVideo="1" format="r1" ' if picture else ""
        inner = f'<media-rep kind="original-media" src="{url}"/>' if self.version >= (1, 9) else ""
        src = "" if inner else f'src="{url}" '
        self.resources.append(
            f'<asset id="{name}" name="{name}" start="{time(start_s)}" duration="3600s" {src}'
            f'{look}hasAudio="1" audioSources="1" audioChannels="{channels}" audioRate="48000">'
            f"{inner}</asset>"
        )
        self.starts[name] = Fraction(start_s)
        return name

    def clip(
        self,
        asset: str,
        offset: str,
        source_frame: int,
        frames: int,
        inner: str = "",
        **attributes: str,
    ) -> str:
        """An `asset-clip` that plays from `source_frame` after its asset's start."""
        return self.element(
            "asset-clip",
            inner,
            ref=asset,
            offset=offset,
            name=f"{asset} é",
            start=time(self.starts[asset] + self.at(source_frame)),
            duration=time(self.at(frames)),
            **attributes,
        )

    @staticmethod
    def element(tag: str, inner: str = "", **attributes: str) -> str:
        """Any element; an attribute of no text is left out."""
        written = "".join(
            f" {key}={quoteattr(value)}" for key, value in attributes.items() if value
        )
        return f"<{tag}{written}>{inner}</{tag}>" if inner else f"<{tag}{written}/>"

    def document(self, name: str = "Cut 3", items: Sequence[str] | None = None) -> bytes:
        """The whole document."""
        nl = "\n                        "
        body = nl.join(self.items if items is None else items)
        resources = "\n        ".join(self.resources)
        made = ' modDate="2024-04-23 22:04:42 -0700"' if self.version > (1, 5) else ""
        return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE fcpxml>

<fcpxml version="1.{self.version[1]}">
    <resources>
        <format id="r1" name="FFVideoFormat1080p" frameDuration="{time(1 / self.rate)}"/>
        {resources}
    </resources>
    <library location="file:///Users/user/Movies/Ton.fcpbundle/">
        <event name="Take &amp; cut" uid="A8A44D6B">
            <project name="{name}" uid="924AE2FC"{made}>
                <sequence format="r1" tcStart="{time(self.at(self.start_frame))}" \
tcFormat="{self.tc_format}" audioLayout="stereo" audioRate="48k">
                    <spine>
                        {body}
                    </spine>
                </sequence>
            </project>
        </event>
    </library>
</fcpxml>
""".encode()


def specimen(
    rate: Fraction = Fraction(25),
    version: tuple[int, int] = (1, 11),
    start_frame: int = 0,
    tc_format: str = "NDF",
) -> bytes:
    """A project with each kind of clip: ten sounds that may be cleaned, the others not."""
    write = Writer(rate, version, start_frame, tc_format)
    film = write.asset("film", write.at(4321))
    boom = write.asset("boom", 41_029, channels=1, picture=False)
    iso = write.asset("iso", write.at(90_000), channels=4, picture=False)
    _shared_media(write, film, boom)
    write.items = [
        _interview(write, film, boom),
        write.clip(film, write.offset(100), 900, 50, srcEnable="video", audioRole="dialogue"),
        _gap_with_iso(write, iso),
        _fast(write, film),
        _sync(write, film, boom),
        _audition(write, film),
        _multicam(write),
        write.element(
            "ref-clip", ref="one", offset=write.offset(460), name="one", duration=time(write.at(60))
        ),
        write.element(
            "ref-clip", ref="two", offset=write.offset(520), name="two", duration=time(write.at(40))
        ),
        _clip_of_parts(write, film),
        write.clip(film, write.offset(620), 40, 30, enabled="0", audioRole="dialogue"),
    ]
    return write.document()


def _interview(write: Writer, film: str, boom: str) -> str:
    local = time(write.starts[film] + write.at(200 + 10))
    volume = (
        '<adjust-volume amount="-3dB"><param name="amount"><fadeIn type="easeIn" '
        'duration="1/5s"/></param></adjust-volume>'
    )
    connected = write.clip(boom, local, 77, 60, volume, lane="-1", audioRole="dialogue.boom")
    marker = f'<marker start="{local}" duration="{time(1 / write.rate)}" value="Shot 1"/>'
    return write.clip(film, write.offset(0), 200, 100, connected + marker, audioRole="dialogue")


def _gap_with_iso(write: Writer, iso: str) -> str:
    parts = (
        '<audio-channel-source srcCh="1" role="dialogue.boom"><adjust-noiseReduction amount="20"/>'
        '</audio-channel-source><audio-channel-source srcCh="2" role="dialogue.lav"/>'
        '<audio-channel-source srcCh="3, 4" active="0"/>'
    )
    inner = write.clip(iso, "3600s", 500, 40, parts, lane="-2", audioRole="dialogue")
    return write.element(
        "gap",
        inner,
        name="Gap",
        offset=write.offset(150),
        start="3600s",
        duration=time(write.at(50)),
    )


def _fast(write: Writer, film: str) -> str:
    points = (
        '<timeMap><timept time="0s" value="0s" interp="linear"/>'
        '<timept time="900s" value="1800s" interp="linear"/></timeMap>'
    )
    return write.clip(film, write.offset(200), 100, 50, points, audioRole="dialogue")


def _sync(write: Writer, film: str, boom: str) -> str:
    local = write.starts[film] + write.at(1000 + 4)
    sound = write.clip(boom, time(local), 600, 300, lane="-1", audioRole="dialogue.boom")
    picture = write.clip(film, time(write.at(0)), 1000, 400, sound, audioRole="dialogue")
    off = (
        '<sync-source sourceID="storyline"><audio-role-source role="dialogue.dialogue-1" '
        'active="0"/></sync-source>'
    )
    return write.element(
        "sync-clip",
        picture + off,
        offset=write.offset(250),
        name="synced",
        start=time(write.at(20)),
        duration=time(write.at(80)),
    )


def _audition(write: Writer, film: str) -> str:
    active = write.clip(film, "", 1500, 70, audioRole="dialogue")
    return write.element(
        "audition",
        active + write.clip(film, "", 1700, 90, audioRole="dialogue"),
        offset=write.offset(330),
    )


def _shared_media(write: Writer, film: str, boom: str) -> None:
    angles = (
        '<mc-angle name="A" angleID="A">'
        + write.clip(film, "0s", 0, 2000, audioRole="dialogue")
        + '</mc-angle><mc-angle name="B" angleID="B">'
        + write.clip(boom, "0s", 12, 2000, audioRole="dialogue")
        + "</mc-angle>"
    )
    write.resources.append(
        f'<media id="cam" name="cam"><multicam format="r1" tcStart="0s">{angles}</multicam></media>'
    )
    one = write.clip(film, "0s", 300, 400, audioRole="dialogue")
    two = one + write.clip(film, time(write.at(400)), 800, 10, audioRole="dialogue")
    upper = write.clip(film, "0s", 300, 20, audioRole="dialogue")
    two = upper + write.clip(film, time(write.at(20)), 800, 400, audioRole="dialogue")
    for name, items in (("one", one), ("two", two)):
        write.resources.append(
            f'<media id="{name}" name="{name}"><sequence format="r1" tcStart="0s">'
            f"<spine>{items}</spine></sequence></media>"
        )


def _multicam(write: Writer) -> str:
    return write.element(
        "mc-clip",
        '<mc-source angleID="A" srcEnable="video"/><mc-source angleID="B" srcEnable="audio"/>',
        ref="cam",
        offset=write.offset(400),
        name="cam",
        start=time(write.at(30)),
        duration=time(write.at(60)),
    )


def _clip_of_parts(write: Writer, film: str) -> str:
    start = write.starts[film]
    sound = write.element(
        "audio",
        ref=film,
        lane="-1",
        offset=time(start),
        start=time(start),
        duration="3600s",
        role="dialogue.dialogue-1",
        srcCh="1, 2",
    )
    video = write.element(
        "video", sound, ref=film, offset="0s", start=time(start), duration="3600s"
    )
    return write.element(
        "clip",
        '<adjust-volume amount="-6dB"/>' + video,
        offset=write.offset(560),
        name="parts",
        start=time(write.at(15)),
        duration=time(write.at(60)),
    )
