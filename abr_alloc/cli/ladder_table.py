"""Ladders as text."""

from __future__ import annotations

from collections.abc import Sequence

from abr_alloc.allocation.cost import Prices
from abr_alloc.allocation.design import TitleLadder
from abr_alloc.allocation.ladder import PLAYED_SHARE
from abr_alloc.allocation.reference import Comparison
from abr_alloc.allocation.rung import Ladder, Rung
from abr_alloc.cli import cost_table
from abr_alloc.cli.cost_table import compared_cost, cost_lines, money, prices_text
from abr_alloc.cli.layout import new_table, render_table, short_title, wrap
from abr_alloc.cli.shot_table import gain_text, proof_text, shots_note
from abr_alloc.cli.surround_table import played_share, surround_lines
from abr_alloc.cli.tables import audio_text, only_audio_codec, only_video_maker, video_text
from abr_alloc.cli.verbosity import notes
from abr_alloc.models.intervals import HDR_NOTE
from abr_alloc.targets import Target

__all__ = ["UPSCALING_NOTE", "has_strong_upscaling", "ladder_text"]

UPSCALING_NOTE = (
    " Rungs with less than half the lines of the largest are rated too high where they are shown at its size "
    "(docs/evaluation.md)."
)
"""What is to be known of ladders with such rungs."""


def ladder_text(
    ladders: Sequence[TitleLadder], network: str, model_name: str, *, free_number: bool, prices: Prices | None = None
) -> str:
    """A table per title, its comparison, and how to read them."""
    told = (
        "played: share of the audience that has the bandwidth for this rung and not for the next. AVQ: predicted MOS "
        f"1-5 (model {model_name}) with an estimated 90 % interval. VMAF: of the video alone, 0-100. "
    )
    shots = shots_note([found.ladder for found in ladders])
    told += shots or "~: a rate between the two probes named, where both are interpolated (docs/ladders.md)."
    if any(has_strong_upscaling(found.ladder) for found in ladders):
        told += UPSCALING_NOTE
    if any(rung.video.dynamic_range != "SDR" for found in ladders for rung in found.ladder.rungs):
        told += f" {HDR_NOTE}"
    if prices is not None:
        lengths_s = {found.cost.duration_s for found in ladders if found.cost is not None}
        told += f" {prices_text(prices, lengths_s.pop() if len(lengths_s) == 1 else None)}"
    parts = [_one(found, free_number=free_number) for found in ladders]
    return "\n".join([*parts, *filter(None, [notes(f"Audience: {network}\n{wrap(told, '')}\n")])])


def has_strong_upscaling(ladder: Ladder) -> bool:
    """Whether a rung has less than half the lines of the largest."""
    sides = [min(r.video.width_px, r.video.height_px) for r in ladder.rungs]
    return 2 * min(sides) < max(sides)


def _one(found: TitleLadder, *, free_number: bool) -> str:
    ladder = found.ladder
    audio_codec = only_audio_codec(r.audio for r in ladder.rungs)
    named = dict.fromkeys(Target(r.video.target).encoder for r in ladder.rungs)
    by = f" by {', '.join(name or 'its usual encoder' for name in named)}" if any(named) else ""
    codecs = f"{ladder.rungs[0].video.codec}{by}{f' and {audio_codec}' if audio_codec else ''}"
    head = (
        f"{short_title(ladder.title)}: {_count(len(ladder.rungs))} in {codecs}, expected AVQ "
        f"{ladder.expected_avq_mos:.3f} ({100 * ladder.unreached_share:.1f} % below the lowest rung)"
    )
    lines = [wrap(head), *_rungs(ladder), *surround_lines(ladder)]
    idle = [i for i, rung in enumerate(ladder.rungs, 1) if played_share(rung) < PLAYED_SHARE]
    if idle and not free_number:
        told = (
            f"Rung{'s' if len(idle) > 1 else ''} {', '.join(map(str, idle))} played by under {100 * PLAYED_SHARE:g} %; "
            "--rungs auto leaves out what nobody would miss."
        )
        lines += filter(None, [notes(wrap(told))])
    if ladder.rungs[0].video.per_shot:
        lines.append(wrap(proof_text(ladder)))
    if found.shot_gain is not None:
        lines += map(wrap, gain_text(found.shot_gain, ladder))
    if found.cost is not None:
        lines += [f"cost {money(found.cost.total)}:", *cost_lines(found.cost, ladder)]
        if found.cost_proof is not None:
            lines.append(wrap(cost_table.proof_text(found.cost_proof, ladder, found.cost)))
    if found.comparison is not None:
        where = "these titles" if ladder.rungs[0].titles else "this title"
        where += ", for who plays stereo" if ladder.rungs[0].surround is not None else ""
        lines += _comparison(found.comparison, where, for_money=found.cost_proof is not None)
        if found.cost is not None:
            lines += map(wrap, compared_cost(found.comparison, found.cost))
    return "\n".join(lines) + "\n"


