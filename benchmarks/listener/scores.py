"""Every judge's MOS of every encode of the real sounds, each of contents that it was not trained on.

Columns: `sound`, `content`, `encoder`, `asked`, `kbps`, `label` (what is known of codec and rate, `label_mos`), and a
column per judge:

    ViSQOL               `audio_mos`, ViSQOL's MOS over four views
    ViSQOL's head        a ridge regression of the labels on its 512 statistics, fitted to the other folds
    calibrated ViSQOL    0.8 label + 0.2 head: codec and rate known (models/audio_quality.py)
    listener             the network trained on the other folds
    calibrated listener  0.8 label + 0.2 listener
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from abr_alloc.learning.listener_training import label_mos
from benchmarks.audio_head import fit
from benchmarks.listener.encodes import OLD_AAC

JUDGES = ("ViSQOL", "ViSQOL's head", "calibrated ViSQOL", "listener", "calibrated listener")
_PRIOR_SHARE = 0.8


def read_scores(
    work: Path, folds: dict[str, int], run: str = "", without: Sequence[str] = (), of_folds: Sequence[int] = ()
) -> pd.DataFrame:
    """The rows that ViSQOL heard.

    Args:
        work: where training left its runs.
        folds: the fold of each content.
        run: one run that judges some folds; every fold's own when empty.
        without: encoders that neither that run nor ViSQOL's head was trained on.
        of_folds: the folds of that run.
    """
    frame = _heard(work)
    frame["fold"] = frame["content"].map(folds)
    groups = [list(of_folds)] if run else [[fold] for fold in range(max(folds.values()) + 1)]
    frame["ViSQOL's head"] = _heads(frame, without, groups)
    said = [_run(work, run)] if run else [_run(work, f"fold-{fold}") for fold in range(len(groups))]
    frame = frame.merge(pd.concat(said), on=["sound", "encoder", "asked"])
    for name, heard in (("ViSQOL", "ViSQOL's head"), ("listener", "listener")):
        known = _PRIOR_SHARE * frame["label"] + (1 - _PRIOR_SHARE) * frame[heard]
        frame[f"calibrated {name}"] = known.fillna(frame[heard])
    return frame.drop(columns="statistics")


def _heard(work: Path) -> pd.DataFrame:
    parts = []
    for path in sorted(work.glob("*.visqol.npz")):
        name = path.name.removesuffix(".visqol.npz")
        with np.load(work / f"{name}.npz") as found, np.load(path) as scored:
            rows = pd.DataFrame({key: found[key] for key in ("encoder", "codec", "asked", "kbps")})
            content = str(found["content"])
            visqol = pd.DataFrame({key: scored[key] for key in ("encoder", "asked", "audio_mos")})
            visqol["statistics"] = list(scored["features"])
        parts.append(rows.merge(visqol, on=["encoder", "asked"]).assign(sound=name, content=content))
    frame = pd.concat(parts, ignore_index=True).rename(columns={"audio_mos": "ViSQOL"})
    frame["label"] = [label_mos(*row) for row in frame[["encoder", "codec", "asked", "kbps"]].itertuples(index=False)]
    return frame


def _run(work: Path, name: str) -> pd.DataFrame:
    with np.load(work / f"{name}.run") as found:
        return pd.DataFrame({key: found[key] for key in found.files}).rename(columns={"mos": "listener"})


def _heads(frame: pd.DataFrame, without: Sequence[str], groups: Sequence[Sequence[int]]) -> np.ndarray:
    x = np.stack(frame["statistics"].to_list()).astype(np.float64)
    fold, label = frame["fold"].to_numpy(), frame["label"].to_numpy()
    usable = np.isfinite(label) & ~frame["encoder"].isin([*without, OLD_AAC.name]).to_numpy()
    found = np.zeros(len(frame))
    for group in groups:
        test = np.isin(fold, group)
        train = usable & ~test
        found[test] = fit(x[train], label[train], np.ones(train.sum()))(x[test])
    return found
