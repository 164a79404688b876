"""Hardware encoders: one wish in every maker's own words.

Each maker asks for a quality or a rate by other options, and builds of ffmpeg differ in which they have. So a rate mode
is written as the options that it consists of, and an encoder has it where ffmpeg lists all of them for it
(`encoder_options`). Nothing is passed that is not listed, but for what all of ffmpeg's encoders share.

    cq      a quality that the encoder holds its own way: -cq (NVIDIA), ICQ (Intel, VA-API), -q:v (Apple), QVBR (AMD)
    qp      one quantiser for every picture
    vbr     a mean rate, with a peak and a decoder's buffer
    capped  cq, with a peak and a buffer

None of them has x264's CRF. GOPs are closed and of one length, whatever the encoder: a key frame every `gop` frames, an
IDR each, none at scene cuts. What is not said (B-frames, look-ahead) stays with the preset and the device.

Sources: ffmpeg's documentation of each encoder and its `-h encoder=NAME`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from abr_alloc.errors import GridError
from abr_alloc.media.coding import PEAK_RATIO, VBV_RATIO
from abr_alloc.media.encoder_options import EncoderOption, EncoderOptions

__all__ = [
    "HARDWARE_ENCODERS",
    "RATE_MODES",
    "HardwareArguments",
    "hardware_arguments",
    "is_hardware",
    "presets_of",
    "rate_modes",
    "value_range",
]

RATE_MODES = ("cq", "qp", "vbr", "capped")
"""Ways to ask a hardware encoder for a rate, whether or not a given one has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareArguments:
    """What a hardware encoder adds to a command line of ffmpeg."""

    global_args: tuple[str, ...]
    """Options before the first input: the device, where one has to be opened."""
    filter_suffix: str
    """What the filter chain ends with, without a comma before it; empty where frames go in as they are."""
    encoder_args: tuple[str, ...]
    """Options of the output, from `-c:v` on: rate, GOP, preset and samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """The encoders of one maker."""

    codecs: tuple[str, ...]
    """What it encodes: with the family's name behind, its encoders."""
    modes: Mapping[str, tuple[str, ...]]
    """Rate mode -> the options that it consists of; the first wording that an encoder lists."""
    gop: str
    """Options of closed GOPs of one length; those that an encoder does not list are left out."""
    preset: str = ""
    """The option that names a preset, empty for a family that has none."""
    preset_numbers: tuple[int, int] | None = None
    """Least and largest preset, where presets are numbers of an option that no list shows the range of."""
    most: Mapping[str, float]
    """Mode -> largest value, for options that no list shows the range of."""
    uploads: bool = False
    """Whether frames have to be brought to the device by a filter."""


_RATE = "-b:v {mean} -maxrate {peak} -bufsize {buffer}"
_UNDER = "-maxrate {peak} -bufsize {buffer}"

_FAMILIES = {
    "nvenc": _Family(
        codecs=("h264", "hevc", "av1"),
        modes={
            "cq": ("-rc vbr -cq {value} -b:v 0",),
            "qp": ("-rc constqp -qp {value}",),
            "vbr": (f"-rc vbr {_RATE}",),
            "capped": (f"-rc vbr -cq {{value}} -b:v 0 {_UNDER}",),
        },
        gop="-g {gop} -no-scenecut 1 -forced-idr 1",
        preset="preset",
        most={},
    ),
    "qsv": _Family(
        codecs=("h264", "hevc", "av1", "vp9"),
        modes={
            "cq": ("-global_quality {value}",),  # ICQ, as long as no rate is given beside it
            "qp": ("-q:v {value}",),
            "vbr": (_RATE,),
            "capped": (f"-global_quality {{value}} -b:v {{under}} {_UNDER}",),  # QVBR: a mean rate other than the peak
        },
        gop="-g {gop} -flags +cgop -idr_interval 0 -forced_idr 1 -adaptive_i 0",
        preset="preset",
        most={"cq": 51, "capped": 51, "qp": 51},
    ),
    "vaapi": _Family(
        codecs=("h264", "hevc", "av1", "vp9"),
        modes={
            "cq": ("-rc_mode ICQ -global_quality {value}",),
            "qp": ("-rc_mode CQP -qp {value}", "-rc_mode CQP -global_quality {value}"),
            "vbr": (f"-rc_mode VBR {_RATE}",),
            "capped": (f"-rc_mode QVBR -global_quality {{value}} -b:v {{under}} {_UNDER}",),
        },
        gop="-g {gop} -flags +cgop -idr_interval 0",
        preset="compression_level",
        preset_numbers=(0, 15),
        most={"cq": 51, "capped": 51, "qp": 255},
        uploads=True,
    ),
    "videotoolbox": _Family(
        codecs=("h264", "hevc"),
        modes={"cq": ("-q:v {value}",), "vbr": (_RATE,)},
        gop="-g {gop} -flags +cgop",
        most={"cq": 100},
    ),
    "amf": _Family(
        codecs=("h264", "hevc", "av1"),
        modes={
            "cq": ("-rc qvbr -qvbr_quality_level {value}",),
            "qp": ("-rc cqp -qp_i {value} -qp_p {value} -qp_b {value}", "-rc cqp -qp_i {value} -qp_p {value}"),
            "vbr": (f"-rc vbr_peak {_RATE}",),
        },
        gop="-g {gop} -gops_per_idr 1 -forced_idr 1",
        preset="preset",
        most={},
    ),
}

