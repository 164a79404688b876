"""What to do about a shipped ladder, in an encoding engineer's words: the cheapest change first.

A gain is told with its size, whatever that is. Where it is smaller than what the model can tell apart
(`difference_mos`) a star says so, and saved rate, which is counted and not predicted, stands beside it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from abr_alloc.allocation.alternatives import Alternative
from abr_alloc.allocation.audit_results import LadderAudit
from abr_alloc.allocation.rung import Ladder, dominator
from abr_alloc.allocation.surface import AudioRendition, VideoRendition

__all__ = ["Advice", "advise", "audio_name", "pair_text", "rungs_text"]

Kind = Literal["pair", "drop", "new audio", "encode", "redesign"]

_LEAST_SAVED = 0.01
"""Share of what the audience is sent below which a saving is not worth a line."""
_LEAST_GAIN_MOS = 0.001
_MOST_REASONS = 4
_SHOWN_MOS = 0.0005  # what the third digit shows
_LEAST_STEP_MOS = 0.05
"""What another video at the same rate must add to its rung for the encode to be worth a line, MOS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing to do."""

    kind: Kind
    """`pair` and `drop` need no encode; `new audio` needs audio alone; `encode` one video; `redesign` all of them."""
    rungs: tuple[int, ...]
    """Numbers of the rungs that it is about; empty for all."""
    text: str
    """What to do, and what it brings."""
    gain_mos: float
    """Expected AVQ of the ladder that it adds, or AVQ of the rung for `encode`, MOS; negative for a loss."""
    saved_kbps: float
    """What the audience is sent less on average, kbps; 0 for `encode`."""
    told_apart: bool
    """Whether the gain is one that the model can tell from none."""


def advise(audit: LadderAudit) -> tuple[Advice, ...]:
    """Advice on a ladder, or on the part of one between which a player switches."""
    return tuple(_advice(audit))


def _advice(audit: LadderAudit) -> Iterator[Advice]:
    if audit.re_paired is not None and (_is_worth(audit.re_paired, audit) or audit.trimmed or _drops_audio(audit)):
        muxed = any(audit.rungs[change.rung - 1].muxed for change in audit.re_paired.changed)
        text = f"Pair again, without any encode{' (multiplexed anew)' if muxed else ''}: "
        text += _changes(audit, audit.re_paired)
        yield _of("pair", tuple(c.rung for c in audit.re_paired.changed), text, audit.re_paired, audit)
    if audit.trimmed is not None:
        dropped = tuple(sorted(set(range(1, len(audit.rungs) + 1)) - set(audit.trimmed.kept)))
        first = "Drop" if audit.re_paired is None else "Then drop"
        text = f"{first} {rungs_text(dropped)}: {'; '.join(_why_dropped(audit, dropped))}"
        if len(dropped) > _MOST_REASONS:
            text = f"{first} {rungs_text(dropped)}, so that {rungs_text(audit.trimmed.kept)} stay"
        yield _of("drop", dropped, text, audit.trimmed, audit)
    if audit.new_audio is not None and _is_worth(audit.new_audio, audit) and _beats(audit.new_audio, audit.re_paired):
        text = f"With new audio alone, the videos as they are: {_changes(audit, audit.new_audio)}"
        yield _of("new audio", tuple(c.rung for c in audit.new_audio.changed), text, audit.new_audio, audit)
    yield from _encodes(audit)
    new = audit.redesigned
    if new is not None and new.gain_mos >= _LEAST_GAIN_MOS and _beats(new, audit.re_paired):
        more = f"{audit.redesigned_reason}; " if audit.redesigned_reason else ""
        yield _of("redesign", (), f"{_ladder(audit, new)} ({more}`abr-alloc ladder` designs it)", new, audit)
    if audit.cheapest is not None and audit.cheapest.saved_kbps >= _LEAST_SAVED * audit.mean_kbps:
        tops = [one.rungs[-1].avq_mos for one in (audit.cheapest.ladder, audit.ladder)]
        text = (
            f"Or {_ladder(audit, audit.cheapest).lower()} that sends least for the same expected AVQ; "
            f"its top rung gives {tops[0]:.2f}, not {tops[1]:.2f}"
        )
        yield _of("redesign", (), text, audit.cheapest, audit)


def _encodes(audit: LadderAudit) -> Iterator[Advice]:
    """Rungs whose rate would buy more with another video; where that is there already, pairing says so."""
    there = {one.identity for found in audit.rungs for one in (found.rung.video, found.rung.audio)}
    for number, rung in enumerate(audit.rungs, 1):
        own, best = rung.rung, rung.best
        if best.gain_mos < _LEAST_STEP_MOS or (audit.re_paired and {best.video.identity, best.audio.identity} <= there):
            continue
        text = (
            f"Rung {number} ({pair_text(own.video, own.audio)}): the same total with {audio_name(best.audio)} and "
            f"{_size(best.video)} at {best.video.bitrate_kbps:.0f}k gives {best.gain_mos:+.2f}"
        )
        apart = best.gain_mos > audit.difference_mos > 0.0
        yield Advice(
            kind="encode",
            rungs=(number,),
            text=text + _uncertain(apart, audit),
            gain_mos=best.gain_mos,
            saved_kbps=0.0,
            told_apart=apart,
        )


def _ladder(audit: LadderAudit, way: Alternative) -> str:
    """A new ladder, and whether it takes any encode."""
    number = len(way.ladder.rungs)
    own = [{one.identity for r in ladder.rungs for one in (r.video, r.audio)} for ladder in (audit.ladder, way.ladder)]
    count = f"{number} rung{'s' if number > 1 else ''}"
    return f"A ladder of {count} of its own encodes" if own[1] <= own[0] else f"A new ladder of {count}"


def _of(kind: Kind, rungs: tuple[int, ...], text: str, way: Alternative, audit: LadderAudit) -> Advice:
    apart = abs(way.gain_mos) > audit.difference_mos > 0.0
    share = way.saved_kbps / audit.mean_kbps if audit.mean_kbps else 0.0
    less = "less" if way.saved_kbps >= 0.0 else "more"
    sent = f"{abs(way.saved_kbps):.0f} kbps ({100 * abs(share):.1f} %) {less} sent on average"
    if way.saved_cost is not None and audit.cost is not None and audit.cost.total > 0.0:
        less = "cheaper" if way.saved_cost >= 0.0 else "dearer"
        sent += f", {100.0 * abs(way.saved_cost) / audit.cost.total:.1f} % {less}"
    changes = abs(way.gain_mos) >= _SHOWN_MOS
    gained = f"Expected AVQ {way.gain_mos:+.3f}" if changes else "Expected AVQ unchanged"
    return Advice(
        kind=kind,
        rungs=rungs,
        text=f"{text}. {gained}, {sent}" + (_uncertain(apart, audit) if changes else ""),
        gain_mos=way.gain_mos,
        saved_kbps=way.saved_kbps,
        told_apart=apart,
    )


def _uncertain(apart: bool, audit: LadderAudit) -> str:
    return "" if apart or audit.difference_mos <= 0.0 else " *"


def _is_worth(way: Alternative, audit: LadderAudit) -> bool:
    return way.gain_mos >= _LEAST_GAIN_MOS or way.saved_kbps >= _LEAST_SAVED * audit.mean_kbps


def _drops_audio(audit: LadderAudit) -> bool:
    """Whether the re-paired ladder needs fewer audio renditions."""
    ladders = [audit.ladder] if audit.re_paired is None else [audit.ladder, audit.re_paired.ladder]
    return len({rung.audio.identity for rung in ladders[-1].rungs}) < len({r.audio.identity for r in ladders[0].rungs})


def _beats(way: Alternative, cheaper: Alternative | None) -> bool:
    return cheaper is None or way.gain_mos > cheaper.gain_mos + _LEAST_GAIN_MOS


def _why_dropped(audit: LadderAudit, dropped: Sequence[int]) -> Iterator[str]:
    """Why, each by its number; of the ladder that is dropped from, which is the re-paired one where there is one."""
    ladder = audit.ladder if audit.re_paired is None else audit.re_paired.ladder
    numbers = _numbers(audit, ladder)
    for number in dropped:
        k = numbers.index(number)
        rung, better = ladder.rungs[k], dominator(ladder, k)
        if better is not None:
            less = rung.total_kbps - ladder.rungs[better - 1].total_kbps
            yield f"rung {number} is no better than rung {numbers[better - 1]}, which takes {less:.0f}k less"
        elif k > 0:
            step = rung.avq_mos - ladder.rungs[k - 1].avq_mos
            yield f"rung {number} adds {step:.2f} to rung {numbers[k - 1]}, played by {100 * rung.played_share:.1f} %"
        else:
            yield f"rung {number} is played by {100 * rung.played_share:.1f} %"


def _numbers(audit: LadderAudit, ladder: Ladder) -> list[int]:
    """Of the rungs of the re-paired ladder, which come by their own totals, the numbers that they have in the table."""
    other = {} if audit.re_paired is None else {c.rung: c.to_audio for c in audit.re_paired.changed}
    numbers: dict[tuple[Hashable, str], list[int]] = {}
    for number, found in enumerate(audit.rungs, 1):
        key = found.rung.video.identity, other.get(number, found.rung.audio.target)
        numbers.setdefault(key, []).append(number)
    return [numbers[rung.video.identity, rung.audio.target].pop(0) for rung in ladder.rungs]


def _changes(audit: LadderAudit, way: Alternative) -> str:
    """`rungs 1-3 aac 64k, rungs 4, 5 aac 96k`."""
    by_audio: dict[tuple[str, str], list[int]] = {}
    of_target = {rung.audio.target: rung.audio for rung in way.ladder.rungs}
    for change in way.changed:
        before = audio_name(audit.rungs[change.rung - 1].rung.audio)
        by_audio.setdefault((before, audio_name(of_target[change.to_audio])), []).append(change.rung)
    return ", ".join(
        f"{rungs_text(sorted(numbers))} {after} instead of {before}" for (before, after), numbers in by_audio.items()
    )


def rungs_text(numbers: Sequence[int]) -> str:
    """`rung 3`, `rungs 1-3, 5`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    told = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return f"rung{'s' if len(numbers) > 1 else ''} {told}"


def pair_text(video: VideoRendition, audio: AudioRendition) -> str:
    """`1280x720 1800k + aac 192k`."""
    return f"{_size(video)} {video.bitrate_kbps:.0f}k + {audio_name(audio)}"


def audio_name(audio: AudioRendition) -> str:
    """`aac 192k`, by the rate that it was measured at."""
    return f"{audio.codec} {audio.bitrate_kbps:.0f}k"


def _size(video: VideoRendition) -> str:
    return f"{video.width_px}x{video.height_px}"
