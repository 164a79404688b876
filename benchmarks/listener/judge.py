"""Tables of who hears best: ViSQOL, calibrated ViSQOL and the listener, on contents that none was trained on.

    python -m benchmarks.listener.judge WORK_FOLDER [--live-sjtu live_sjtu.csv]

WORK_FOLDER is that of `python -m benchmarks.listener`. Every figure has the 95 % interval of a bootstrap over contents
(LIVE-SJTU's over its own). The orders of ABC/HR and MUSHRA tests are of public listening tests, and no judge was fitted
to them; their encoders are not ours, so a pair is asked only where families, not versions, differ.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from abr_alloc.learning.imputation import load_imputation
from abr_alloc.learning.metrics import trade_off_order
from abr_alloc.models.audio_quality import TRANSPARENT_MOS
from abr_alloc.models.p1203 import aac_mos
from abr_alloc.models.teacher import load_teacher
from abr_alloc.table.table import VIDEO_FEATURES
from benchmarks.listener.encodes import OLD_AAC
from benchmarks.listener.scores import JUDGES, read_scores
from benchmarks.listener.training import LEFT_OUT, fold_of_contents

RESAMPLES = 1000
AAC = ("aac", "aac-fast", "fdk-lc", OLD_AAC.name)
ORDERS = (
    (("opus", 64), ("fdk-he", 64), "HydrogenAudio 2011: 4.00 and 3.55-3.82"),
    (("opus", 64), ("vorbis", 0), "HydrogenAudio 2011: 4.00 and 3.51"),
    (("opus", 64), ("fdk-lc", 48), "HydrogenAudio 2011: 4.00 and 1.66"),
    (("fdk-he", 64), ("fdk-lc", 48), "HydrogenAudio 2011: 3.55-3.82 and 1.66"),
    (("vorbis", 0), ("fdk-lc", 48), "HydrogenAudio 2011: 3.51 and 1.66"),
    (("fdk-lc", 96), ("fdk-he", 64), "HydrogenAudio 2007: 4.59 and 3.74"),
    (("fdk-lc", 96), ("fdk-lc", 48), "HydrogenAudio 2007: 4.59 and 1.55"),
    (("opus", 96), ("fdk-lc", 96), "Kamedo2 2014: 4.65 and 4.40"),
    (("opus", 96), ("mp3", 128), "Kamedo2 2014: 4.65 and 4.24"),
    (("fdk-lc", 96), ("mp3", 128), "Kamedo2 2014: 4.40 and 4.24"),
    (("mp3", 128), ("fdk-lc", 48), "Kamedo2 2014: 4.24 and 1.19 (FAAC)"),
    (("fdk-hev2", 24), ("fdk-hev2", 16), "3GPP 2005: 49.6 at 21k and 38.1 at 14k"),
    (("fdk-hev2", 32), ("fdk-hev2", 24), "3GPP 2005: 64.3 at 28k and 49.6 at 21k"),
)
"""The better, the worse, and what listeners said. The rate of `vorbis 0` is 64 kbps."""
COMPARED = (("listener", "ViSQOL's head"), ("calibrated listener", "calibrated ViSQOL"))
LIVE_RATES = (8.0, 32.0, 128.0)
PREFERENCE = 5.0


def gain(mos: pd.Series | np.ndarray) -> np.ndarray:
    """g_a, what the teacher makes of an audio quality."""
    return load_teacher().audio_gain(np.minimum(np.asarray(mos, dtype=np.float64), TRANSPARENT_MOS))


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure that is made of sums over contents, so that contents can be drawn anew in one matrix product."""

    sums: Callable[[pd.DataFrame, str], list[float]]
    """Of the rows of one content, (k,)."""
    finish: Callable[[np.ndarray], np.ndarray]
    """From sums over contents, (R, k), to figures, (R,)."""


def _ratio(sums: np.ndarray) -> np.ndarray:
    return sums[:, 0] / sums[:, 1]


def _share(of: Callable[[pd.DataFrame, str], np.ndarray]) -> Measure:
    """The mean of what is taken of every content's rows."""
    return Measure(lambda rows, judge: [float(np.sum(of(rows, judge))), len(of(rows, judge))], _ratio)


def _labelled(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["label"].notna()]


def _moments(rows: pd.DataFrame, judge: str) -> list[float]:
    x, y = (_labelled(rows)[name].to_numpy() for name in (judge, "label"))
    return [len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y]


def _correlation(sums: np.ndarray) -> np.ndarray:
    n, x, y, xx, yy, xy = sums.T
    return (xy - x * y / n) / np.sqrt((xx - x * x / n) * (yy - y * y / n))


