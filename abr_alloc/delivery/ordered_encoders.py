"""Which encoder makes a rendition of a ladder, as its ladder file says, and what it is asked for there."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Collection, Mapping

from abr_alloc.allocation.rendition import AudioRendition, VideoRendition
from abr_alloc.codecs import VIDEO_CODECS
from abr_alloc.encoder_settings import encoders_of
from abr_alloc.encoders import AudioEncoder, VideoEncoder, default_encoder
from abr_alloc.errors import DeliveryError, UnitError
from abr_alloc.formats.delivery_record import Delivery, ProbedValue
from abr_alloc.measure.cache import Cache
from abr_alloc.measure.tasks import command_key
from abr_alloc.media.programs import program_sha256
from abr_alloc.targets import Target

__all__ = ["audio_encoder", "check_gops", "probed_values", "refuse_strange_commands", "told_encoders", "video_encoder"]


def video_encoder(
    video: VideoRendition, encoders: Mapping[str, VideoEncoder | AudioEncoder], preset: str | None = None
) -> VideoEncoder:
    """The encoder of a rendition.

    Args:
        video: the rendition.
        encoders: those of its ladder file, by name.
        preset: another one than they were probed with, where the user asks for it.

    Raises:
        DeliveryError: nothing says how to encode it, or its encoder has no such preset.
    """
    target = Target(video.target)
    if target.is_label and not target.is_rate:
        raise DeliveryError(
            f"{video.target!r} is a rendition that was measured as it is, and nothing says how to encode it; leave it "
            "out of the ladder with `video_encoders`, or extract the source"
        )
    found = encoders.get(target.encoder or video.codec)
    if found is None and not target.encoder:
        found = default_encoder(video.codec)
    if not isinstance(found, VideoEncoder) or found.codec != video.codec:
        raise DeliveryError(
            f"the ladder's target {video.target!r} is of the encoder {target.encoder!r}, whose settings its file does "
            "not hold; design it again"
        )
    if preset is None or preset == found.preset:
        return found
    presets = found.software.presets if found.software is not None else ()
    if preset not in presets:
        known = f"give one of {', '.join(presets)}" if presets else "leave `preset` out"
        raise DeliveryError(f"{found.name} has no preset {preset!r}; {known}")
    return dataclasses.replace(found, preset=preset)


def audio_encoder(audio: AudioRendition, encoders: Mapping[str, VideoEncoder | AudioEncoder]) -> AudioEncoder | None:
    """The encoder of an audio rendition; None for the codec's usual one.

    Raises:
        DeliveryError: nothing says how to encode it.
    """
    target = Target(audio.target)
    if target.is_label:
        raise DeliveryError(
            f"{audio.target!r} is audio that was measured as it is, or a target that cannot be read, and nothing says "
            "how to encode it; leave it out of the ladder with `audio_codecs`, or extract the source"
        )
    if not target.encoder:
        return None
    found = encoders.get(target.encoder)
    if not isinstance(found, AudioEncoder) or found.codec != audio.codec:
        raise DeliveryError(
            f"the ladder's target {audio.target!r} is of the encoder {target.encoder!r}, whose settings its file does "
            "not hold; design it again"
        )
    return found


def probed_values(video: VideoRendition, encoder: VideoEncoder) -> tuple[ProbedValue, ...]:
    """The qualities that a rendition lies between, or is; none where its encoder is, or can only be, asked for a rate.

    Raises:
        DeliveryError: nothing says which quality comes to its rate.
    """
    kind = encoder.kind_of(encoder.delivery_mode)
    if kind == "b":
        return ()
    known = [(Target(probe.target), probe.bitrate_kbps) for probe in video.nearest_probes]
    known = known or [(Target(video.target), video.bitrate_kbps)]
    if not encoder.needs_values and any(target.kind != kind for target, _ in known):
        return ()
    try:
        return tuple(
            ProbedValue(value=target.number, kbps=kbps)
            for target, kbps in sorted(known, key=lambda item: item[1])
            if target.kind == kind
        ) or _missing(video, kind)
    except UnitError:
        return _missing(video, kind)


def _missing(video: VideoRendition, kind: str) -> tuple[ProbedValue, ...]:
    raise DeliveryError(
        f"nothing says which {kind} comes to {video.bitrate_kbps:g} kbps of {video.target!r}; design the ladder again"
    )


def check_gops(encoders: Collection[VideoEncoder]) -> None:
    """Refuse encoders whose key frames do not stand at the same frames: players could not switch between them.

    Raises:
        DeliveryError: two have other distances of key frames.
    """
    by_gop = {encoder.gop_s: encoder.name for encoder in encoders}
    if len(by_gop) > 1:
        (one, first), (other, second) = sorted(by_gop.items())[:2]
        raise DeliveryError(
            f"{first} has a key frame every {one:g} s and {second} every {other:g} s, and players switch only where "
            "both have one; design the ladder with one of them, by `video_encoders`"
        )


def refuse_strange_commands(order: Delivery, cache: Cache) -> None:
    """Refuse to run programs that a ladder file names, where `extract` has not run them from a grid of the user's.

    What the file says of its program does not count: the program's own file is looked at.

    Raises:
        DeliveryError: one was never run, or its program is another since.
    """
    for name, encoder in encoders_of(order.encoders).items():
        if not encoder.command:
            continue
        here = dataclasses.replace(encoder, program_sha256=program_sha256(encoder.command[0]))
        if not here.program_sha256 or not cache.has(command_key(here)):
            raise DeliveryError(
                f"the ladder's encoder {name!r} runs a program, {shlex.join(encoder.command)}, that nothing here has "
                "run before as it is now; look at it, and give `allow_commands` if you trust it"
            )


def told_encoders(
    order: Delivery, encoders: Mapping[str, VideoEncoder | AudioEncoder], preset: str | None
) -> list[str]:
    """What a user should know of the encoders before they run."""
    told = []
    probed = {name: encoder.preset for name, encoder in encoders.items() if isinstance(encoder, VideoEncoder)}
    for name in dict.fromkeys(video.encoder or video.codec for video in order.videos):
        if preset is not None and probed.get(name, preset) != preset:
            told.append(
                f"{name} is encoded with preset {preset}, but was probed with {probed[name]}: AVQ and rates were "
                "predicted for that one"
            )
    for codec in dict.fromkeys(video.codec for video in order.videos):
        if not VIDEO_CODECS[codec].in_apple_hls:
            what = "few players decode it" if VIDEO_CODECS[codec].experimental else "Apple's players do not"
            told.append(
                f"Apple's HLS specification does not know {codec} ({what}); manifest.mpd (DASH) is for players that do"
            )
    return told
