"""Audits of shipped ladders as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from abr_alloc.allocation.advice import advise, audio_name, rungs_text
from abr_alloc.allocation.audit_results import LadderAudit, TitleAudit
from abr_alloc.allocation.path import TIE_MOS
from abr_alloc.cli.cost_table import cost_lines, prices_text
from abr_alloc.cli.ladder_table import UPSCALING_NOTE, has_strong_upscaling
from abr_alloc.cli.layout import new_table, render_table, short_title, wrap
from abr_alloc.cli.tables import audio_text
from abr_alloc.cli.verbosity import notes
from abr_alloc.parameters import with_options

if TYPE_CHECKING:
    from abr_alloc.runs.audit_catalogue import CouldWin
    from abr_alloc.runs.audit_run import Audits

__all__ = ["audit_text", "could_win_text"]

_MOST_SHOWN = 20


def audit_text(audits: Audits) -> str:
    """A table per ladder, what to do about it, and how to read it; with several titles a summary first."""
    from abr_alloc.runs.audit_catalogue import could_win

    parts = [could_win_text([could_win(title) for title in audits])] if len(audits) > 1 else []
    parts += [_title(title) for title in audits]
    told = (
        f"AVQ: predicted MOS 1-5 (model {audits.model.described}) with an estimated 90 % interval. VMAF: of the video. "
        "audio share: how far the judgement rests on the audio at this pair (Eq. 8); video has the rest. played: share "
        "of the audience that has the bandwidth for this rung and not for the next. next: AVQ that the next rung adds. "
        "without: how expected AVQ changes without this rung alone. ~: interpolated between measured rates; others "
        "were measured themselves."
    )
    if any("*" in advice.text for title in audits for family in title.families for advice in advise(family)):
        told += (
            f" *: smaller than {audits.model.intervals.difference_mos:.2f} MOS, below which the model cannot tell two "
            "pairs apart: of several such changes take the one that saves most."
        )
    if any(has_strong_upscaling(family.ladder) for title in audits for family in title.families):
        told += UPSCALING_NOTE
    if audits.options.prices is not None:
        told += f" {prices_text(audits.options.prices, None)}"
    lines = notes(f"Audience: {audits.network}\n{wrap(told, '')}\n")
    return "\n".join([*parts, *filter(None, [lines])])


def could_win_text(lines: Sequence[CouldWin]) -> str:
    """Titles by what could be won."""
    table = new_table(
        *("title", "rungs", "left\nout", "expected\nAVQ", "kbps\nsent", "pair\nagain", "could\nwin", "could\nsave"),
        left=["title"],
    )
    rows = sorted(lines, key=lambda line: line.order)
    for line in rows[:_MOST_SHOWN]:
        table.add_row(
            short_title(line.title, 32),
            str(line.num_rungs),
            str(line.num_left_out),
            f"{line.expected_avq_mos:.3f}",
            f"{line.mean_kbps:.0f}",
            f"{line.re_paired_mos:+.3f}",
            f"{line.could_win_mos:+.3f}",
            f"{100 * line.saved_share:.0f} %",
        )
    more = f"and {len(rows) - _MOST_SHOWN} more\n" if len(rows) > _MOST_SHOWN else ""
    told = notes(
        wrap(
            "pair again: expected AVQ that its own encodes would add, paired otherwise. could win: the most that any "
            "change would add to the rungs that were judged. could save: of what is sent, for no less expected AVQ. "
            "Titles with more than half of the rungs left out come last: little is known of what they could win.",
            "",
        )
        + "\n"
    )
    return f"{render_table(table)}\n{more}{told}"


def _title(title: TitleAudit) -> str:
    lines = []
    for family in title.families:
        lines += _family(title, family)
    if title.unmatched:
        reasons: dict[str, list[str]] = {}
        for one in title.unmatched:
            reasons.setdefault(one.reason, []).append(one.given.place)
        lines += [wrap(f"left out, {reason}: {', '.join(places)}") for reason, places in reasons.items()]
        number = len(title.unmatched) + sum(len(family.rungs) for family in title.families)
        lines.append(wrap(f"All of the above is of the other {number - len(title.unmatched)} of {number} rungs."))
    lines += filter(None, [notes(wrap(f"{note}.")) for note in title.notes])
    return "\n".join(lines) + "\n"


def _family(title: TitleAudit, audit: LadderAudit) -> list[str]:
    number = len(audit.rungs)
    mono = " mono" if audit.channels == 1 else f" {audit.channels} channels" if audit.channels > 2 else ""
    head = (
        f"{short_title(title.title)}: {title.ladder}, {number} rung{'s' if number > 1 else ''} in {audit.video_codec} "
        f"and {audit.audio_codec}{mono}, expected AVQ {audit.ladder.expected_avq_mos:.3f} at {audit.mean_kbps:.0f} "
        f"kbps sent on average ({100 * audit.ladder.unreached_share:.1f} % below the lowest rung)"
    )
    table = new_table(
        *("rung", "video", "audio", "kbps", "AVQ", "90 %", "VMAF", "audio\nshare", "played", "next", "without"),
        left=["video"],
    )
    for i, found in enumerate(audit.rungs, 1):
        r = found.rung
        mark = "~" if found.how == "interpolated" else ""
        table.add_row(
            str(i),
            f"{r.video.width_px}x{r.video.height_px} {mark}{r.video.bitrate_kbps:.0f}k",
            audio_text(r.audio, with_codec=False),
            f"{r.total_kbps:.0f}",
            f"{r.avq_mos:.2f}",
            f"{r.interval_mos[0]:.1f}-{r.interval_mos[1]:.1f}",
            "-" if r.video.vmaf is None else f"{r.video.vmaf:.0f}",
            f"{100 * found.audio_share:.0f} %",
            f"{100 * r.played_share:.1f} %",
            "" if found.step_mos is None else f"{found.step_mos:+.2f}",
            f"{-found.loss_mos:+.3f}",
        )
    costs = [] if audit.cost is None else cost_lines(audit.cost, audit.ladder)
    return [wrap(head), render_table(table), *_marks(audit), *costs, *_advice(audit)]


def _marks(audit: LadderAudit) -> list[str]:
    lines = []
    by_note: dict[str, list[str]] = {}
    for i, found in enumerate(audit.rungs, 1):
        if found.rung.note:
            by_note.setdefault(found.rung.note, []).append(str(i))
        if found.dominated_by is not None:
            by_note.setdefault(f"no better than rung {found.dominated_by}, which takes no more", []).append(str(i))
    unsure = [
        f"{i} to {i + 1}"
        for i, found in enumerate(audit.rungs, 1)
        if found.step_mos is not None and abs(found.step_mos) < audit.difference_mos
    ]
    if unsure:
        lines.append(
            wrap(f"steps that the model cannot tell from none ({audit.difference_mos:.2f}): {', '.join(unsure)}")
        )
    lines += [wrap(f"rung{'s' if len(n) > 1 else ''} {', '.join(n)}: {note}") for note, n in by_note.items()]
    lines.append(wrap(f"audio for the rate: {_verdicts(audit)}"))
    if audit.redesigned is None and audit.redesigned_reason:
        lines.append(wrap(f"no new ladder: {with_options(audit.redesigned_reason)}"))
    return lines


def _verdicts(audit: LadderAudit) -> str:
    """`right on rungs 2-5; too much on rung 1 (aac 64k gives +0.04 at the same total)`."""
    right = [i for i, found in enumerate(audit.rungs, 1) if found.audio_verdict == "right"]
    told = [f"right on {rungs_text(right)}"] if right else []
    for i, found in enumerate(audit.rungs, 1):
        if found.audio_verdict != "right":
            gain = found.best.gain_mos
            brings = f"gives {gain:+.2f} at the same total" if gain >= TIE_MOS else "gives as much"
            told.append(f"{found.audio_verdict} on rung {i} ({audio_name(found.best.audio)} {brings})")
    return "; ".join(told)


def _advice(audit: LadderAudit) -> Sequence[str]:
    found = advise(audit)
    if not found:
        return ["Nothing to change: no other pairs, rungs or rates of this table are better."]
    return [wrap(f"- {advice.text}") for advice in found]
