"""What sounds in one segment of a track: its source clips, or why none may be worked on."""

from __future__ import annotations

from dataclasses import dataclass

from nlecompanion.model import LeftAlone, Reason

from .operations import COMBINER, is_retime, is_silenced, operation_id, operation_name, retiming
from .values import AafObject, class_of, is_a, items_of, tagged_values, text_of, value_of

#: What Avid writes on the selector of a clip that is muted.
DISABLED_FLAG = "_DISABLE_CLIP_FLAG"
_SILENT = frozenset({"Filler", "ScopeReference"})
_MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Heard:
    """The source clips of a segment, side by side; `left_alone` is why it is not worked on."""

    clips: tuple[AafObject, ...]
    left_alone: LeftAlone | None = None


def heard_in(component: AafObject, depth: int = 0) -> Heard | None:
    """What a segment plays, None where it is nothing at all."""
    if depth > _MAX_DEPTH:
        return Heard((), LeftAlone(Reason.UNSUPPORTED, "effects within effects without end"))
    if is_a(component, "SourceClip"):
        return Heard((component,))
    if is_a(component, "Filler"):
        return None
    if is_a(component, "Selector"):
        return _selected(component, depth)
    if is_a(component, "OperationGroup"):
        return _operation(component, depth)
    if is_a(component, "Sequence"):
        return _only(items_of(component, "Components"), depth, "a sequence inside an effect")
    if is_a(component, "NestedScope"):
        inner = [slot.segment for slot in items_of(component, "Slots")]
        return _only(inner, depth, "several layers in one clip")
    if is_a(component, "EssenceGroup"):
        choices = items_of(component, "Choices")
        return heard_in(choices[0], depth + 1) if choices else None
    if is_a(component, "ScopeReference"):
        return Heard((), LeftAlone(Reason.NESTED, "it plays what lies on another layer"))
    return Heard((), LeftAlone(Reason.UNSUPPORTED, f"a {class_of(component)} on a sound track"))


def is_muted(selector: AafObject) -> bool:
    """Whether a selector is a muted clip: nothing is selected, the clip is its alternate."""
    return (
        class_of(value_of(selector, "Selected")) in _SILENT
        and len(items_of(selector, "Alternates")) == 1
    )


def _selected(selector: AafObject, depth: int) -> Heard | None:
    flag = tagged_values(selector, "ComponentAttributeList").get(DISABLED_FLAG)
    if not is_muted(selector):
        selected = value_of(selector, "Selected")
        found = None if selected is None else heard_in(selected, depth + 1)
        if found is None or flag != 1:
            return found
        return Heard(found.clips, LeftAlone(Reason.DISABLED))
    found = heard_in(items_of(selector, "Alternates")[0], depth + 1)
    return None if found is None else Heard(found.clips, LeftAlone(Reason.DISABLED))


def _operation(group: AafObject, depth: int) -> Heard | None:
    inputs = items_of(group, "InputSegments")
    if not inputs:
        return Heard((), LeftAlone(Reason.GENERATED, operation_name(group)))
    parts = [heard_in(segment, depth + 1) for segment in inputs]
    found = [part for part in parts if part is not None]
    if not found:
        return None
    clips = tuple(clip for part in found for clip in part.clips)
    left_alone = next((part.left_alone for part in found if part.left_alone), None)
    if is_retime(group):
        left_alone = retiming(group)
    elif is_silenced(group):
        left_alone = left_alone or LeftAlone(Reason.MUTED, "its gain is zero")
    elif len(inputs) > 1 and operation_id(group) != COMBINER:
        left_alone = left_alone or LeftAlone(
            Reason.UNSUPPORTED, f"{operation_name(group) or 'an effect'} mixes several sounds"
        )
    elif len(found) < len(inputs) or len(clips) < len(inputs):
        left_alone = left_alone or LeftAlone(Reason.UNSUPPORTED, "some of its channels are empty")
    return Heard(clips, left_alone)


def _only(segments: list[AafObject], depth: int, what: str) -> Heard | None:
    """The one segment that sounds; several of them cannot be taken apart exactly."""
    sounding = [s for s in segments if s is not None and not is_a(s, "Transition")]
    parts = [part for s in sounding if (part := heard_in(s, depth + 1)) is not None]
    if len(parts) == 1 and len(sounding) == 1:
        return parts[0]
    if not parts:
        return None
    clips = tuple(clip for part in parts for clip in part.clips)[:1]
    return Heard(clips, LeftAlone(Reason.NESTED, what))


def track_is_silent(slot: AafObject) -> LeftAlone | None:
    """The reason that a track's own mute is."""
    muted = tagged_values(slot, "TimelineMobAttributeList").get("AudioMixerCompMute")
    if muted in (1, "1"):
        name = text_of(slot, "SlotName")
        return LeftAlone(Reason.MUTED, f"track {name} is muted" if name else "its track is muted")
    return None
