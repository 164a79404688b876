"""How well the teacher's video quality, fitted to SDR alone, predicts ratings of HDR, beside ratings of SDR.

    python benchmarks/hdr_ratings.py HDR.csv SDR.csv

Both are CSV with a row per rated video: `source`, `mos` (1-5) and the six features of libvmaf (`VIDEO_FEATURES`); rows
of SDR with `broken` or `lowfps` are left out. A line is fitted to the ratings of all other sources before the error
of a source is taken, so what a panel makes of its scale does not count. SDR's ratings are those that the teacher was
fitted to, which flatters them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import pearsonr, spearmanr

from abr_alloc.models.teacher import load_teacher, mos_of_points
from abr_alloc.table.table import VIDEO_FEATURES

RESAMPLES = 20_000

Floats = npt.NDArray[np.float64]


def read(path: Path) -> pd.DataFrame:
    """Rated videos with features, and the teacher's quality of each, `q`."""
    rows = pd.read_csv(path).dropna(subset=[*VIDEO_FEATURES, "mos"])
    for flaw in ("broken", "lowfps"):
        rows = rows[rows[flaw] == 0] if flaw in rows else rows
    teacher = load_teacher()
    quality = mos_of_points(teacher.c0 + teacher.video_gain(rows[list(VIDEO_FEATURES)].to_numpy()))
    return rows.assign(q=quality).reset_index(drop=True)


def errors(rows: pd.DataFrame) -> Floats:
    """Rating less prediction, after a line fitted to the other sources, (n,)."""
    found = np.empty(len(rows))
    for source in rows["source"].unique():
        own = (rows["source"] == source).to_numpy()
        line = np.polyfit(rows["q"][~own], rows["mos"][~own], 1)
        found[own] = rows["mos"][own] - np.polyval(line, rows["q"][own])
    return found


def within(rows: pd.DataFrame, correlation: Callable[..., tuple[float, float]]) -> float:
    """Mean correlation within a source of more than five videos."""
    groups = [group for _, group in rows.groupby("source") if len(group) > 5]
    return float(np.mean([correlation(group["q"], group["mos"])[0] for group in groups]))


def ratio(hdr: pd.DataFrame, sdr: pd.DataFrame) -> tuple[float, float, float]:
    """RMSE of HDR over that of SDR, and its 95 % interval over sources."""
    rng, sides = np.random.default_rng(0), []
    for rows in (hdr, sdr):
        squares = pd.Series(errors(rows) ** 2).groupby(rows["source"]).agg(["sum", "size"]).to_numpy()
        drawn = squares[rng.integers(0, len(squares), (RESAMPLES, len(squares)))].sum(axis=1)
        whole = squares.sum(axis=0)
        sides.append((np.sqrt(whole[0] / whole[1]), np.sqrt(drawn[:, 0] / drawn[:, 1])))
    low, high = np.percentile(sides[0][1] / sides[1][1], [2.5, 97.5])
    return float(sides[0][0] / sides[1][0]), float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hdr", type=Path)
    parser.add_argument("sdr", type=Path)
    args = parser.parse_args()
    print("| | videos | sources | Pearson, Spearman | within a source | RMSE on unseen sources |")
    print("|---|---|---|---|---|---|")
    tables = {"HDR": read(args.hdr), "SDR": read(args.sdr)}
    for name, rows in tables.items():
        p, s = (kind(rows["q"], rows["mos"])[0] for kind in (pearsonr, spearmanr))
        inside = f"{within(rows, pearsonr):.3f}, {within(rows, spearmanr):.3f}"
        rmse = float(np.sqrt(np.mean(errors(rows) ** 2)))
        print(f"| {name} | {len(rows)} | {rows['source'].nunique()} | {p:.3f}, {s:.3f} | {inside} | {rmse:.3f} |")
    found, low, high = ratio(**{name.lower(): rows for name, rows in tables.items()})
    print(f"\nRatio of the errors {found:.2f}, 95 % interval over sources {low:.2f} to {high:.2f}")


if __name__ == "__main__":
    main()
