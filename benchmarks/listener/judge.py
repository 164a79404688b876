"""Tables of who hears best: ViSQOL, calibrated ViSQOL and the listener, on contents that none was trained on.

    python -m benchmarks.listener.judge WORK_FOLDER [--live-sjtu live_sjtu.csv]

WORK_FOLDER is that of `python -m benchmarks.listener`. Every figure has the 95 % interval of a bootstrap over contents
(LIVE-SJTU's over its own). The orders of ABC/HR and MUSHRA tests are of public listening tests, and no judge was fitted
to them; their encoders are not ours, so a pair is asked only where families, not versions, differ.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from abr_alloc.learning.imputation import load_imputation
from abr_alloc.learning.metrics import trade_off_order
from abr_alloc.models.audio_quality import TRANSPARENT_MOS
from abr_alloc.models.p1203 import aac_mos
from abr_alloc.models.teacher import load_teacher
from abr_alloc.table.table import VIDEO_FEATURES
from benchmarks.listener.__main__ import LEFT_OUT, fold_of_contents
from benchmarks.listener.encodes import OLD_AAC
from benchmarks.listener.scores import JUDGES, read_scores

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
LIVE_RATES = (8.0, 32.0, 128.0)
PREFERENCE = 5.0

Measure = Callable[[pd.DataFrame, str], float]


def gain(mos: pd.Series | np.ndarray) -> np.ndarray:
    """g_a, what the teacher makes of an audio quality."""
    return load_teacher().audio_gain(np.minimum(np.asarray(mos, dtype=np.float64), TRANSPARENT_MOS))


def with_anchors(frame: pd.DataFrame, judge: str) -> float:
    rows = frame[frame["label"].notna()]
    return float(np.corrcoef(rows[judge], rows["label"])[0, 1])


def within_item(frame: pd.DataFrame, judge: str) -> float:
    rows = frame[frame["label"].notna()]
    return float(np.mean([np.corrcoef(group[judge], group["label"])[0, 1] for _, group in rows.groupby("sound")]))


def error(frame: pd.DataFrame, judge: str) -> float:
    rows = frame[frame["label"].notna()]
    return float(np.sqrt(np.mean((rows[judge] - rows["label"]) ** 2)))


def close_share(encoders: tuple[str, ...]) -> Measure:
    def measure(frame: pd.DataFrame, judge: str) -> float:
        rows = frame[frame["encoder"].isin(encoders) & frame["asked"].between(16, 48)]
        return float(np.mean(np.abs(gain(rows[judge]) - gain(rows["label"])) <= 0.05))

    return measure


def lowered(frame: pd.DataFrame, judge: str) -> float:
    falls: list[float] = []
    for _, group in frame.groupby(["sound", "encoder"]):
        falls += (-np.diff(gain(group.sort_values("asked")[judge]))).tolist()
    return float(np.mean(np.array(falls) > 0.005))


def mean_orders(frame: pd.DataFrame, judge: str) -> float:
    means = frame.groupby(["encoder", "asked"])[judge].mean()
    return float(np.mean([means[better] > means[worse] for better, worse, _ in ORDERS]))


def item_orders(frame: pd.DataFrame, judge: str) -> float:
    table = frame.pivot_table(index="sound", columns=["encoder", "asked"], values=judge)
    return float(np.mean([(table[better] > table[worse])[table[better].notna()].mean() for better, worse, _ in ORDERS]))


MEASURES: dict[str, Measure] = {
    "correlation with the anchors": with_anchors,
    "correlation within an item": within_item,
    "RMSE beside the anchors, MOS": error,
    "AAC at 16-48k within .05 of the anchors' gain": close_share(AAC),
    "Opus at 16-48k within .05 of the anchors' gain": close_share(("opus",)),
    "steps up in rate that lower the gain by > .005": lowered,
    "orders of listening tests, means over items": mean_orders,
    "orders of listening tests, item by item": item_orders,
}


def interval(frame: pd.DataFrame, judge: str, measure: Measure, resamples: int = RESAMPLES) -> str:
    """A figure, and its 95 % interval over contents."""
    groups = {str(name): group for name, group in frame.groupby("content")}
    names, rng, found = sorted(groups), np.random.default_rng(0), []
    for _ in range(resamples):
        drawn = rng.choice(names, len(names))
        # A content that is drawn twice has two items of each of its names.
        parts = [groups[name].assign(sound=groups[name]["sound"] + f" {i}") for i, name in enumerate(drawn)]
        found.append(measure(pd.concat(parts), judge))
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return f"{measure(frame, judge):.3f} [{low:.3f}, {high:.3f}]"


def print_table(first: str, rows: dict[str, list[str]]) -> None:
    print(f"| {first} | " + " | ".join(JUDGES) + " |\n" + "|---" * (len(JUDGES) + 1) + "|")
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |")
    print()


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


def judge_left_out(work: Path, folds: dict[str, int], resamples: int) -> None:
    rows: dict[str, list[str]] = {}
    for name, encoders in LEFT_OUT.items():
        if not (work / f"without-{name}.run").is_file():
            continue
        frame = read_scores(work, folds, f"without-{name}", encoders, (0, 1))
        own = frame[frame["encoder"].isin(encoders)]
        known = own["label"].notna().any()
        for what, measure in ({"correlation": with_anchors, "RMSE": error} if known else {}).items():
            rows[f"{name}: {what}"] = [interval(own, judge, measure, resamples) for judge in JUDGES]
        if known:
            bias = [(own[judge] - own["label"]).mean() for judge in JUDGES]
            rows[f"{name}: mean error, MOS"] = [f"{value:+.2f}" for value in bias]
        rows[f"{name}: steps that lower the gain"] = [interval(own, judge, lowered, resamples) for judge in JUDGES]
    own = read_scores(work, folds)
    own = own[own["encoder"] == OLD_AAC.name]
    for what, measure in {"correlation": with_anchors, "RMSE": error, "steps that lower the gain": lowered}.items():
        rows[f"AAC of ffmpeg 4.1: {what}"] = [interval(own, judge, measure, resamples) for judge in JUDGES]
    print_table("encoders that were left out", rows)


def judge_ratings(frame: pd.DataFrame, path: Path, resamples: int) -> None:
    """LIVE-SJTU by the teacher's formula, its audio as each judge hears the panel's encoder, mean over items."""
    live, teacher = load_imputation()(pd.read_csv(path)), load_teacher()
    x_v, mos = live[list(VIDEO_FEATURES)].to_numpy(), live["mos"].to_numpy()
    content, kbps = live["content"].to_numpy(), live["audio_kbps"].to_numpy()
    quality = live.groupby(["content", "video_condition"])["mos"].transform("mean").to_numpy()
    heard = frame[frame["encoder"] == OLD_AAC.name].groupby("asked")
    rng, rows = np.random.default_rng(0), {"RMSE, points of 100": [], "trade-off order": [], "gain at 8 and 32k": []}
    draws = [rng.choice(np.unique(content), len(np.unique(content))) for _ in range(resamples)]
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
    parser.add_argument("--live-sjtu", type=Path)
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    args = parser.parse_args()
    folds = fold_of_contents(args.work)
    frame = read_scores(args.work, folds)
    print(f"{len(frame)} encodes of {frame['sound'].nunique()} real sounds, {frame['content'].nunique()} contents\n")
    rows = {
        name: [interval(frame, judge, measure, args.resamples) for judge in JUDGES]
        for name, measure in MEASURES.items()
    }
    print_table("contents that were left out", rows)
    judge_orders(frame)
    judge_left_out(args.work, folds, args.resamples)
    if args.live_sjtu:
        judge_ratings(frame, args.live_sjtu, args.resamples)


if __name__ == "__main__":
    main()
