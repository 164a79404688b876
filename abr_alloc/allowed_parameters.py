"""Which parameters of an encoder itself (`-x264-params` and the like) a grid may give: those that are listed here.

Encoders have hundreds, other ones in every version. Some read or write files (x265's `csv`, libaom's
`rate-distribution-info`), or drop frames, crop, take threads and place key frames against what this program promises;
so what is not known to do none of that is refused.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["PARAMETERS", "check_params"]

_X264 = """
    8x8dct analyse aq-mode aq-strength aud b-adapt b-bias b-pyramid bframes bluray-compat cabac chroma-me
    chroma-qp-offset constrained-intra cplxblur dct-decimate deadzone-inter deadzone-intra deblock direct direct-pred
    fast-pskip frameref ipratio level mbtree me me-range merange mixed-refs mv-range mvrange nr partitions pbratio psy
    psy-rd qblur qcomp qpmax qpmin qpstep ratetol rc-lookahead ref slice-max-mbs slice-max-size slice-min-mbs slices
    stitchable subme subq trellis weightb weightp
"""
_X265 = """
    amp aq-mode aq-motion aq-strength aud b-adapt b-intra b-pyramid bframe-bias bframes cbqpoffs chromaloc
    constrained-intra cplxblur crqpoffs ctu cu-lossless cutree deblock dynamic-rd early-skip fast-intra hdr10 hdr10-opt
    hevc-aq high-tier hme hme-range hme-search hrd ipratio level-idc limit-modes limit-refs limit-sao limit-tu
    lookahead-slices master-display max-cll max-merge max-tu-size mcstf me merange min-cu-size nr-inter nr-intra
    opt-cu-delta-qp opt-qp-pps opt-ref-list-length-pps pbratio psy-rd psy-rdoq qblur qcomp qg-size qpmax qpmin qpstep
    rc-grain rc-lookahead rd rd-refine rdoq-level rect ref repeat-headers rskip rskip-edge-threshold sao
    sao-non-deblock scaling-list selective-sao signhide slices splitrd-skip ssim-rd strong-intra-smoothing subme
    temporal-mvp tskip tskip-fast tu-inter-depth tu-intra-depth weightb weightp
"""
_SVTAV1 = """
    ac-bias adaptive-film-grain aq-mode bias-pct chroma-qm-max chroma-qm-min content-light enable-cdef enable-dg
    enable-dlf enable-mfmv enable-overlays enable-qm enable-restoration enable-tf enable-tpl-la enable-variance-boost
    fast-decode film-grain film-grain-denoise frame-luma-bias hierarchical-levels kf-tf-strength lookahead
    luminance-qp-bias max-qp maxsection-pct max-tx-size min-qp minsection-pct noise-norm-strength
    overshoot-pct pred-struct psy-rd qm-max qm-min qp-scale-compress-strength recode-loop scm sharp-tx sharpness
    startup-mg-size tf-strength tile-columns tile-rows tune undershoot-pct variance-boost-curve variance-boost-strength
    variance-octile
"""
_AOM = """
    aq-mode arnr-maxframes arnr-strength auto-alt-ref auto-intra-tools-off cdf-update-mode coeff-cost-upd-freq
    delta-lf-mode deltaq-mode deltaq-strength denoise-block-size denoise-noise-level disable-trellis-quant
    dv-cost-upd-freq enable-1to4-partitions enable-ab-partitions enable-angle-delta enable-cdef enable-cfl-intra
    enable-chroma-deltaq enable-diff-wtd-comp enable-dist-wtd-comp enable-dnl-denoising enable-dual-filter
    enable-filter-intra enable-flip-idtx enable-global-motion enable-interinter-wedge enable-interintra-comp
    enable-interintra-wedge enable-intra-edge-filter enable-intrabc enable-keyframe-filtering enable-masked-comp
    enable-obmc enable-onesided-comp enable-order-hint enable-overlay enable-paeth-intra enable-palette enable-qm
    enable-rect-partitions enable-rect-tx enable-ref-frame-mvs enable-restoration enable-smooth-interintra
    enable-smooth-intra enable-tpl-model enable-tx64 enable-warped-motion film-grain-test gf-max-pyr-height
    gf-min-pyr-height loopfilter-control loopfilter-sharpness max-gf-interval max-partition-size max-reference-frames
    min-gf-interval min-partition-size mode-cost-upd-freq mv-cost-upd-freq noise-sensitivity qm-max qm-min
    quant-b-adapt reduced-reference-set reduced-tx-type-set sb-qp-sweep sb-size sharpness static-thresh tile-columns
    tile-rows tune tune-content use-inter-dct-only use-intra-dct-only use-intra-default-tx-only
