"""Encoders of ffmpeg that run on a processor: what each is asked, and in which words.

One record per encoder, as `codecs` has one per codec. What they have in common (how a rate is held, where key frames
stand) is said in `media.encoder_arguments`. Hardware encoders are known by what ffmpeg lists of them.

Nothing here runs or imports anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["SOFTWARE_ENCODERS", "SoftwareEncoder", "Words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What an encoder is told."""

    options: tuple[str, ...] = ()
    """Options of ffmpeg."""
    params: str = ""
    """Of the encoder itself, as its `-x264-params` or the like takes them; they win over the user's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareEncoder:
    """An encoder of ffmpeg."""

    name: str
    """ffmpeg's name of it."""
    codec: str
    """What it makes, one of `VIDEO_CODECS`."""
    presets: tuple[str, ...]
    """Its presets."""
    default_preset: str
    """The one that is taken unless the user asks for another."""
    preset_option: str = "-preset"
    """The option that takes them."""
    params_option: str
    """The option that takes parameters of the encoder itself."""
    values: Mapping[str, tuple[float, float]]
    """Ways to ask for a quality (crf, qp), the first its usual one, with the least and the largest value of each."""
    whole_values: bool = False
    """Whether those are whole numbers."""
    caps: str = ""
    """The option that caps the rate of a CRF; empty where nothing does."""
    two_passes: bool
    """Whether it takes two passes through ffmpeg."""
    rates_cost_quality: bool = False
    """Whether it makes less of a rate that it is asked for than of a quality that comes to that rate: ladders are then
    encoded at the quality that was probed."""
    holds_buffer: bool = True
    """Whether it holds a rate within a decoder's buffer (`-maxrate`, `-bufsize`)."""
    probe: Callable[[int], Words] = lambda number: Words()
    """What a probe's encode is told beside `-threads 1`, from the number of the pass (0: the only): no thread of the
    encoder's own, no log."""
    delivery: Callable[[int, int, int], Words]
    """Closed GOPs of one length, from its frames, the threads, and the number of the pass (0: the only)."""
    shot_params: str = ""
    """Parameters of the encoder itself for one shot of a title: what it says once per stream may not depend on the
    quality."""
    finds_its_level: bool = False
    """Whether the first key frame of an encode gets another quality than those within: the quantisers of the frames
    before are not known yet."""
    quality: tuple[str, ...] = ()
    """What goes with a quality, so that no rate is held."""
    options: frozenset[str] = frozenset()
    """Options of its own that a grid may give, beside `encoders.OPTIONS`."""


def _passes(number: int) -> tuple[str, ...]:
    return ("-pass", str(number), "-passlogfile", "pass") if number else ()


def _two_passes(number: int) -> Words:
    return Words(options=_passes(number))


def _x265_probe(number: int) -> Words:
    return Words(params="pools=1:frame-threads=1:log-level=error" + _x265_passes(number))


def _x265_passes(number: int) -> str:
    return f":pass={number}:stats=pass.log" if number else ""


def _x264_delivery(gop: int, threads: int, number: int) -> Words:
    closed = ("-keyint_min", str(gop), "-sc_threshold", "0", "-flags", "+cgop", "-threads", str(threads))
    return Words(options=(*closed, *_passes(number)))


def _x265_delivery(gop: int, threads: int, number: int) -> Words:
    params = f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:pools={threads}:log-level=error"
    params += ":frame-threads=1" if threads == 1 else ""
    params += _x265_passes(number)
    # Apple's players want the parameter sets in the sample entry alone, hvc1.
    return Words(options=("-tag:v", "hvc1"), params=params)


def _fixed_delivery(gop: int, threads: int, number: int) -> Words:
    """libvpx and libaom: key frames stand at fixed places where the least distance is the largest."""
    return Words(options=("-keyint_min", str(gop), "-threads", str(threads), *_passes(number)))


def _vvenc_delivery(gop: int, threads: int, number: int) -> Words:
    params = f"intraperiod={gop}:refreshtype=idr_no_radl"
    return Words(options=("-threads", str(threads), *_passes(number)), params=params)


_X26_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"),
    *map(str, range(10)),  # the same by number
)

