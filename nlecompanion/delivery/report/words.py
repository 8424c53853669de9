"""The receipt's values of a region in a person's words.

Values may be missing, as in receipts of another version: then a line is missing, never the card.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nlecompanion.delivery.report.view import Fact, Gate, Ledger, Step
from nlecompanion.model import UseReport

Values = Mapping[str, Any]
_NOTHING: Values = {}


def db(value: float) -> str:
    """`6.5 dB`, with a true minus sign."""
    return f"{number(value)} dB"


def number(value: float, digits: int = 1) -> str:
    """Rounded, with a true minus sign and no minus before nothing."""
    rounded = round(value, digits) + 0.0
    return f"{rounded:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def level(value: float) -> str:
    """A setting in dB without needless digits."""
    return f"{value:g} dB".replace("-", "\N{MINUS SIGN}")


def facts(report: UseReport, account: Values) -> tuple[Fact, ...]:
    """The numbers that decided, the weightiest first."""
    lines = [
        Fact("Voice against background", _ratio(report)),
        Fact("Readability", _readability(account)),
        Fact("Why this intensity", _why(account)),
        Fact("Harm", _harm(account)),
        Fact("Room tone", _room_tone(account.get("room_tone", _NOTHING))),
        Fact("Loudness", _loudness(account.get("level", _NOTHING))),
    ]
    return tuple(Fact(line.what, sentence(line.text)) for line in lines if line.text)


def sentence(text: str) -> str:
    """With a capital first letter."""
    return text[:1].upper() + text[1:]


def _ratio(report: UseReport) -> str:
    diagnosis, plan = report.diagnosis, report.plan
    if diagnosis is None or diagnosis.sbr_db is None:
        return "could not be measured"
    words = _stands(diagnosis.sbr_db)
    if plan is not None and plan.intensity_db > 0:
        after_db = diagnosis.sbr_db + plan.intensity_db
        words += f"; with the background {level(plan.intensity_db)} down, {_side(after_db)}"
    return words


def _stands(ratio_db: float) -> str:
    return f"the voice stands {_side(ratio_db)} its background"


def _side(ratio_db: float) -> str:
    return f"{number(abs(ratio_db))} dB {'above' if ratio_db >= 0 else 'below'}"


def chosen_attempt(account: Values) -> Values | None:
    """The attempt that was taken."""
    ladder = account.get("ladder", _NOTHING)
    return next((a for a in ladder.get("attempts", ()) if a["id"] == ladder.get("chosen")), None)


def _readability(account: Values) -> str:
    chosen = chosen_attempt(account)
    if chosen is None:
        return ""
    after = chosen["readability"]["mean"]
    if after is None:
        return str(chosen["readability"]["reason"])
    target = account["ladder"]["target"]
    before = _before(account)
    words = (
        f"{number(after, 2)} after" if before is None else f"{before:.2f} before, {after:.2f} after"
    )
    words += f" (speech intelligibility index, 0 to 1; {target['mean']:g} asked for)"
    quietest = chosen["readability"]["quietest_fifth"]
    if quietest is not None:
        words += (
            f"; the quietest fifth of the speech reaches {quietest:.2f} "
            f"({target['quietest_fifth']:g} asked for)"
        )
    return words


def _before(account: Values) -> float | None:
    """Readability of the original, where it was measured."""
    told = account.get("hardest_moment", _NOTHING).get("untouched_readability")
    if told is not None:
        return float(told)
    for attempt in account["ladder"]["attempts"]:
        if attempt["intensity_db"] == 0 and attempt["presence_db"] == 0:
            mean = attempt["readability"]["mean"]
            return None if mean is None else float(mean)
    return None


def _why(account: Values) -> str:
    """Why this intensity, why not a step less and why not a step more."""
    chosen = chosen_attempt(account)
    if chosen is None:
        return ""
    ladder = account["ladder"]
    words = f"{level(chosen['intensity_db'])}: {ladder['reason']}"
    plain = [a for a in ladder["attempts"] if a["presence_db"] == 0]
    below = [a for a in plain if a["intensity_db"] < chosen["intensity_db"]]
    above = [a for a in plain if a["intensity_db"] > chosen["intensity_db"]]
    less = max(below, key=_intensity, default=None)
    more = min(above, key=_intensity, default=None)
    if less is None:
        words += ". Not less: it is the lowest step that the profile allows"
    else:
        words += f". Not {level(less['intensity_db'])}: {less['left_because']}"
    if more is not None:
        words += f". Not {level(more['intensity_db'])}: {more['left_because']}"
    return words


def _intensity(attempt: Values) -> float:
    return float(attempt["intensity_db"])


def _harm(account: Values) -> str:
    chosen = chosen_attempt(account)
    if chosen is None or not chosen["gates"]:
        return ""
    gates = chosen["gates"]
    failed = [gate for gate in gates if not gate["passed"]]
    if failed:
        told = "; ".join(f"{g['symptom']} ({_gate_words(g)})" for g in failed)
        return f"beyond its limit: {told}"
    measured = [gate for gate in gates if gate["value"] is not None and gate["limit"] > 0]
    words = f"all {len(gates)} gates passed"
    if measured:
        nearest = max(measured, key=lambda gate: gate["value"] / gate["limit"])
        words += f"; the nearest to its limit is {_gate_words(nearest)}"
    return words


def _gate_words(gate: Values) -> str:
    return f"{gate['measure']}: {number(gate['value'])} of {gate['limit']:g} {gate['unit']}"


def _room_tone(tone: Values) -> str:
    if not tone:
        return ""
    if not tone["on"]:
        words = f"none laid: {tone['reason']}"
    else:
        words = (
            f"laid under the gaps, taken from {number(tone.get('heard_s', 0))} s of the original"
        )
        if tone.get("estimated"):
            words += " (estimated: no gap was long enough)"
    floor = tone.get("after", _NOTHING)
    if "floor_dbfs" in floor:
        words += f"; floor in gaps {number(floor['floor_dbfs'])} dBFS"
    if tone["on"] and "third_octave_difference_db" in floor:
        words += f", its colour within {db(floor['third_octave_difference_db'])} of the place's own"
    return words


def _loudness(values: Values) -> str:
    if not values:
        return ""
    after = values["speech_lufs"][1]
    words = str(values["reason"])
    return words if after is None else f"speech at {number(after)} LUFS: {words}"


def ledger(account: Values, owner: str) -> Ledger | None:
    """Every attempt, the gates at the chosen one, and what else was done; None without a ladder."""
    attempts = account.get("ladder", _NOTHING).get("attempts", ())
    chosen = chosen_attempt(account)
    if chosen is None:
        return None
    return Ledger(
        owner,
        tuple(_step(attempt, attempt["id"] == chosen["id"]) for attempt in attempts),
        tuple(_gate(gate) for gate in chosen["gates"]),
        _done(account),
    )


def _step(attempt: Values, chosen: bool) -> Step:
    failed = [g["symptom"] for g in attempt["gates"] if not g["passed"]]
    read = attempt["readability"]
    changed = attempt["changed"].replace("_db", "").replace("_", " ")
    parent = attempt["parent"]
    return Step(
        number=attempt["id"] + 1,
        intensity=level(attempt["intensity_db"])
        + (f", presence {level(attempt['presence_db'])}" if attempt["presence_db"] else ""),
        changed="the first" if parent is None else f"{changed}, from no. {parent + 1}",
        readability=_two(read["mean"]),
        quietest=_two(read["quietest_fifth"]),
        harm=", ".join(dict.fromkeys(failed)) or "none",
        left_because="chosen" if chosen else attempt["left_because"],
        chosen=chosen,
    )


def _two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _gate(gate: Values) -> Gate:
    value = gate["value"]
    return Gate(
        symptom=gate["symptom"],
        measure=gate["measure"],
        value=gate["reason"] or "–" if value is None else f"{number(value, 2)} {gate['unit']}",
        limit=f"{gate['limit']:g} {gate['unit']}",
        passed=gate["passed"],
    )


def _done(account: Values) -> tuple[Fact, ...]:
    """The steps after the split, each with its own reason."""
    lines = [
        Fact("Rumble and hum", "; ".join(account.get("rumble", _NOTHING).get("reasons", ()))),
        Fact("Echo", str(account.get("de_echo", _NOTHING).get("reason", ""))),
        Fact("Finishing", "; ".join(account.get("finishing", _NOTHING).get("reasons", ()))),
        Fact("Peaks", _peaks(account.get("limit", _NOTHING))),
        Fact("Heard in the original", _findings(account.get("findings", _NOTHING))),
        Fact("Hardest moment", _bet(account.get("hardest_moment", _NOTHING))),
    ]
    return tuple(line for line in lines if line.text)


def _peaks(limit: Values) -> str:
    if not limit:
        return ""
    if not limit["limited_s"]:
        return f"under {number(limit['ceiling_dbtp'])} dBTP, nothing was limited"
    return (
        f"limited to {number(limit['ceiling_dbtp'])} dBTP for {limit['limited_s']:.2f} s, "
        f"by {db(limit['most_db'])} at most"
    )


def _findings(findings: Values) -> str:
    words = []
    background = findings.get("background")
    if background:
        words.append(f"{background['kind']} (sureness {background['sureness']:.2f})")
    echo = findings.get("reverberation")
    if echo and echo.get("c50_db") is not None:
        words.append(f"clarity C50 of {db(echo['c50_db'])}")
    clipping = findings.get("clipping")
    if clipping and clipping.get("clipped"):
        words.append(f"clipped in {100 * clipping['clipped_share']:.1f} % of the sound")
    hum = findings.get("hum")
    if hum and hum.get("fundamental_hz"):
        words.append(f"hum of {hum['fundamental_hz']:g} Hz at {number(hum['level_dbfs'])} dBFS")
    return "; ".join(words)


def _bet(moment: Values) -> str:
    if "representative" not in moment:
        return ""
    windows = moment["windows_compared"]
    if moment["representative"]:
        return f"decided; of {windows} windows none reads much worse at this intensity"
    return (
        f"another of {windows} windows reads worse "
        f"({_two(moment.get('worst_readability'))}): listen to it as well"
    )
