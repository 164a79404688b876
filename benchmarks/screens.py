"""What it changes to design for phones (docs/screens.md): pairs, rates for an AVQ, ladders and what they gain.

python benchmarks/screens.py examples/clip_features.parquet
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import numpy as np

from abr_alloc.allocation.audience import Audience, read_audience
from abr_alloc.allocation.design import DesignOptions, TitleLadder, design_titles
from abr_alloc.allocation.interpolation import interpolate
from abr_alloc.allocation.kept_audio import drop_wasted_audio
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.rung import expected_avq_mos
from abr_alloc.allocation.surface import QualitySurface, build_surfaces, by_title
from abr_alloc.allocation.title_surface import TitleCurves, merge_scenes
from abr_alloc.models.checkpoint import Model, load_model
from abr_alloc.table.table import read_features

NETWORKS = ("lognormal:median=400k,sigma=0.7", "lognormal:median=1M,sigma=0.9", "lognormal:median=3M,sigma=0.9")
RATES_KBPS = (150.0, 200.0, 300.0, 400.0, 600.0, 1000.0, 2000.0)
TARGETS_MOS = (3.0, 3.5, 4.0, 4.3)
Pairs = Sequence[tuple[QualitySurface, QualitySurface]]
"""Every title on a television and on a phone."""


def pairs_at_rates(titles: Pairs) -> Iterator[str]:
    """The best pair of every title that a total rate buys, on either screen, and what it gains on a phone."""
    both = [[interpolate(drop_wasted_audio(screen), every_size=True) for screen in title] for title in titles]
    for rate in RATES_KBPS:
        audio, sides, gains = [], [], []
        for tv, phone in both:
            within = tv.total_kbps <= rate
            if within.any():
                cells = [
                    np.unravel_index(np.where(within, s.avq_mos, -9.0).argmax(), within.shape) for s in (tv, phone)
                ]
                audio.append([tv.audio[a].bitrate_kbps for _, a in cells])
                sides.append([tv.video_side_px[v] for v, _ in cells])
                gains.append(phone.avq_mos[cells[1]] - phone.avq_mos[cells[0]])
        (a, b), (c, d) = np.mean(audio, axis=0), np.mean(sides, axis=0)
        yield (
            f"{rate:5.0f}k, {len(gains)} titles: audio {a:5.1f} -> {b:5.1f} kbps, short side {c:.0f} -> {d:.0f} px, "
            f"gain on phones {np.mean(gains):.4f} (most {max(gains):.4f})"
        )


def rates_for_avq(titles: Pairs) -> Iterator[str]:
    """The least total rate that reaches an AVQ on either screen."""
    for tv, phone in titles:
        cells = []
        for target in TARGETS_MOS:
            reached = [(s.total_kbps[s.avq_mos >= target]).min(initial=np.inf) for s in map(interpolate, (tv, phone))]
            cells.append(
                f"AVQ {target}: {reached[0]:.0f}k -> {reached[1]:.0f}k ({100 * (reached[1] / reached[0] - 1):+.0f} %)"
            )
        yield f"{tv.title}: {', '.join(cells)}"


def judged(found: TitleLadder, title: QualitySurface, audience: Audience) -> float:
    """Expected AVQ of a ladder's rungs on a surface of its title."""
    keys = [a.identity for a in title.audio]
    avq = []
    for rung in found.ladder.rungs:
        curves = TitleCurves(title, rung.video.codec)
        side = min(rung.video.width_px, rung.video.height_px)
        avq.append(curves.at(side, np.array([rung.video.bitrate_kbps]))[0, keys.index(rung.audio.identity)])
    return expected_avq_mos(np.array([rung.total_kbps for rung in found.ladder.rungs]), np.array(avq), audience)


def described(designed: Sequence[TitleLadder]) -> str:
    """Means over ladders: rungs, kbps sent, the short side of rungs, audio's part of their rate."""
    rungs = [one.ladder.rungs for one in designed]
    sent = [sum(r.played_share * r.total_kbps for r in own) for own in rungs]
    side = [np.mean([min(r.video.width_px, r.video.height_px) for r in own]) for own in rungs]
    audio = [
        np.mean([r.audio.bitrate_kbps / (r.audio.bitrate_kbps + r.video.bitrate_kbps) for r in own]) for own in rungs
    ]
    count = np.mean([len(own) for own in rungs])
    return (
        f"{count:.1f} rungs, {np.mean(sent):.0f} kbps sent, {np.mean(side):.0f} px, audio {100 * np.mean(audio):.1f} %"
    )


def ladders(models: Sequence[Model], scenes: Sequence[list[QualitySurface]], titles: Pairs) -> Iterator[str]:
    """Ladders designed for either screen, judged on phones."""
    asked = [
        *((network, f"{n} rungs", {"num_rungs": n}) for network in NETWORKS for n in (3, 6)),
        *((n, "auto up to AVQ 4.3", {"num_rungs": None, "rules": LadderRules(top_avq_mos=4.3)}) for n in NETWORKS),
    ]
    for network, what, words in asked:
        audience = read_audience(network)
        tv, phone = (
            design_titles(own, audience, DesignOptions(**words).known_to(model))
            for model, own in zip(models, scenes, strict=True)
        )
        gains = [
            judged(b, on_phone, audience) - judged(a, on_phone, audience)
            for a, b, (_, on_phone) in zip(tv, phone, titles, strict=True)
        ]
        yield f"{network}, {what}:\n  tv    {described(tv)}\n  phone {described(phone)}"
        yield f"  gain on phones {np.mean(gains):+.4f} AVQ (most {max(gains):+.4f}, least {min(gains):+.4f})"


def main(path: str) -> None:
    table, models = read_features(path), (load_model(), load_model().on_phones())
    scenes = [list(build_surfaces(table, model)) for model in models]
    merged = [[merge_scenes(own) for own in by_title(surfaces)] for surfaces in scenes]
    titles = list(zip(*merged, strict=True))
    for lines in (pairs_at_rates(titles), rates_for_avq(titles), ladders(models, scenes, titles)):
        print("\n".join(lines), end="\n\n")


if __name__ == "__main__":
    main(sys.argv[1])
