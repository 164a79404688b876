"""Ladders whose rungs give every scene its own parameters, as text: what is worth knowing beside the rungs."""

from __future__ import annotations

from collections.abc import Sequence

from abr_alloc.allocation.rung import Ladder
from abr_alloc.allocation.shot_gain import LEAST_GAIN_PERCENT, ShotGain
from abr_alloc.parameters import OPTIONS

__all__ = ["gain_text", "proof_text", "shots_note"]

_PROVEN_MOS = 1e-6
"""Gaps up to this are rounding."""


def shots_note(ladders: Sequence[Ladder]) -> str:
    """How to read rungs with shots; empty where there are none."""
    proofs = [rung.shot_proof for ladder in ladders for rung in ladder.rungs if rung.shot_proof is not None]
    if not proofs:
        return ""
    told = (
        "crf=a-b: what scenes are asked for; ~: their mean rate, interpolated between the probes of each "
        "(docs/ladders.md). worst: AVQ of the worst scene."
    )
    if any(proof.peak_kbps is not None for proof in proofs):
        told += " peak: kbps of the video over its dearest 6 seconds."
    return told


def proof_text(ladder: Ladder) -> str:
    """How good the allocations are."""
    proofs = [rung.shot_proof for rung in ladder.rungs if rung.shot_proof is not None]
    gap_mos = max(proof.gap_mos for proof in proofs)
    pooled = "" if proofs[0].pool == "mean" else f" of the {_POOLS[proofs[0].pool]}"
    if gap_mos <= _PROVEN_MOS:
        return f"no other choice of the scenes at a rung's size and mean rate has a higher AVQ{pooled} (proven)"
    return (
        f"no other choice of the scenes at a rung's mean rate has an AVQ{pooled} higher by more than {gap_mos:.2g} MOS"
    )


_POOLS = {
    "harmonic": "harmonic mean",
    "min": "worst scene",
    "p5": "level that 95 % of the time reaches",
}


def gain_text(gain: ShotGain) -> list[str]:
    """What the ladder gains over the title's own of one target per rung, what limits cost, and whether it pays."""
    if gain.num_shots == 1:
        return ["per shot: the title is one scene, so this is its ladder of one target per rung"]
    at_avq, at_vmaf = (
        "not comparable" if percent is None else f"{percent:+.1f} %"
        for percent in (gain.bd_rate_percent, gain.bd_rate_vmaf_percent)
    )
    said = [
        f"per shot, {gain.num_shots} scenes, beside one target per rung: {gain.gain_mos:+.3f} MOS expected",
        f"rate at equal AVQ (BD-rate) {at_avq}, at equal VMAF {at_vmaf}",
    ]
    if gain.plain_worst_mos is not None:
        said.append(f"expected worst scene {gain.plain_worst_mos:.2f} -> {gain.worst_mos:.2f}")
    said.append(
        "it pays"
        if gain.pays
        else f"hardly worth it: under {LEAST_GAIN_PERCENT:g} % of rate, which predictions may be off by"
    )
    lines = ["; ".join(said)]
    for cost in gain.limits:
        rate = "" if cost.bd_rate_percent is None else f", {cost.bd_rate_percent:+.1f} % rate at equal AVQ"
        lines.append(f"what {OPTIONS[cost.limit]} costs: {max(cost.loss_mos, 0.0):.3f} MOS expected{rate}")
    return lines
