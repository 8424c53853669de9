"""Muting a clip the way Avid does: a selector with nothing selected and the clip as alternate.

A reader of the standard plays what is selected (AAF Object Specification 1.1, `Selector`); Media
Composer shows such a clip as muted and can unmute it.
"""

from __future__ import annotations

from .making import new_object
from .sounds import DISABLED_FLAG, is_muted
from .values import AafObject, is_a, length_of
from .walk import Placed


def mute(file: AafObject, placed: Placed) -> None:
    """Puts a selector where the segment was; one that is muted stays as it is."""
    original = placed.component
    if is_a(original, "Selector") and is_muted(original):
        return
    if placed.index is None:
        # A property lets go of its object only where another one takes its place.
        stand_in = _filler(file, original)
        placed.holder[placed.place].value = stand_in
        placed.holder[placed.place].value = muted(file, original)
        return
    vector = placed.holder[placed.place]
    original.detach()
    _put(vector, placed.index, muted(file, original))


def _put(vector: AafObject, index: int, fresh: AafObject) -> None:
    """What the vector's `pop` and `insert` do, without going through all its other objects."""
    vector.references[index] = vector.next_free_key
    vector.next_free_key += 1
    vector.objects[index] = fresh
    fresh.attach(vector.parent.dir.makedir(vector.index_ref_name(index)))
    vector.mark_modified()


def _filler(file: AafObject, original: AafObject) -> AafObject:
    filler = new_object(file, "Filler", original.datadef)
    filler["Length"].value = length_of(original)
    return filler


def muted(file: AafObject, original: AafObject) -> AafObject:
    """A muted clip of a segment that nothing holds."""
    selector = new_object(file, "Selector", original.datadef)
    selector["Length"].value = length_of(original)
    selector["Selected"].value = _filler(file, original)
    selector["Alternates"].value = [original]
    for name, value in ((DISABLED_FLAG, 1), ("_AAF_SELECTED", 0)):
        pair = file.create.TaggedValue(name, value, "aafInt32")
        selector["ComponentAttributeList"].append(pair)
    return selector
