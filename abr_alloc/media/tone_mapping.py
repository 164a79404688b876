"""HDR made SDR: one 3D lookup table per curve and peak, from PQ or HLG in BT.2020 to BT.709 for a BT.1886 display.

A table is made here and applied by ffmpeg's `lut3d`, which every ffmpeg has: neither zscale nor a GPU is needed, and
the same source gives the same frames everywhere. Steps: to the light of a display, cd/m2 (PQ: SMPTE ST 2084; HLG:
Rec. ITU-R BT.2100 with its system gamma 1.2 for 1000 cd/m2), to the primaries of BT.709, the curve over the largest of
red, green and blue (the others go with it, so that hues stay), what BT.709 cannot show cut off, gamma 2.4 (BT.1886 with
a black of 0). SDR's white is HDR's reference white, 203 cd/m2 (Rep. ITU-R BT.2408).
"""

from __future__ import annotations

import functools
import tempfile
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt

from abr_alloc.location import make_scratch_dir
from abr_alloc.media.colour import HdrMetadata
from abr_alloc.partial import owner_name

__all__ = [
    "SDR_WHITE_CD_M2",
    "TONE_MAP_VERSION",
    "map_to_sdr",
    "pq_from_light",
    "source_light",
    "source_peak_cd_m2",
    "tone_map_filter",
]

TONE_MAP_VERSION = 1
"""Changes whenever the same HDR would become other SDR."""

SDR_WHITE_CD_M2 = 203.0
"""Light of SDR's white, cd/m2 (Rep. ITU-R BT.2408: HDR reference white)."""

HLG_PEAK_CD_M2 = 1000.0
"""Light of the display that HLG is made for, cd/m2; its system gamma is 1.2 (Rec. ITU-R BT.2100, Table 5)."""

_UNKNOWN_PEAK_CD_M2 = 1000.0
"""What PQ without metadata is taken to reach, cd/m2."""
_PQ_PEAK_CD_M2 = 10_000.0
_SIDE = 65  # entries along each axis of a table
_WHITE = 255 * 256 / 65535
"""Where ffmpeg's `scale` has the white of 16-bit R'G'B', as a share of the largest number: it is 255 of 8 bits."""
_PQ = (0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875)  # m1, m2, c1, c2, c3
_HLG_A, _HLG_B, _HLG_C = 0.17883277, 0.28466892, 0.55991073
_LUMA_2020 = np.array([0.2627, 0.6780, 0.0593])
# Linear BT.2020 to linear BT.709 (Rep. ITU-R BT.2407, 2.2).
_TO_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
_HABLE = (0.15, 0.50, 0.10, 0.20, 0.02, 0.30)

Light = npt.NDArray[np.float64]


def source_peak_cd_m2(transfer: str, hdr: HdrMetadata | None) -> float:
    """The light that a source is taken to reach, cd/m2: of PQ its MaxCLL, else its mastering display's, else 1000; of
    HLG 1000."""
    if transfer != "smpte2084":
        return HLG_PEAK_CD_M2
    told = None
    if hdr is not None:
        told = hdr.max_cll_cd_m2 or (hdr.luminance_cd_m2[1] if hdr.luminance_cd_m2 else None)
    return float(min(max(told or _UNKNOWN_PEAK_CD_M2, SDR_WHITE_CD_M2), _PQ_PEAK_CD_M2))


def source_light(code: Light, transfer: str) -> Light:
    """Light of a display, cd/m2, of R'G'B' in 0..1, (..., 3), by `smpte2084` or `arib-std-b67`."""
    if transfer == "smpte2084":
        m1, m2, c1, c2, c3 = _PQ
        root = code ** (1.0 / m2)
        return np.asarray(_PQ_PEAK_CD_M2 * (np.maximum(root - c1, 0.0) / (c2 - c3 * root)) ** (1.0 / m1))
    scene = np.where(code <= 0.5, code**2 / 3.0, (np.exp((code - _HLG_C) / _HLG_A) + _HLG_B) / 12.0)
    luminance = (scene @ _LUMA_2020)[..., None]
    return np.asarray(HLG_PEAK_CD_M2 * np.maximum(luminance, 1e-12) ** 0.2 * scene)