HARDWARE_ENCODERS: Mapping[str, str] = {
    f"{codec}_{family}": codec for family, known in _FAMILIES.items() for codec in known.codecs
}
"""Hardware encoders that can be named -> the codec of each."""

_SHARED = frozenset({"b:v", "maxrate", "bufsize", "g", "flags", "q:v", "global_quality", "compression_level"})
_MOST_QP = {"h264": 51.0, "hevc": 51.0}  # of the standards; AV1 and VP9 have an index up to 255
_FRACTIONAL = frozenset({"q:v"})
# Samples of a kind in the order in which they are offered: planar first, as they come.
_SAMPLES = {"yuv420p": ("yuv420p", "nv12"), "yuv420p10le": ("yuv420p10le", "p010le")}
_UPLOADED = {"yuv420p": "nv12", "yuv420p10le": "p010le"}


def is_hardware(encoder: str) -> bool:
    """Whether an encoder of this name runs on a device."""
    return encoder in HARDWARE_ENCODERS


def _family(encoder: str) -> _Family:
    return _FAMILIES[encoder.rpartition("_")[2]]


def _words(template: str) -> list[tuple[str, str]]:
    """Options of a wording, with what follows each."""
    words = template.split()
    return [(option.removeprefix("-"), value) for option, value in zip(words[::2], words[1::2], strict=True)]


def _has(options: EncoderOptions, option: str, value: str) -> bool:
    """Whether an encoder takes an option with a value, as far as its list tells."""
    if option in _SHARED:
        return True
    found = options.options.get(option)
    named = re.fullmatch(r"[A-Za-z]\w*", value) is not None
    return found is not None and (not named or value in found.names)


def _wording(options: EncoderOptions, mode: str) -> str | None:
    """The first wording of a mode that the encoder lists all of."""
    templates = _family(options.encoder).modes.get(mode, ())
    return next((text for text in templates if all(_has(options, *word) for word in _words(text))), None)


def rate_modes(options: EncoderOptions) -> tuple[str, ...]:
    """Those of `RATE_MODES` that an encoder has."""
    return tuple(mode for mode in RATE_MODES if _wording(options, mode) is not None)


def presets_of(options: EncoderOptions) -> tuple[str, ...]:
    """Presets of an encoder by name or number; empty where it has none."""
    family = _family(options.encoder)
    if family.preset_numbers:
        low, high = family.preset_numbers
        return tuple(map(str, range(low, high + 1)))
    listed = options.options.get(family.preset)
    return listed.names if listed else ()


def value_range(options: EncoderOptions, mode: str) -> tuple[float, float]:
    """Least and largest value of `cq`, `qp` or `capped`.

    Raises:
        GridError: the encoder has no such mode.
    """
    option = _valued(options, mode)
    listed = options.options.get(option)
    codec = HARDWARE_ENCODERS[options.encoder]
    most = listed.high if listed else _family(options.encoder).most[mode]
    if mode == "qp":
        most = 255.0 if options.encoder == "av1_qsv" else min(most, _MOST_QP.get(codec, 255.0))
    return 1.0, most  # 0 leaves the choice to the encoder, or is lossless


def _valued(options: EncoderOptions, mode: str) -> str:
    """The option that takes the value of a mode."""
    wording = _require_mode(options, mode)
    return next(option for option, value in _words(wording) if value == "{value}")


def _require_mode(options: EncoderOptions, mode: str) -> str:
    wording = _wording(options, mode)
    if wording is None:
        has = ", ".join(rate_modes(options)) or "none that is known here"
        raise GridError(f"{options.encoder} has no rate mode {mode}; it has {has}")
    return wording


