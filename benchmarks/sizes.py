"""Sizes and audio rates that plans choose, and what VMAF they give away, scene by scene.

    python benchmarks/sizes.py FEATURES.parquet [--before OLD_ABR_ALLOC] [--model NAME] [--audio-codec aac]

VMAF given away: at the video rate that was chosen, VMAF of the best size (per size, interpolated over the logarithm of
the rate) minus that of the chosen size. AVQ and VMAF are different judges, so a little is no fault; a lot is.
`--before` names the abr-alloc of an earlier version, whose plans are put beside.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from abr_alloc.table.table import read_features

BUDGETS_KBPS = (150, 300, 600, 1000, 2000, 4000)
NOW = [sys.executable, "-c", "from abr_alloc.cli import main; main()"]


def plans(command: list[str], table: Path, *words: str) -> pd.DataFrame:
    budgets = [word for kbps in BUDGETS_KBPS for word in ("--budget", f"{kbps}k")]
    found = subprocess.run([*command, "plan", str(table), "--json", *budgets, *words], capture_output=True, text=True)
    if found.returncode not in (0, 3):
        raise SystemExit(found.stderr)
    return pd.DataFrame(
        {
            "title": plan["title"],
            "scene": plan["scene"],
            "budget": plan["budget_kbps"],
            "height": plan["video"]["height_px"],
            "codec": plan["video"]["codec"],
            "video": plan["video"]["bitrate_kbps"],
            "audio": plan["audio"]["bitrate_kbps"],
        }
        for plan in json.loads(found.stdout)["plans"]
    )


def given_away(found: pd.DataFrame, video: pd.DataFrame) -> np.ndarray:
    """VMAF of the best size at the chosen rate minus that of the chosen size, (n,)."""
    lost = np.zeros(len(found))
    scenes = dict(iter(video.groupby(["title", "scene", "codec"])))
    for i, plan in enumerate(found.itertuples()):
        at_rate = {}
        for height, curve in scenes[plan.title, plan.scene, plan.codec].groupby("height_px"):
            curve = curve.sort_values("bitrate_kbps")
            if plan.video >= 0.999 * curve["bitrate_kbps"].iloc[0]:
                at_rate[height] = np.interp(np.log(plan.video), np.log(curve["bitrate_kbps"]), curve["vmaf"])
        lost[i] = max(at_rate.values()) - at_rate[plan.height]
    return lost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--before")
    parser.add_argument("--model", default="attentive")
    parser.add_argument("--audio-codec", default="aac")
    args = parser.parse_args()
    video = read_features(args.table).of_kind("video")
    source = video.groupby("title")["height_px"].max()
    filters = ("--audio-codec", args.audio_codec)
    runs = {"now": plans(NOW, args.table, "--model", args.model, *filters)}
    if args.before:
        runs = {"before": plans([args.before], args.table, *filters), **runs}
    for name, found in runs.items():
        found["lost"] = given_away(found, video)
        large = found[found["title"].map(source) >= 720]
        print(
            f"{name}: {len(large)} choices for sources of 720 lines and more: VMAF given away over 3 in "
            f"{(large['lost'] > 3).mean():.1%}, over 6 in {(large['lost'] > 6).mean():.1%}, worst "
            f"{large['lost'].max():.1f}; mean audio "
            + ", ".join(
                f"{k} at {b:.0f}k" for b, k in found.groupby("budget")["audio"].mean().round().astype(int).items()
            )
        )
    print("\n| clip, first scene | | " + " | ".join(f"{kbps}k" for kbps in BUDGETS_KBPS) + " |")
    print("|---" * (2 + len(BUDGETS_KBPS)) + "|")
    for title in source.index:
        for name, found in runs.items():
            own = found[(found["title"] == title) & (found["scene"] == 0)].set_index("budget")
            cells = [
                f"{own.at[b, 'height']}p + {own.at[b, 'audio']:.0f}k"
                + (f" (-{own.at[b, 'lost']:.0f})" if own.at[b, "lost"] > 3 else "")
                if b in own.index
                else "-"
                for b in BUDGETS_KBPS
            ]
            print(f"| {title if name == next(iter(runs)) else ''} | {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
