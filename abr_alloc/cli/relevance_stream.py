"""`abr-alloc relevance` over a catalogue: rows as they come, and a summary.

A scene's relevance does not depend on its company: what Eq. 8 normalises with is stored in the model. Only the budget,
where none is given, is a catalogue's own; it takes a first pass over the rates alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.filters import NO_ROWS, Filters, narrow
from abr_alloc.allocation.plan import middle_of_kbps
from abr_alloc.cli.layout import wrap
from abr_alloc.cli.printing import echo
from abr_alloc.cli.streaming import Infeasible, check_filters, chunks_of, results_of, write_streams
from abr_alloc.errors import FeatureTableError
from abr_alloc.runs.chunk_tasks import RELEVANCE_COLUMNS, RelevanceTask, sent_model
from abr_alloc.table.catalogue import read_narrow
from abr_alloc.table.table import FeatureTable

if TYPE_CHECKING:
    from abr_alloc.table.catalogue import Catalogue

__all__ = ["relevance_catalogue"]

_RATES = ("title", "scene", "kind", "codec", "height_px", "bitrate_kbps")


def relevance_catalogue(
    catalogue: Catalogue,
    output: Path | None,
    budget_kbps: float | None,
    model_name: str,
    overhead: float,
    measured_only: bool,
    filters: dict[str, Any],
    jobs: int,
    scheduler: str | None,
) -> None:
    """Estimate relevance in all scenes, write rows as they come, and print the summary.

    Raises:
        FeatureTableError: a table breaks the schema, or the filters leave nothing.
        InfeasibleBudgetError: no pair of some scene fits the budget; everything else is written.
        OutputError: the output cannot be written.
    """
    wanted = Filters(**filters)
    model, sha256 = sent_model(model_name, catalogue.metadata)
    check_filters(catalogue, wanted)
    budget = budget_kbps or _middling_budget_kbps(catalogue, wanted, overhead)
    tasks = [
        RelevanceTask(
            chunk=chunk,
            model=model,
            model_sha256=sha256,
            budget_kbps=budget,
            measured_only=measured_only,
            overhead=overhead,
            filters=wanted,
        )
        for chunk in chunks_of(catalogue, wanted, scheduler)
    ]
    infeasible = Infeasible()
    num_scenes, shares = 0, np.zeros(3)
    with (
        write_streams(output, to_stdout=False, columns=RELEVANCE_COLUMNS, num_parts=1) as write,
        results_of(tasks, "relevance", jobs, scheduler) as results,
    ):
        for _, found in results:
            write(0, found.rows, found.infeasible)
            infeasible.add(found.infeasible)
            num_scenes += len(found.rows)
            share = found.rows["audio_share"].to_numpy(dtype=np.float64)
            shares += share.sum(), (share < 0.25).sum(), (share > 0.5).sum()
        infeasible.require_any(num_scenes)
    if num_scenes:
        mean, low, high = 100 * shares / num_scenes
        echo(
            wrap(
                f"{num_scenes} scenes at the pairs planned for {budget:g} kbps: audio share {mean:.0f} % on average, "
                f"under 25 % in {low:.0f} % of the scenes, over 50 % in {high:.0f} %"
            )
        )
    infeasible.end()


def _middling_budget_kbps(catalogue: Catalogue, filters: Filters, overhead: float) -> float:
    """`plan.middling_budget_kbps` from the rates alone."""
    least: list[npt.NDArray[np.float64]] = []
    most: list[npt.NDArray[np.float64]] = []
    for chunk in chunks_of(catalogue, filters, None):
        frame = read_narrow(chunk, _RATES)
        table = narrow(FeatureTable.checked(frame, catalogue.metadata), filters)
        if table is not None:
            rates = table.frame.groupby(["title", "scene", "kind"])["bitrate_kbps"].agg(["min", "max"]).unstack("kind")
            for bounds, end in ((least, "min"), (most, "max")):
                bounds.append((rates[end, "video"] + rates[end, "audio"]).to_numpy(dtype=np.float64) * (1.0 + overhead))
    if not least:
        raise FeatureTableError(NO_ROWS)
    return middle_of_kbps(np.concatenate(least), np.concatenate(most))
