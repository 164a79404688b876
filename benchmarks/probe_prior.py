"""The prior over curves of rate and features that `extract --probes auto` rests on, fitted to tables of whole grids.

python benchmarks/probe_prior.py GRID.parquet... --factor NUMBER [-o abr_alloc/allocation/curve_prior.json]

GRID.parquet are feature tables with every rendition of a grid. Mean and covariance of the coefficients of
`allocation/surrogate.py` are the maximum-likelihood ones, by expectation and maximisation, every title counting the
same; then the covariance is shrunk towards quantities that know nothing of each other. The factor of the error bound is
conformal, and `benchmarks/probing.py GRID.parquet... --held-out GRID.parquet...` gives it: titles are left out by
content (clips of one film, one series or one session are one content), everything is fitted to the others, and the
factor is the 95 % quantile of the error of predicted AVQ beside the standard deviation that was expected.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from abr_alloc.allocation.surrogate import QUANTITIES, CurvePrior, forward, on_x264_scale, terms
from abr_alloc.table.table import FeatureTable, read_features
from abr_alloc.targets import Target

NUM_F = len(QUANTITIES)
_ITERATIONS = 12
_SHRINK_BLOCKS, _SHRINK_DIAGONAL = 0.21, 0.09
_LEAST_RESIDUAL = 0.02
_SERIES = ("bbb", "tos", "handheld", "cartoon")


@dataclass(frozen=True)
class Scene:
    title: str
    phi: np.ndarray  # (C, K)
    alike: np.ndarray  # (C, C)
    values: np.ndarray  # (F, C)


def content(title: str) -> str:
    """Clips of one film, series or session are one content."""
    first = title.split("-")[0]
    return first if first in _SERIES else title


def scenes_of(table: FeatureTable) -> list[Scene]:
    found = []
    for (title, _, codec), rows in table.of_kind("video").groupby(["title", "scene", "codec"]):
        crf = on_x264_scale(codec, np.array([Target(t).number for t in rows["target"]]))
        side = np.minimum(rows["width_px"], rows["height_px"]).to_numpy(dtype=np.float64)
        values = np.stack([forward(n, rows[n].to_numpy(dtype=np.float64)) for n in QUANTITIES])
        found.append(Scene(title, *terms(crf, side), values))
    return found


def fit(scenes: Sequence[Scene], factor: float = 1.0) -> CurvePrior:
    num_k = scenes[0].phi.shape[1]
    size = NUM_F * num_k
    share = {t: 1.0 / sum(s.title == t for s in scenes) for t in {s.title for s in scenes}}
    weights = np.array([share[s.title] for s in scenes])
    weights /= weights.sum()
    designs = [np.kron(np.eye(NUM_F), s.phi) for s in scenes]
    left = sum(w * x.T @ x for w, x in zip(weights, designs, strict=True))
    right = sum(w * x.T @ s.values.ravel() for w, x, s in zip(weights, designs, scenes, strict=True))
    mean, covariance = np.linalg.solve(left + 1e-6 * np.eye(size), right), np.eye(size) * 4.0
    residual = np.full(NUM_F, 0.1)
    for _ in range(_ITERATIONS):
        means, spread, square = [], np.zeros((size, size)), np.zeros(NUM_F)
        for weight, x, s in zip(weights, designs, scenes, strict=True):
            beside = x @ covariance
            known = beside @ x.T + np.kron(np.diag(residual**2), s.alike)
            gain = np.linalg.solve(known, np.column_stack([s.values.ravel() - x @ mean, beside]))
            own, posterior = mean + beside.T @ gain[:, 0], covariance - beside.T @ gain[:, 1:]
            means.append(own)
            spread += weight * posterior
            error = (s.values.ravel() - x @ own) ** 2 + np.einsum("ij,jk,ik->i", x, posterior, x)
            square += weight * error.reshape(NUM_F, -1).mean(axis=1)
        mean = weights @ np.array(means)
        apart = np.array(means) - mean
        covariance = spread + (apart * weights[:, None]).T @ apart
        residual = np.maximum(np.sqrt(square), _LEAST_RESIDUAL)
    blocks = np.kron(np.eye(NUM_F), np.ones((num_k, num_k))) * covariance
    covariance = (
        (1.0 - _SHRINK_BLOCKS - _SHRINK_DIAGONAL) * covariance
        + _SHRINK_BLOCKS * blocks
        + _SHRINK_DIAGONAL * np.diag(np.diag(covariance))
    )
    return CurvePrior(mean=mean, covariance=covariance, residual=residual, factor=factor)


def fit_without(scenes: Sequence[Scene], contents: Collection[str]) -> CurvePrior:
    """A prior that has seen nothing of some contents; its factor is 1."""
    return fit([s for s in scenes if content(s.title) not in contents])


def write(prior: CurvePrior, path: Path) -> None:
    lower = prior.covariance[np.tril_indices(len(prior.mean))]
    found = {
        "mean": [float(f"{v:.6g}") for v in prior.mean],
        "residual": [float(f"{v:.4g}") for v in prior.residual],
        "factor": round(prior.factor, 2),
        "covariance": [float(f"{v:.5g}") for v in lower],
    }
    path.write_text(json.dumps(found, separators=(",", ":")).replace('],"', '],\n"') + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("grids", type=Path, nargs="+")
    parser.add_argument("--factor", type=float, required=True, help="as benchmarks/probing.py --prior prints it")
    parser.add_argument("-o", "--output", type=Path, default=Path("abr_alloc/allocation/curve_prior.json"))
    args = parser.parse_args()
    scenes = [scene for path in args.grids for scene in scenes_of(read_features(path))]
    prior = fit(scenes, args.factor)
    write(prior, args.output)
    titles = {s.title for s in scenes}
    print(f"{len(titles)} titles, {len(set(map(content, titles)))} contents, factor {args.factor}")
    print("residual:", ", ".join(f"{n} {r:.3f}" for n, r in zip(QUANTITIES, prior.residual, strict=True)))


if __name__ == "__main__":
    main()
