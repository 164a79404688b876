"""Encoders as they are used: what a grid names, a table and a ladder file carry, and an encode is made with.

Records are made by `encoder_settings` from what somebody wrote, which lets nothing through that may not be handed to an
encoder, or by `default_encoder`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from abr_alloc.codecs import VIDEO_CODECS
from abr_alloc.software_encoders import SOFTWARE_ENCODERS, SoftwareEncoder

__all__ = ["GOP_S", "HARDWARE", "RATE_MODES", "AudioEncoder", "VideoEncoder", "default_encoder"]

GOP_S = 2.0
"""Longest distance of key frames where nothing else is said, seconds, as streaming ladders use."""

RATE_MODES = ("crf", "cq", "qp", "vbr", "vbr-2pass", "capped-crf")
"""Ways to hold quality or rate that a grid may ask for."""

_KINDS = {"crf": "crf", "capped-crf": "crf", "cq": "cq", "qp": "qp", "vbr": "b", "vbr-2pass": "b", "value": "value"}

HARDWARE = re.compile(r"(?P<codec>h264|hevc|av1|vp9)_(?:nvenc|qsv|vaapi|videotoolbox|amf)")
"""ffmpeg's names of encoders that run on hardware."""

_HARDWARE_VALUES = (0.0, 255.0)  # what ffmpeg lists of one says more (`media.hardware`)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoEncoder:
    """A video encoder and all that it is told but size and rate."""

    name: str
    """As a grid names it; the codec's name for its usual one."""
    codec: str
    """One of `VIDEO_CODECS`."""
    encoder: str = ""
    """ffmpeg's name of it; empty where a command encodes."""
    preset: str = ""
    """Its preset; empty where it has none."""
    params: str = ""
    """Parameters of the encoder itself, as its `-x264-params` or the like takes them."""
    args: tuple[str, ...] = ()
    """Further options of ffmpeg, each with its value."""
    pixel_format: str = ""
    """ffmpeg's name of the samples to encode; empty for what the codec usually takes."""
    gop_s: float = GOP_S
    """Longest distance of key frames, seconds."""
    rate_mode: str = "crf"
    """How probes are asked: one of `RATE_MODES`, or `value`. A usual encoder takes qualities and rates alike."""
    max_rate_kbps: float | None = None
    """With `capped-crf`, the largest rate, kbps."""
    delivery: str = ""
    """How a ladder is encoded: one of `RATE_MODES`; empty for the encoder's best way to hold a rate."""
    command: tuple[str, ...] = ()
    """A program that is no ffmpeg, and its arguments with placeholders in braces."""
    y4m: str = "file"
    """How the program gets its frames: as a `file`, or through a named `pipe`."""
    value_step: float = 0.0
    """Distance of the values that the program takes; 0 for any."""
    program_sha256: str = ""
    """SHA-256 of the program; empty where nobody looked."""

    @property
    def software(self) -> SoftwareEncoder | None:
        """What is known of it; None for hardware and commands."""
        return SOFTWARE_ENCODERS.get(self.encoder)

    @property
    def kind(self) -> str:
        """Kind of its probes' targets."""
        return self.kind_of(self.rate_mode)

    def kind_of(self, mode: str) -> str:
        """Kind of the targets of a rate mode; what hardware holds under a cap is its `cq`."""
        return "cq" if mode == "capped-crf" and not self.command and self.software is None else _KINDS[mode]

    @property
    def is_usual(self) -> bool:
        """Whether it is its codec's usual encoder, of whatever preset."""
        return self == default_encoder(self.codec, self.preset)

    @property
    def target_name(self) -> str:
        """Its name in targets: none for a codec's usual one."""
        return "" if self.name == self.codec else self.name

    @property
    def delivery_mode(self) -> str:
        """How a ladder is encoded: as somebody said, else as its rates are held best."""
        if self.delivery:
            return self.delivery
        asks_quality = self.software is not None and self.software.rates_cost_quality and self.kind != "b"
        return self.rate_mode if self.command or asks_quality else self.planned_rate_mode

    @property
    def planned_rate_mode(self) -> str:
        """How it is asked for a rate: in two passes where it has them."""
        return "vbr-2pass" if self.software is not None and self.software.two_passes else "vbr"

    @property
    def needs_values(self) -> bool:
        """Whether nothing but a quality can be asked of it for a ladder."""
        return self.kind_of(self.delivery_mode) != "b" and bool(self.delivery or self.command)

    def value_range(self, mode: str) -> tuple[float, float]:
        """Least and largest value of a mode that asks for a quality."""
        if self.command:
            return -1e9, 1e9
        if self.software is None:
            return _HARDWARE_VALUES
        return self.software.values["crf" if mode == "capped-crf" else mode]

    def step_of(self, mode: str) -> float:
        """Distance of the values that it takes."""
        if self.command:
            return self.value_step or 0.001
        return 1.0 if self.software is None or self.software.whole_values or mode == "qp" else 0.01

    def nearest_value(self, mode: str, value: float) -> float:
        """The nearest value that it takes."""
        low, high = self.value_range(mode)
        step = self.step_of(mode)
        return min(high, max(low, round(round(value / step) * step, 6)))


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioEncoder:
    """An audio encoder and all that it is told but channels and rate."""

    name: str
    """As a grid names it; the codec's name for its usual one."""
    codec: str
    """One of `AUDIO_CODECS`."""
    encoder: str = ""
    """ffmpeg's name of it; empty where a command encodes."""
    args: tuple[str, ...] = ()
    """Further options of ffmpeg, each with its value."""
    command: tuple[str, ...] = ()
    """A program that is no ffmpeg, and its arguments with placeholders in braces."""
    program_sha256: str = ""
    """SHA-256 of the program; empty where nobody looked."""

    @property
    def target_name(self) -> str:
        """Its name in targets: none for a codec's usual one."""
        return "" if self.name == self.codec else self.name


def default_encoder(codec: str, preset: str | None = None) -> VideoEncoder:
    """The usual encoder of a video codec."""
    software = SOFTWARE_ENCODERS[VIDEO_CODECS[codec].encoder]
    return VideoEncoder(
        name=codec,
        codec=codec,
        encoder=software.name,
        preset=preset or software.default_preset,
        rate_mode=next(iter(software.values)),
    )