def _within(rows: pd.DataFrame, judge: str) -> np.ndarray:
    groups = _labelled(rows).groupby("sound")
    return np.array([np.corrcoef(group[judge], group["label"])[0, 1] for _, group in groups])


def _squares(rows: pd.DataFrame, judge: str) -> np.ndarray:
    rows = _labelled(rows)
    return ((rows[judge] - rows["label"]) ** 2).to_numpy()


def _close(encoders: Sequence[str]) -> Callable[[pd.DataFrame, str], np.ndarray]:
    def close(rows: pd.DataFrame, judge: str) -> np.ndarray:
        rows = rows[rows["encoder"].isin(encoders) & rows["asked"].between(16, 48)]
        return np.abs(gain(rows[judge]) - gain(rows["label"])) <= 0.05

    return close


def _lowered(rows: pd.DataFrame, judge: str) -> np.ndarray:
    groups = rows.sort_values("asked").groupby(["sound", "encoder"])
    return np.concatenate([np.diff(gain(group[judge])) < -0.005 for _, group in groups])


def _condition_sums(rows: pd.DataFrame, judge: str) -> list[float]:
    found: list[float] = []
    for pair in ORDERS:
        for encoder, asked in pair[:2]:
            values = rows.loc[(rows["encoder"] == encoder) & (rows["asked"] == asked), judge]
            found += [values.sum(), len(values)]
    return found


def _mean_orders(sums: np.ndarray) -> np.ndarray:
    means = (sums[:, ::2] / sums[:, 1::2]).reshape(len(sums), -1, 2)
    return (means[:, :, 0] > means[:, :, 1]).mean(axis=1)


def _item_orders(rows: pd.DataFrame, judge: str) -> np.ndarray:
    table = rows.pivot_table(index="sound", columns=["encoder", "asked"], values=judge)
    return np.concatenate([(table[better] > table[worse]).to_numpy() for better, worse, _ in ORDERS])


CORRELATION = Measure(_moments, _correlation)
ERROR = Measure(_share(_squares).sums, lambda sums: np.sqrt(_ratio(sums)))
LOWERED = _share(_lowered)
MEASURES: dict[str, Measure] = {
    "correlation with the anchors": CORRELATION,
    "correlation within an item": _share(_within),
    "RMSE beside the anchors, MOS": ERROR,
    "AAC at 16-48k within .05 of the anchors' gain": _share(_close(AAC)),
    "Opus at 16-48k within .05 of the anchors' gain": _share(_close(("opus",))),
    "steps up in rate that lower the gain by > .005": LOWERED,
    "orders of listening tests, means over items": Measure(_condition_sums, _mean_orders),
    "orders of listening tests, item by item": _share(_item_orders),
}


def _figures(frame: pd.DataFrame, judge: str, measure: Measure) -> np.ndarray:
    """A figure of all contents, and of contents drawn anew, (1 + RESAMPLES,)."""
    sums = np.array([measure.sums(rows, judge) for _, rows in frame.groupby("content")])
    times = np.random.default_rng(0).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES)
    return measure.finish(np.vstack([np.ones(len(sums)), times]) @ sums)


def interval(frame: pd.DataFrame, judge: str, measure: Measure, beside: str = "") -> str:
    """A figure, or what it lies above that of another judge in the same draws, and its 95 % interval over contents."""
    figures = _figures(frame, judge, measure)
    sign = ""
    if beside:
        figures, sign = figures - _figures(frame, beside, measure), "+"
    low, high = np.nanpercentile(figures[1:], [2.5, 97.5])
    return f"{figures[0]:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def print_table(first: str, rows: dict[str, list[str]], columns: Sequence[str] = JUDGES) -> None:
    print(f"| {first} | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |")
    print()


def judge_differences(parts: dict[str, tuple[pd.DataFrame, Measure]]) -> None:
    columns = [f"{judge} less {beside}" for judge, beside in COMPARED]
    rows = {
        name: [interval(frame, judge, measure, beside) for judge, beside in COMPARED]
        for name, (frame, measure) in parts.items()
    }
    print_table("in the same draws of contents", rows, columns)


def judge_orders(frame: pd.DataFrame) -> None:
    rows = {}
    for better, worse, said in ORDERS:
        gaps = [
            frame.loc[(frame["encoder"] == better[0]) & (frame["asked"] == better[1]), judge].mean()
            - frame.loc[(frame["encoder"] == worse[0]) & (frame["asked"] == worse[1]), judge].mean()
            for judge in JUDGES
        ]
        rows[f"{better[0]} {better[1]} over {worse[0]} {worse[1]} ({said})"] = [f"{gap:+.2f}" for gap in gaps]
    print_table("mean MOS of the better less that of the worse", rows)