_X264_OPTIONS = (
    "aq-mode aq-strength psy psy-rd rc-lookahead weightb weightp ssim b-pyramid mixed-refs 8x8dct partitions "
    "direct-pred me_method b-bias coder cplxblur mbtree deblock chromaoffset"
)
_VPX_OPTIONS = (
    "lag-in-frames arnr-maxframes arnr-strength arnr-type deadline quality static-thresh noise-sensitivity row-mt "
    "undershoot-pct overshoot-pct auto-alt-ref tile-columns tile-rows frame-parallel aq-mode tune-content enable-tpl "
    "corpus-complexity min-gf-interval max-intra-rate"
)
_AOM_OPTIONS = (
    "lag-in-frames arnr-max-frames arnr-strength aq-mode static-thresh denoise-noise-level denoise-block-size row-mt "
    "undershoot-pct overshoot-pct minsection-pct maxsection-pct auto-alt-ref tiles tile-columns tile-rows usage "
    "frame-parallel enable-cdef enable-global-motion enable-restoration enable-intrabc enable-palette"
)

_ENCODERS = (
    SoftwareEncoder(
        name="libx264",
        codec="h264",
        presets=_X26_PRESETS,
        default_preset="fast",
        params_option="-x264-params",
        values={"crf": (0, 51), "qp": (0, 51)},
        caps="-maxrate",
        two_passes=True,
        probe=_two_passes,
        delivery=_x264_delivery,
        shot_params="stitchable=1",
        finds_its_level=True,
        options=frozenset(_X264_OPTIONS.split()),
    ),
    SoftwareEncoder(
        name="libx265",
        codec="hevc",
        presets=_X26_PRESETS,
        default_preset="fast",
        params_option="-x265-params",
        values={"crf": (0, 51), "qp": (0, 51)},
        caps="-maxrate",
        two_passes=True,
        probe=_x265_probe,
        delivery=_x265_delivery,
        shot_params="info=0",
        finds_its_level=True,
    ),
    SoftwareEncoder(
        name="libvpx-vp9",
        codec="vp9",
        presets=tuple(map(str, range(9))),
        default_preset="4",
        preset_option="-cpu-used",
        params_option="",
        values={"crf": (0, 63)},
        whole_values=True,
        caps="-b:v",
        two_passes=True,
        rates_cost_quality=True,  # in two passes, four fifths of a GOP of a still scene go into its key frame
        probe=_two_passes,
        delivery=_fixed_delivery,
        quality=("-b:v", "0"),
        options=frozenset(_VPX_OPTIONS.split()),
    ),
    SoftwareEncoder(
        name="libsvtav1",
        codec="av1",
        presets=tuple(map(str, range(14))),
        default_preset="8",
        params_option="-svtav1-params",
        values={"crf": (1, 63), "qp": (1, 63)},
        whole_values=True,
        caps="-maxrate",
        two_passes=False,
        holds_buffer=False,  # its VBR takes none
        probe=lambda number: Words(params="lp=1"),
        delivery=lambda gop, threads, number: Words(params=f"lp={threads}:scd=0:irefresh-type=2"),
    ),
    SoftwareEncoder(
        name="libaom-av1",
        codec="av1",
        presets=tuple(map(str, range(9))),
        default_preset="6",
        preset_option="-cpu-used",
        params_option="-aom-params",
        values={"crf": (0, 63)},
        whole_values=True,
        caps="-b:v",
        two_passes=True,
        probe=_two_passes,
        delivery=_fixed_delivery,
        quality=("-b:v", "0"),
        options=frozenset(_AOM_OPTIONS.split()),
    ),
    SoftwareEncoder(
        name="libvvenc",
        codec="vvc",
        presets=("faster", "fast", "medium", "slow", "slower"),
        default_preset="faster",
        params_option="-vvenc-params",
        values={"qp": (0, 63)},
        whole_values=True,
        two_passes=True,
        holds_buffer=False,
        probe=_two_passes,
        delivery=_vvenc_delivery,
        options=frozenset({"qpa"}),
    ),
)

SOFTWARE_ENCODERS: Mapping[str, SoftwareEncoder] = MappingProxyType({encoder.name: encoder for encoder in _ENCODERS})
"""By ffmpeg's name."""