def hardware_arguments(
    options: EncoderOptions,
    *,
    mode: str,
    value: float,
    gop: int,
    preset: str | None = None,
    pixel_format: str = "yuv420p",
    cap_kbps: float | None = None,
) -> HardwareArguments:
    """Write a wish as options of a hardware encoder.

    Args:
        options: the encoder, as this ffmpeg lists it.
        mode: one of `rate_modes(options)`.
        value: of `cq`, `qp` and `capped` the encoder's own number, best where it is least (Apple's 1-100: largest);
            of `vbr` the mean rate, kbps.
        gop: frames from key frame to key frame.
        preset: one of `presets_of(options)`; the encoder's own choice when None.
        pixel_format: samples that come in, `yuv420p` or `yuv420p10le`.
        cap_kbps: the peak rate; needed for `capped`; for `vbr` the usual multiple of the mean when None.

    Raises:
        GridError: the encoder has no such mode, preset or samples, or does not take the value.
    """
    family, wording = _family(options.encoder), _require_mode(options, mode)
    if mode == "vbr":
        _positive(options, "mean rate", value)
    else:
        _check_value(options, mode, value)
    if mode == "capped" and cap_kbps is None:
        raise GridError(f"{options.encoder}: capped needs the peak rate beside the quality; give its cap in kbps")
    peak_kbps = PEAK_RATIO * value if cap_kbps is None else cap_kbps
    _positive(options, "peak rate", peak_kbps)
    if mode == "vbr" and peak_kbps < value:
        raise GridError(f"{options.encoder}: a peak of {peak_kbps:g} kbps is below the mean, {value:g} kbps; raise it")
    # The buffer holds VBV_RATIO seconds of the mean; under a cap, of the mean that the cap would be the peak of.
    buffer_kbit = VBV_RATIO * (peak_kbps / PEAK_RATIO if mode == "capped" else value)
    rate = wording.format(
        value=f"{value:g}",
        mean=f"{value:.10g}k",
        under=f"{peak_kbps / PEAK_RATIO:.10g}k",
        peak=f"{peak_kbps:.10g}k",
        buffer=f"{buffer_kbit:.10g}k",
    )
    closed = [word for word in _words(family.gop.format(gop=gop)) if _has(options, *word)]
    tag = ["-tag:v", "hvc1"] if HARDWARE_ENCODERS[options.encoder] == "hevc" else []  # Apple's players want it
    samples = _samples(options, pixel_format)
    return HardwareArguments(
        global_args=("-init_hw_device", "vaapi=hw", "-filter_hw_device", "hw") if family.uploads else (),
        filter_suffix=f"format={samples},hwupload" if family.uploads else "",
        encoder_args=(
            *("-c:v", options.encoder, *_preset(options, preset), *rate.split()),
            *(word for option, of in closed for word in (f"-{option}", of)),
            *([] if family.uploads else ["-pix_fmt", samples]),
            *tag,
        ),
    )


def _positive(options: EncoderOptions, what: str, kbps: float) -> None:
    if not 0 < kbps < float("inf"):
        raise GridError(f"{options.encoder}: {kbps:g} kbps is no {what}; give one above 0")


def _check_value(options: EncoderOptions, mode: str, value: float) -> None:
    option = _valued(options, mode)
    low, high = value_range(options, mode)
    if not low <= value <= high:
        raise GridError(f"{options.encoder}: {mode} {value:g} is outside {low:g}..{high:g}")
    listed: EncoderOption | None = options.options.get(option)
    fractional = option in _FRACTIONAL or (listed is not None and listed.type != "int")
    if value != int(value) and not fractional:
        raise GridError(f"{options.encoder}: {mode} {value:g} is no whole number, and it takes no other")


def _preset(options: EncoderOptions, preset: str | None) -> list[str]:
    if preset is None:
        return []
    known = presets_of(options)
    if not known:
        raise GridError(f"{options.encoder} has no presets, so no {preset!r}; leave the preset out")
    if preset not in known:
        raise GridError(f"{options.encoder} has no preset {preset!r}; it has {', '.join(known)}")
    return [f"-{_family(options.encoder).preset}", preset]


def _samples(options: EncoderOptions, pixel_format: str) -> str:
    """ffmpeg's name of the samples that an encoder is given."""
    if pixel_format not in _SAMPLES:
        raise GridError(f"{options.encoder} is given yuv420p or yuv420p10le here, not {pixel_format}")
    if _family(options.encoder).uploads:
        return _UPLOADED[pixel_format]
    for name in _SAMPLES[pixel_format]:
        if name in options.pixel_formats:
            return name
    has = " ".join(options.pixel_formats) or "none"
    raise GridError(f"{options.encoder} takes no {pixel_format} video; it takes {has}: leave out sources of that depth")