def judge_left_out(work: Path, folds: dict[str, int]) -> None:
    rows: dict[str, list[str]] = {}
    parts: dict[str, tuple[pd.DataFrame, Measure]] = {}
    for name, encoders in LEFT_OUT.items():
        if not (work / f"without-{name}.run").is_file():
            continue
        frame = read_scores(work, folds, f"without-{name}", encoders, (0, 1))
        own = frame[frame["encoder"].isin(encoders)]
        known = own["label"].notna().any()
        for what, measure in ({"correlation": CORRELATION, "RMSE": ERROR} if known else {}).items():
            parts[f"{name}: {what}"] = own, measure
            rows[f"{name}: {what}"] = [interval(own, judge, measure) for judge in JUDGES]
        if known:
            bias = [(own[judge] - own["label"]).mean() for judge in JUDGES]
            rows[f"{name}: mean error, MOS"] = [f"{value:+.2f}" for value in bias]
        rows[f"{name}: steps that lower the gain"] = [interval(own, judge, LOWERED) for judge in JUDGES]
    own = read_scores(work, folds)
    own = own[own["encoder"] == OLD_AAC.name]
    of_old = {"correlation": CORRELATION, "RMSE": ERROR, "steps that lower the gain": LOWERED} if len(own) else {}
    for what, measure in of_old.items():
        parts[f"AAC of ffmpeg 4.1: {what}"] = own, measure
        rows[f"AAC of ffmpeg 4.1: {what}"] = [interval(own, judge, measure) for judge in JUDGES]
    print_table("encoders that were left out", rows)
    judge_differences(parts)


def judge_ratings(frame: pd.DataFrame, path: Path) -> None:
    """LIVE-SJTU by the teacher's formula, its audio as each judge hears the panel's encoder, mean over items."""
    live, teacher = load_imputation()(pd.read_csv(path)), load_teacher()
    x_v, mos = live[list(VIDEO_FEATURES)].to_numpy(), live["mos"].to_numpy()
    content, kbps = live["content"].to_numpy(), live["audio_kbps"].to_numpy()
    quality = live.groupby(["content", "video_condition"])["mos"].transform("mean").to_numpy()
    heard = frame[frame["encoder"] == OLD_AAC.name].groupby("asked")
    rng, rows = np.random.default_rng(0), {"RMSE, points of 100": [], "trade-off order": [], "gain at 8 and 32k": []}
    draws = [rng.choice(np.unique(content), len(np.unique(content))) for _ in range(RESAMPLES)]
    for judge in JUDGES:
        means = heard[judge].mean()
        a = np.array([means[rate] for rate in kbps])
        said = teacher.points(x_v, a)

        def order(rows: np.ndarray, said: np.ndarray = said) -> float:
            return trade_off_order(
                said[rows], mos[rows], content[rows].tolist(), quality[rows], kbps[rows], threshold=PREFERENCE
            )[0]

        def rmse(rows: np.ndarray, said: np.ndarray = said) -> float:
            return float(np.sqrt(np.mean((said[rows] - mos[rows]) ** 2)))

        for name, measure in (("RMSE, points of 100", rmse), ("trade-off order", order)):
            found = [measure(np.concatenate([np.flatnonzero(content == one) for one in draw])) for draw in draws]
            low, high = np.percentile(found, [2.5, 97.5])
            rows[name].append(f"{measure(np.arange(len(mos))):.3f} [{low:.3f}, {high:.3f}]")
        g = gain(means[list(LIVE_RATES)])
        rows["gain at 8 and 32k"].append(f"{g[0] / g[2]:.3f}, {g[1] / g[2]:.3f}")
    curve = gain(aac_mos(np.array(LIVE_RATES)))
    print_table(f"LIVE-SJTU (people's gain .473, .891; the curve's {curve[0]:.3f}, {curve[1]:.3f})", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--live-sjtu", type=Path, help="its ratings; asks for material that was made with --old-ffmpeg")
    args = parser.parse_args()
    folds = fold_of_contents(args.work)
    frame = read_scores(args.work, folds)
    print(f"{len(frame)} encodes of {frame['sound'].nunique()} real sounds, {frame['content'].nunique()} contents\n")
    rows = {name: [interval(frame, judge, measure) for judge in JUDGES] for name, measure in MEASURES.items()}
    print_table("contents that were left out", rows)
    judge_differences({name: (frame, measure) for name, measure in MEASURES.items()})
    judge_orders(frame)
    judge_left_out(args.work, folds)
    if args.live_sjtu:
        judge_ratings(frame, args.live_sjtu)


if __name__ == "__main__":
    main()
