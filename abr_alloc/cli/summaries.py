"""What a catalogue came to, in a few lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from abr_alloc.cli.layout import wrap
from abr_alloc.cli.verbosity import notes

if TYPE_CHECKING:
    from abr_alloc.runs.ladder_catalogue import CatalogueSummary
    from abr_alloc.runs.plan_run import BudgetSummary
    from abr_alloc.runs.relevance_run import RelevanceSummary

__all__ = ["ladder_summary", "plan_summary", "relevance_summary"]


def plan_summary(summaries: Sequence[BudgetSummary], *, per: str, output: Path | None, infeasible: Path | None) -> str:
    """A line per budget, and where its rows are, or could be."""
    lines = [_budget_line(summary, per=per) for summary in summaries]
    if output is None:
        lines += filter(None, [notes("-o FILE.parquet or .csv writes a row per scene.")])
    elif infeasible is not None:
        lines.append(f"Nothing fits what {infeasible} lists.")
    return "\n".join(lines)


def _budget_line(summary: BudgetSummary, *, per: str) -> str:
    each = " for the mean of each title" if per == "title" else ""
    line = f"Budget {summary.budget_kbps:g} kbps{each}: {summary.num_scenes} scenes of {summary.num_titles} titles"
    if summary.num_scenes:
        avq, total, audio = (value / summary.num_scenes for value in summary.sums.values())
        line += f", mean AVQ {avq:.2f} at {total:.0f} kbps, of which audio {audio:.0f}"
    what = "titles" if per == "title" else "scenes"
    return wrap(line + (f"; nothing fits {summary.num_infeasible} {what}" if summary.num_infeasible else ""))


def relevance_summary(summary: RelevanceSummary) -> str:
    """Audio's share over the scenes."""
    mean, low, high = (100 * s for s in (summary.mean_audio_share, summary.low_share, summary.high_share))
    return wrap(
        f"{summary.num_scenes} scenes at the pairs planned for {summary.budget_kbps:g} kbps: audio share {mean:.0f} % "
        f"on average, under 25 % in {low:.0f} % of the scenes, over 50 % in {high:.0f} %"
    )


def ladder_summary(summary: CatalogueSummary) -> str:
    """How many ladders there are, and how good they are on average."""
    return (
        f"{summary.num_ladders} ladders, {summary.num_rungs / summary.num_ladders:.1f} rungs and an expected AVQ of "
        f"{summary.sum_mos / summary.num_ladders:.3f} on average; {summary.num_without} titles without one"
    )