"""
_VVENC = """
    affine alf bdof bdpcm ccalf ctusize dmvr fastsearch geo ibc isp jointcbcr lfnst lmchroma lookahead
    mctf mip mts perceptqpa qpa sao sbt searchrange smvd transformskip
"""
PARAMETERS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "libx264": frozenset(_X264.split()),
        "libx265": frozenset(_X265.split()),
        "libsvtav1": frozenset(_SVTAV1.split()),
        "libaom-av1": frozenset(_AOM.split()),
        "libvvenc": frozenset(_VVENC.split()),
    }
)
"""What a grid may give, by ffmpeg's name of the encoder; of x264 and x265 with `no-` before it too."""

_NEGATED = ("libx264", "libx265")  # these also read _ as -
_WORDS = {"scaling-list": ("off", "default")}  # the others are names of files
_PARAM = re.compile(r"(?P<key>[A-Za-z0-9_-]{1,60})(?:=(?P<value>[A-Za-z0-9_.,;()+-]{0,200}))?", re.ASCII)
_MOST_LETTERS = 4000
# Why some of the others are refused: they name files, ...
_OF_FILES = re.compile(
    r"stats?|csv.*|recon.*|dump.*|input.*|output.*|.*file.*|.*path.*|.*-?save|.*-?load|.*-info|.*rpu.*|.*table.*|cqm|"
    r"scaling-list|opencl.*|.*log.*|zones?|qpfile|dhdr10.*|lambda.*|first-pass.*|(?:aom-)?film-grain",
    re.IGNORECASE,
)
# ... or are the program's.
_OF_RATES = re.compile(
    r"(?:no-)?(?:crf.*|qp|cqp|bitrate|targetbitrate|tbr|mbr|rc|ratecontrol|vbv.*|pass|passes|numpasses|keyint.*|"
    r"min-keyint|scenecut.*|open-gop|intra-?period|intra-refresh|refresh-?type|irefresh-type|decodingrefreshtype|scd|"
    r"lp|.*threads|pools|force-?key.*|kf-(?:min|max).*|target-bitrate|end-usage|cq-level|q|bframe-?rc|width|height|"
    r"fps.*|frames|seek|preset|tune|lossless)",
    re.IGNORECASE,
)


def check_params(params: str, encoder: str) -> None:
    """Refuse parameters of an encoder that a grid may not give.

    Args:
        params: as `-x264-params` or the like takes them.
        encoder: ffmpeg's name of it.

    Raises:
        ValueError: the first that is refused, and why.
    """
    if len(params) > _MOST_LETTERS:
        raise ValueError(f"params has {len(params)} letters, {_MOST_LETTERS} are the most")
    for item in params.split(":") if params else ():
        match = _PARAM.fullmatch(item)
        if match is None:
            raise ValueError(f"params holds {item!r}; write it like aq-mode=3:me=umh, without spaces and paths")
        key, value = match["key"], match["value"] or ""
        if encoder in _NEGATED:
            key = key.replace("_", "-")
        if not _is_allowed(key, value, encoder):
            raise ValueError(f"the parameter {item!r} {_reason(key, encoder)}")


def _is_allowed(key: str, value: str, encoder: str) -> bool:
    if key in _WORDS and value not in _WORDS[key]:
        return False
    allowed = PARAMETERS[encoder]
    return key in allowed or (encoder in _NEGATED and key.startswith("no-") and key.removeprefix("no-") in allowed)


def _reason(key: str, encoder: str) -> str:
    if _OF_FILES.fullmatch(key):
        return "names a file or writes one, which no grid may; leave it out"
    if _OF_RATES.fullmatch(key):
        return "is set by the program; use preset, args, values or rates, rate_mode, max_rate and gop_s"
    near = difflib.get_close_matches(key, sorted(PARAMETERS[encoder]), 3)
    then = f"is it {' or '.join(near)}?" if near else "docs/encoders.md lists them"
    return f"is not among those that may be given to {encoder}; {then}"
