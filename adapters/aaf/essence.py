"""Media that lie inside the document, taken out as files.

A file mob's essence is a stream of the compound file. Editors put whole WAV, AIFF or MXF files
there, or bare PCM whose shape the PCM descriptor states (AAF Object Specification 1.1,
`EssenceData`, `PCMDescriptor`).
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

from nlecompanion.errors import MediaOffline, MediaUnreadable
from nlecompanion.media.essence import ESSENCE

from .descriptors import file_sound
from .document import AafDocument, open_aaf
from .values import AafObject, is_a, text_of, value_of

_BLOCK_BYTES = 1 << 20
_URL = re.compile(rf"{re.escape(ESSENCE)}([0-9a-f]{{64}})/[^/]+")
#: RIFF, RF64 and AIFF files, and the key of an MXF header partition (SMPTE 377M).
_FILES = (b"RIFF", b"RF64", b"FORM", bytes.fromhex("060e2b34020501010d010201"))
_DEPTHS_BITS = frozenset({8, 16, 24, 32})
_FOUR_GIB = 0xFFFFFFFF


def essence_url(mob: AafObject, name: str) -> str:
    """The relative path under which a file mob's media are taken out; `name` is the clip's."""
    plain = re.sub(r"[^\w .\-]", "_", name).strip(" .")[:80]
    stem = re.sub(r"\.(wav|aiff?|mxf)$", "", plain, flags=re.IGNORECASE)
    suffix = ".aiff" if is_a(value_of(mob, "EssenceDescription"), "AIFCDescriptor") else ".wav"
    return f"{ESSENCE}{mob.mob_id.int:064x}/{stem or 'media'}{suffix}"


def extract_essence(path: Path, url: str, folder: Path) -> None:
    """Puts the media that `url` names below `folder`, at that relative path.

    Never holds more than a block in memory.

    Raises:
        DocumentError: the document cannot be read.
        MediaError: it holds no such media, or none that is a file or PCM.
        OSError: `folder` cannot be written.
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise MediaOffline(f"{url[:80]} names no media. Read the document again.")
    with open_aaf(path) as document:
        mob, essence = _find(document, found[1])
        target = folder / url
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(essence.open("r"), mob, target, path.name)


def _find(document: AafDocument, identity: str) -> tuple[AafObject, AafObject]:
    import aaf2

    mob_id = aaf2.mobid.MobID(int=int(identity, 16))
    mob = document.mob(mob_id)
    essence = document.file.content.essencedata.get(mob_id, None)
    if mob is None or essence is None:
        raise MediaOffline(
            f"{document.name} does not hold the media of one of its clips. Export it again with "
            "embedded or linked media."
        )
    return mob, essence


def _write(stream: Any, mob: AafObject, target: Path, document: str) -> None:
    block = stream.read(_BLOCK_BYTES)
    prefix = b""
    if not block.startswith(_FILES):
        prefix = _wave_head(mob, stream.dir.byte_size, document)
    partial = target.with_name(f".{target.name}.part")
    try:
        with partial.open("wb") as file:
            file.write(prefix)
            while block:
                file.write(block)
                block = stream.read(_BLOCK_BYTES)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _wave_head(mob: AafObject, size: int, document: str) -> bytes:
    """What makes bare PCM a WAV.

    Raises:
        MediaUnreadable: the descriptor does not say its shape, or it is past 4 GiB.
    """
    descriptor = value_of(mob, "EssenceDescription")
    sound = file_sound(descriptor)
    bits = value_of(descriptor, "QuantizationBits", 0)
    usable = is_a(descriptor, "SoundDescriptor") and bits in _DEPTHS_BITS and sound.channels
    if not usable or sound.rate_hz is None or size > _FOUR_GIB - 36:
        raise MediaUnreadable(
            f"The media of {text_of(mob, 'Name') or 'a clip'} inside {document} are no WAV, AIFF, "
            "MXF or PCM up to 4 GiB. Export with linked WAV files."
        )
    frame_bytes = sound.channels * bits // 8
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + size,
        b"WAVE",
        b"fmt ",
        16,
        1,
        sound.channels,
        sound.rate_hz,
        sound.rate_hz * frame_bytes,
        frame_bytes,
        bits,
        b"data",
        size,
    )
