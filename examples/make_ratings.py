"""Write examples/ratings.csv: how a table of one's own ratings looks. The features are measured, the ratings are not.

    python examples/make_ratings.py

Twelve pairs of each title of the example, with the features that `abr-alloc extract` measured. Nobody watched them: the
`mos` column is the teacher's label (docs/model.md) plus noise, so that the how-to has something to learn.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from abr_alloc.models.audio_quality import quality_of_rows
from abr_alloc.models.teacher import load_teacher
from abr_alloc.table.table import VIDEO_FEATURES, read_features

HERE = Path(__file__).parent
NUM_PAIRS = 12
NOISE_MOS = 0.15


def main() -> None:
    rng = np.random.default_rng(0)
    teacher = load_teacher()
    rows = []
    for title, scene in read_features(HERE / "clip_features.parquet").frame.query("scene == 0").groupby("title"):
        video, audio = scene[scene["kind"] == "video"], scene[scene["kind"] == "audio"]
        truth = teacher.rate(video[list(VIDEO_FEATURES)].to_numpy(np.float64), quality_of_rows(audio))
        for chosen in rng.choice(truth.size, NUM_PAIRS, replace=False):
            v, a = divmod(int(chosen), len(audio))
            rows.append(
                {
                    "content": title,
                    "mos": float(np.clip(truth[v, a] + rng.normal(scale=NOISE_MOS), 1.0, 5.0)),
                    "audio_codec": audio["codec"].iloc[a],
                    "audio_kbps": audio["bitrate_kbps"].iloc[a],
                    "audio_mos": audio["audio_mos"].iloc[a],
                    **{name: video[name].iloc[v] for name in (*VIDEO_FEATURES, "vmaf")},
                }
            )
    pd.DataFrame(rows).to_csv(HERE / "ratings.csv", index=False, float_format="%.6g", lineterminator="\n")


if __name__ == "__main__":
    main()