def _rungs(ladder: Ladder) -> list[str]:
    """The table, and below it what is special about a rung."""
    only_maker = only_video_maker([r.video for r in ladder.rungs])
    audio_codec = only_audio_codec(r.audio for r in ladder.rungs)
    with_shots = any(r.video.per_shot for r in ladder.rungs)
    with_peak = any(r.shot_proof is not None and r.shot_proof.peak_kbps is not None for r in ladder.rungs)
    worst, peak = ["worst"] if with_shots else [], ["peak"] if with_peak else []
    with_screens = any(r.screens is not None for r in ladder.rungs)
    screens = ["on tv", "phone"] if with_screens else []
    names = ["rung", "video", "audio", "kbps", *peak, "AVQ", *screens, *worst, "90 %", "VMAF", "played"]
    table = new_table(*names, left=["video"])
    said: dict[str, list[str]] = {}
    for i, r in enumerate(ladder.rungs, 1):
        table.add_row(
            str(i),
            video_text(r.video, with_maker=not only_maker),
            audio_text(r.audio, with_codec=not audio_codec),
            f"{r.total_kbps:.0f}",
            *([_peak(r)] if with_peak else []),
            f"{r.avq_mos:.2f}",
            *(_on_screens(r) if with_screens else []),
            *([f"{r.worst_mos:.2f}"] if with_shots else []),
            f"{r.interval_mos[0]:.1f}-{r.interval_mos[1]:.1f}",
            "-" if r.video.vmaf is None else f"{r.video.vmaf:.0f}",
            f"{100 * r.played_share:.1f} %",
        )
        if r.note:
            said.setdefault(r.note, []).append(str(i))
    return [
        render_table(table),
        *(wrap(f"rung{'s' if len(rungs) > 1 else ''} {', '.join(rungs)}: {note}") for note, rungs in said.items()),
    ]


def _on_screens(rung: Rung) -> list[str]:
    found = rung.screens
    return ["-", "-"] if found is None else [f"{found.tv_mos:.2f}", f"{found.phone_mos:.2f}"]


def _peak(rung: Rung) -> str:
    peak_kbps = None if rung.shot_proof is None else rung.shot_proof.peak_kbps
    return "-" if peak_kbps is None else f"{peak_kbps:.0f}"


def _comparison(c: Comparison, where: str, *, for_money: bool) -> list[str]:
    audio_codec = only_audio_codec(r.audio for r in c.ladder.rungs)
    with_audio = f", audio in {audio_codec}" if audio_codec else ""
    head = f"{c.reference} on {where}{with_audio}: expected AVQ {c.ladder.expected_avq_mos:.3f}"
    lines = [wrap(head), *_rungs(c.ladder)]
    if c.left_out:
        lines += _left_out(c.left_out)
    said = [f"designed: {c.gain_mos:+.3f} MOS expected"]
    if not for_money:
        if c.same_rungs_gain_mos is not None:
            said.append(f"{c.same_rungs_gain_mos:+.3f} with its {_count(len(c.ladder.rungs))}")
        said.append("no number of rungs would do" if c.rungs_needed is None else f"{_count(c.rungs_needed)} would do")
    rates = [_percent(percent) for percent in (c.bd_rate_percent, c.bd_rate_vmaf_percent)]
    said.append(f"rate at equal AVQ (BD-rate) {rates[0]}, at equal VMAF {rates[1]}")
    if c.scores_disagree:
        gain, loss = ("AVQ", "VMAF") if (c.bd_rate_percent or 0.0) < 0.0 else ("VMAF", "AVQ")
        said.append(f"a gain in {gain} and a loss in {loss}")
    if c.breaks_rules:
        said.append(f"{c.reference} breaks a rule that the designed ladder keeps")
    return [*lines, wrap("; ".join(said))]


def _percent(value: float | None) -> str:
    return "not comparable" if value is None else f"{value:+.1f} %"


def _count(rungs: int) -> str:
    return f"{rungs} rung{'' if rungs == 1 else 's'}"


def _left_out(reasons: Sequence[str]) -> list[str]:
    """One line per reason: `reason: rung, rung`."""
    rungs: dict[str, list[str]] = {}
    for text in reasons:
        rung, _, reason = text.partition(": ")
        rungs.setdefault(reason, []).append(rung)
    return [wrap(f"left out, {reason}: {', '.join(names)}") for reason, names in rungs.items()]
