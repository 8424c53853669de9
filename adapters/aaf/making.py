"""Making AAF objects: ids that follow from what they name, copies, and nothing that says now."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from .values import AafObject, value_of

#: SMPTE 330M, 6: a basic UMID whose material number is a UUID, and no instance number.
_DATA_DEFINITIONS = {
    "Timecode": "01030201-0100-0000-060e-2b3404010101",
    "DescriptiveMetadata": "01030201-1000-0000-060e-2b3404010101",
}
_UMID_HEAD = bytes.fromhex("060a2b340101010501010f20" + "13000000")


def mob_id(*names: object) -> AafObject:
    """A mob id that follows from the names: the same at every run, and no other's."""
    import aaf2

    digest = hashlib.sha256("\0".join(map(str, names)).encode("utf-8", "surrogateescape"))
    material = bytearray(digest.digest()[:16])
    # RFC 9562, 5.8: a UUID of the custom version.
    material[6] = material[6] & 0x0F | 0x80
    material[8] = material[8] & 0x3F | 0x80
    return aaf2.mobid.MobID(bytes_le=_UMID_HEAD + bytes(material))


def no_mob() -> AafObject:
    """The id that ends a chain of sources."""
    import aaf2

    return aaf2.mobid.MobID()


def new_object(file: AafObject, kind: str, data: AafObject | None = None) -> AafObject:
    """An object of an AAF class, with nothing in it but a component's data definition.

    pyaaf2's own constructors look definitions up by names that differ between editors, and write
    the time of day.
    """
    cls = file.metadict.lookup_class(kind)
    made = cls.__new__(cls)
    made.root = file
    if getattr(made, "class_id", None) is None:
        made.class_id = file.metadict.lookup_classdef(kind).auid
    if data is not None:
        made["DataDefinition"].value = data
    return made


def data_definition(file: AafObject, kind: str) -> AafObject:
    """The dictionary's definition of `Timecode` or `DescriptiveMetadata`, added where missing."""
    import aaf2

    auid = aaf2.auid.AUID(_DATA_DEFINITIONS[kind])
    found = file.dictionary.lookup_datadef(auid)
    if found is None:
        found = file.create.DataDef(auid, f"DataDef_{kind}", "")
        file.dictionary.register_def(found)
    return found


def new_mob(file: AafObject, kind: str, name: str, identity: AafObject) -> AafObject:
    """A mob that is as old as the document says it is itself."""
    mob = new_object(file, kind)
    mob["MobID"].value = identity
    mob["Name"].value = name
    born = value_of(file.header, "LastModified") or datetime(2000, 1, 1)
    mob["CreationTime"].value = born
    mob["LastModified"].value = born
    mob["Slots"].value = []
    return mob


def new_slot(
    mob: AafObject, slot_id: int, edit_rate: Any, segment: AafObject, name: str, physical: int
) -> AafObject:
    """A timeline slot at the end of the mob's slots."""
    slot = new_object(mob.root, "TimelineMobSlot")
    slot["SlotID"].value = slot_id
    # Resolve wants a name, even an empty one.
    slot["SlotName"].value = name
    slot["EditRate"].value = edit_rate
    slot["Origin"].value = 0
    slot["Segment"].value = segment
    if physical:
        slot["PhysicalTrackNumber"].value = physical
    mob.slots.append(slot)
    return slot


def copy_without(thing: AafObject, left_out: str) -> AafObject:
    """A copy of an object without one of its properties (and all that hangs on it)."""
    made = new_object(thing.root, thing.classdef.class_name)
    for pid, entry in thing.property_entries.items():
        if entry.name != left_out:
            made.property_entries[pid] = entry.copy(made, pid, set())
    return made


def file_url(path: PurePath) -> str:
    """`file:///C:/…`, `file://server/share/…` or `file:///…`, percent-encoded as UTF-8."""
    plain = path.as_posix()
    head = ""
    if plain[1:2] == ":":
        head, plain = f"/{plain[:2]}", plain[2:]
    tail = quote(plain.encode("utf-8", "surrogateescape"), safe="/")
    return f"file:{tail}" if plain.startswith("//") else f"file://{head}{tail}"