def pq_from_light(light: Light) -> Light:
    """PQ's code in 0..1 of light, cd/m2."""
    m1, m2, c1, c2, c3 = _PQ
    power = (light / _PQ_PEAK_CD_M2) ** m1
    return np.asarray(((c1 + c2 * power) / (1.0 + c3 * power)) ** m2)


def map_to_sdr(code: Light, transfer: str, curve: str, peak_cd_m2: float) -> Light:
    """R'G'B' of SDR in 0..1, (..., 3).

    Args:
        code: R'G'B' of HDR in BT.2020, 0..1, (..., 3).
        transfer: `smpte2084` or `arib-std-b67`.
        curve: one of `TONE_MAPS`.
        peak_cd_m2: light that the source reaches, cd/m2.
    """
    return np.minimum(_unlimited(code, transfer, curve, peak_cd_m2), 1.0)


def _unlimited(code: Light, transfer: str, curve: str, peak_cd_m2: float) -> Light:
    """The same, above 1 where it is brighter than SDR's white."""
    light = source_light(code, transfer) @ _TO_709.T
    largest = np.maximum(light.max(axis=-1, keepdims=True), 1e-6)
    scaled = light * (_curve(largest, curve, peak_cd_m2) / largest)
    return np.asarray(np.maximum(scaled / SDR_WHITE_CD_M2, 0.0) ** (1.0 / 2.4))


def _curve(light: Light, curve: str, peak_cd_m2: float) -> Light:
    """Light that SDR shows, cd/m2, of light."""
    if curve == "clip":
        return light
    if curve == "hable":
        return np.asarray(SDR_WHITE_CD_M2 * _film(light) / float(_film(np.asarray(peak_cd_m2))))
    top = float(pq_from_light(np.asarray(peak_cd_m2)))
    target = float(pq_from_light(np.asarray(SDR_WHITE_CD_M2))) / top
    knee = 1.5 * target - 0.5
    code = np.minimum(pq_from_light(light) / top, 1.0)
    if knee >= 1.0:
        return light
    t = (code - knee) / (1.0 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * target
    return source_light(np.where(code < knee, code, spline) * top, "smpte2084")


def _film(light: Light) -> Light:
    a, b, c, d, e, f = _HABLE
    x = light / SDR_WHITE_CD_M2
    return np.asarray((x * (x * a + b * c) + d * e) / (x * (x * a + b) + d * f) - e / f)


def tone_map_filter(transfer: str, curve: str, peak_cd_m2: float) -> str:
    """The filter that maps frames of 16-bit R'G'B'; its table is a file of this machine for as long as this process
    runs.

    Raises:
        OSError: the folder for temporary files cannot be written.
    """
    table = _escaped(str(_table(transfer, curve, peak_cd_m2)))
    return f"lut3d=file={table}:interp=tetrahedral,limiter=max={round(_WHITE * 65535)}"


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []  # removed at the process's end
_WRITING = threading.Lock()  # a thread must not read what another one is writing


def _table(transfer: str, curve: str, peak_cd_m2: float) -> Path:
    with _WRITING:
        return _written_table(transfer, curve, peak_cd_m2)


@functools.lru_cache(maxsize=64)
def _written_table(transfer: str, curve: str, peak_cd_m2: float) -> Path:
    if not _FOLDERS:
        _FOLDERS.append(tempfile.TemporaryDirectory(prefix=f"{owner_name()}.", dir=make_scratch_dir()))
    steps = np.linspace(0.0, 1.0, _SIDE) / _WHITE
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")  # red changes fastest
    sdr = _WHITE * _unlimited(np.stack([red, green, blue], axis=-1), transfer, curve, peak_cd_m2).reshape(-1, 3)
    path = Path(_FOLDERS[0].name) / f"{transfer}-{curve}-{peak_cd_m2:g}.cube"
    rows = "\n".join(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in sdr.tolist())
    path.write_text(f"LUT_3D_SIZE {_SIDE}\n{rows}\n", encoding="ascii")
    return path


def _escaped(text: str) -> str:
    """Text as an option's value within a filter graph: escaped for the option, then for the graph."""
    for letters in ("\\':", "\\'[],;"):
        text = "".join(f"\\{letter}" if letter in letters else letter for letter in text)
    return text
