"""Several ladders of one title as one: SDR beside HDR, or HEVC beside H.264, in one delivery."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from abr_alloc.allocation.rendition import AudioIdentity, AudioRendition, VideoRendition
from abr_alloc.allocation.rung import Rung
from abr_alloc.delivery.chosen_ladder import ChosenLadder
from abr_alloc.encoders import AudioEncoder, VideoEncoder
from abr_alloc.errors import DeliveryError

__all__ = ["join_ladders"]


def join_ladders(chosen: Sequence[ChosenLadder]) -> ChosenLadder:
    """All rungs of several ladders, in the ladders' order, each once; an audio rendition that two of them have is one.

    The scenes over which AVQ is told are the first ladder's.

    Raises:
        DeliveryError: they were predicted by different models, mean different encoders by one name or map HDR to SDR in
            different ways, or one gives every scene its own parameters.
    """
    first = chosen[0]
    if len(chosen) == 1:
        return first
    encoders: dict[str, VideoEncoder | AudioEncoder] = {}
    for one in chosen:
        if any(rung.video.per_shot for rung in one.ladder.rungs):
            raise DeliveryError(
                f"a ladder of {one.ladder.title!r} gives every scene its own parameters, and is delivered alone; "
                "design it without `shots`"
            )
        if one.weights_sha256 != first.weights_sha256:
            raise DeliveryError(
                f"the ladders of {first.ladder.title!r} are by the models {first.model or '?'} and {one.model or '?'}, "
                "whose AVQ cannot stand side by side; design them with one `model`"
            )
        if one.phones != first.phones:
            raise DeliveryError(
                f"the ladders of {first.ladder.title!r} are designed for audiences with {100 * first.phones:g} and "
                f"{100 * one.phones:g} % of phones; design them with one `phones`"
            )
        for name, encoder in one.encoders.items():
            if encoders.setdefault(name, encoder) != encoder:
                raise DeliveryError(
                    f"two ladders mean different encoders by {name!r}; extract both with one grid and `preset`"
                )
    maps = list(dict.fromkeys(one.tone_map for one in chosen if one.tone_map))
    if len(maps) > 1:
        raise DeliveryError(
            f"two ladders make SDR in different ways, {maps[0]} and {maps[1]}; extract both with one `tone_map`"
        )
    return dataclasses.replace(
        first,
        ladder=dataclasses.replace(first.ladder, rungs=tuple(_rungs(chosen))),
        facts=next((one.facts for one in chosen if one.facts is not None), None),
        encoders=encoders,
        tone_map=maps[0] if maps else "",
    )


def _rungs(chosen: Sequence[ChosenLadder]) -> list[Rung]:
    heard: dict[AudioIdentity, AudioRendition] = {}

    def shared(audio: AudioRendition) -> AudioRendition:
        return heard.setdefault(audio.identity, audio)

    pairs: dict[tuple[VideoRendition, AudioRendition], Rung] = {}
    for rung in (rung for one in chosen for rung in one.ladder.rungs):
        around = rung.surround and dataclasses.replace(rung.surround, audio=shared(rung.surround.audio))
        own = dataclasses.replace(rung, audio=shared(rung.audio), surround=around)
        pairs.setdefault((own.video, own.audio), own)
    return list(pairs.values())
