"""Ladders for money beside ladders without: processor time of a design, in turn, in one run, and what money buys.

python benchmarks/ladder_cost.py [--titles N] [--search | --frontier TITLE] [--json FILE]

For every title a ladder of six rungs, then the best within parts of what that one costs, and the cheapest with the AVQ
that each of these had. `--frontier` prints what a title's money buys instead, for few views and for many; `--search`
what it saves to look only at candidates that promise enough, beside all of them, without money.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from results import write_results

from abr_alloc.allocation import ladder
from abr_alloc.allocation.audience import read_audience
from abr_alloc.allocation.cost import Prices
from abr_alloc.allocation.design import DesignOptions, TitleLadder, design_titles
from abr_alloc.allocation.surface import QualitySurface, build_surfaces, by_title
from abr_alloc.defaults import NETWORK
from abr_alloc.errors import InfeasibleLadderError
from abr_alloc.models.checkpoint import load_model
from abr_alloc.table.table import read_features

FEATURES = Path(__file__).parent / "features" / "clips.parquet"
PRICES = Prices(storage_per_gb_month=0.02, delivery_per_gb=0.05, views=1.0)
VIEWS = (10.0, 100_000.0)
PARTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
AUDIENCE = read_audience(NETWORK)


def design(scenes: Sequence[QualitySurface], options: DesignOptions) -> TitleLadder | None:
    """The ladder of a title; None where none costs so little."""
    try:
        return design_titles(scenes, AUDIENCE, options)[0]
    except InfeasibleLadderError:
        return None


def seconds(do: Callable[[], TitleLadder | None]) -> tuple[float, TitleLadder | None]:
    started = time.process_time()
    found = do()
    return time.process_time() - started, found


def measure(titles: Sequence[Sequence[QualitySurface]], options: DesignOptions) -> dict[str, list[float]]:
    """Times with money over times without, and what was proven: by what limits, one per title, views and part."""
    ratios: dict[str, list[float]] = {"budget": [], "least AVQ": [], "gap, MOS": []}
    for scenes in titles:
        for views in VIEWS:
            priced = replace(options, prices=replace(PRICES, views=views))
            for part in PARTS[1::3]:
                plain_s, free = seconds(lambda priced=priced, scenes=scenes: design(scenes, priced))
                assert free is not None and free.cost is not None
                within = replace(priced, cost_budget=part * free.cost.total)
                within_s, found = seconds(lambda within=within, scenes=scenes: design(scenes, within))
                if found is None or found.cost_proof is None:
                    continue
                reaching = replace(priced, min_avq_mos=found.ladder.expected_avq_mos)
                reaching_s, _ = seconds(lambda reaching=reaching, scenes=scenes: design(scenes, reaching))
                ratios["budget"].append(within_s / plain_s)
                ratios["least AVQ"].append(reaching_s / plain_s)
                ratios["gap, MOS"].append(found.cost_proof.gap)
    return ratios


def compare_searches(titles: Sequence[Sequence[QualitySurface]], options: DesignOptions) -> dict[str, list[float]]:
    """Time of a design from the candidates that promise enough over that from all at once; the ladders are the same."""
    ratios: dict[str, list[float]] = {"seconds": [], "few / all": []}
    for scenes in titles:
        few_s, found = seconds(lambda scenes=scenes: design(scenes, options))
        tried, ladder._FIRST_TRIED = ladder._FIRST_TRIED, 1 << 30
        try:
            all_s, whole = seconds(lambda scenes=scenes: design(scenes, options))
        finally:
            ladder._FIRST_TRIED = tried
        assert found == whole
        ratios["seconds"].append(few_s)
        ratios["few / all"].append(few_s / all_s)
    return ratios


def print_frontier(scenes: Sequence[QualitySurface], options: DesignOptions) -> None:
    for views in VIEWS:
        priced = replace(options, prices=replace(PRICES, views=views))
        free = design(scenes, priced)
        assert free is not None and free.cost is not None
        print(f"{scenes[0].title}, {views:g} views\nmoney  of it storage  AVQ    rungs  audio  top kbps")
        for part in PARTS:
            found = design(scenes, replace(priced, cost_budget=part * free.cost.total))
            if found is None or found.cost is None:
                print(f"{100 * part:4.0f} %  no ladder")
                continue
            rungs = found.ladder.rungs
            print(
                f"{100 * part:4.0f} %  {100 * found.cost.storage / found.cost.total:11.2f} %  "
                f"{found.ladder.expected_avq_mos:.3f}  {len(rungs):5}  {len({r.audio.identity for r in rungs}):5}  "
                f"{rungs[-1].total_kbps:8.0f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--titles", type=int, default=7)
    parser.add_argument("--frontier")
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    model = load_model()
    options = DesignOptions().known_to(model)
    titles = list(by_title(build_surfaces(read_features(FEATURES), model)))
    if args.frontier is not None:
        print_frontier(next(scenes for scenes in titles if scenes[0].title == args.frontier), options)
        return
    titles = titles[:: -(-len(titles) // args.titles)]
    ratios = compare_searches(titles, options) if args.search else measure(titles, options)
    for name, values in ratios.items():
        print(f"{name:10} n {len(values)}  median {statistics.median(values):.3g}  largest {max(values):.3g}")
    if args.search:
        write_results(args.json, "ladder_search", {"few / all": statistics.median(ratios["few / all"])})
        return
    medians = {f"{name} / without": statistics.median(values) for name, values in list(ratios.items())[:2]}
    write_results(args.json, "ladder_cost", medians, {})


if __name__ == "__main__":
    main()
