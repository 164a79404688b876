"""What a ladder can become without any new video encode: other audio beside its videos, and fewer rungs. Both exactly.

A player takes the highest rung that its bandwidth allows (`ladder.py`), so expected AVQ is a sum over neighbours,

    E = 1 + sum_k (q_k - q_(k-1)) S(t_k),   q_0 = 1

and a dynamic programme over (rung, its audio) finds the best audio for every video, one over (rung kept, rungs kept so
far) the best rungs to keep. Both are exact because rungs stay in order: audio never falls where video rises, and of
two rungs with one video the upper has the better audio, so that no pair stands twice.

Arrays in, choices out. Axes: K rungs by rising video rate, A audio renditions by rising rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.rung import FOOT_MOS

__all__ = ["Kept", "best_pairing", "rungs_to_keep"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.intp]


_STAY_MOS = 1e-9
"""What a changed pair must add at least: of two ways that are as good, the one that changes less is taken."""


def best_pairing(
    avq_mos: Floats,
    share: Floats,
    same_video: Bools,
    *,
    allowed: Bools | None = None,
    current: Integers | None = None,
    max_audio: int | None = None,
) -> Integers | None:
    """The audio of every rung with which the audience expects the highest AVQ, (K,); None where no way is allowed.

    Args:
        avq_mos: AVQ of every rung's video beside every audio rendition, (K, A).
        share: of the audience with the bandwidth for that pair, (K, A); falls with the rate.
        same_video: whether a rung has the same video as the one below it, (K,); the first is ignored.
        allowed: which pairs may be, (K, A); all when absent.
        current: the audio of every rung as it is, (K,); of equal ways one that keeps more of it is taken.
        max_audio: most distinct audio renditions; any number when absent.
    """
    num_rungs, num_audio = avq_mos.shape
    most = num_audio if max_audio is None else min(max_audio, num_audio)
    allowed = np.ones(avq_mos.shape, dtype=np.bool_) if allowed is None else allowed
    stays = np.zeros(avq_mos.shape)
    if current is not None:
        stays[np.arange(num_rungs), current] = _STAY_MOS
    # value[m, a]: best sum of steps so far with m + 1 audio renditions, a the last rung's.
    value = np.full((most, num_audio), -np.inf)
    value[0] = np.where(allowed[0], (avq_mos[0] - FOOT_MOS) * share[0] + stays[0], -np.inf)
    parents: list[npt.NDArray[np.intp]] = []
    for k in range(1, num_rungs):
        longer, parent = np.full_like(value, -np.inf), np.zeros(value.shape, dtype=np.intp)
        for a in range(num_audio):
            if not allowed[k, a]:
                continue
            step = (avq_mos[k, a] - avq_mos[k - 1]) * share[k, a] + stays[k, a]  # from every audio below, (A,)
            for m in range(most):
                ways = np.full(num_audio, -np.inf)
                ways[a] = -np.inf if same_video[k] else value[m, a] + step[a]
                if m > 0:
                    ways[:a] = value[m - 1, :a] + step[:a]
                below = int(ways.argmax())
                longer[m, a] = ways[below]
                parent[m, a] = (m if below == a else m - 1) * num_audio + below
        value = longer
        parents.append(parent)
    if not np.isfinite(value).any():
        return None
    state = int(value.argmax())
    found = [state % num_audio]
    for parent in reversed(parents):
        state = int(parent[state // num_audio, state % num_audio])
        found.append(state % num_audio)
    return np.array(found[::-1], dtype=np.intp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Rungs to keep."""

    rungs: tuple[int, ...]
    """Their places, rising."""
    expected_avq_mos: float
    """Expected AVQ of the audience on them alone."""


def rungs_to_keep(avq_mos: Floats, share: Floats, may_follow: Bools) -> tuple[Kept, ...]:
    """For every number of rungs the best ones to keep: of one rung, of two, ...; numbers that nothing allows are left
    out.

    Args:
        avq_mos: AVQ of every rung by rising total rate, (K,).
        share: of the audience with the bandwidth for it, (K,).
        may_follow: whether rung j (column) may come right above rung i (row), (K, K); only i < j is looked at.
    """
    num_rungs = len(avq_mos)
    value = (avq_mos - FOOT_MOS) * share
    parents: list[npt.NDArray[np.intp]] = []
    found: list[Kept] = []
    below = may_follow & (np.arange(num_rungs)[:, None] < np.arange(num_rungs))
    steps = np.where(below, (avq_mos - avq_mos[:, None]) * share, -np.inf)  # (K, K)
    while np.isfinite(value).any():
        last = int(value.argmax())
        kept = [last]
        for parent in reversed(parents):
            kept.append(int(parent[kept[-1]]))
        found.append(Kept(rungs=tuple(kept[::-1]), expected_avq_mos=FOOT_MOS + float(value[last])))
        ways = value[:, None] + steps
        parents.append(ways.argmax(axis=0))
        value = ways.max(axis=0)
    return tuple(found)
