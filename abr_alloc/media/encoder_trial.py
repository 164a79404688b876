"""Whether an encoder runs here: it encodes one frame, or a tenth of a second.

That an ffmpeg lists an encoder says how it was built. A driver, a device or a library may still be missing, and only
the encoder itself knows; what it says is the reason.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from abr_alloc.codecs import AUDIO_CODECS, VIDEO_CODECS
from abr_alloc.errors import GridError, MediaError, ToolFailedError
from abr_alloc.media.audio_encoding import FDK
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.encoder_options import read_encoder_options
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.hardware import HARDWARE_ENCODERS, hardware_arguments, is_hardware, rate_modes
from abr_alloc.media.programs import find_program, run
from abr_alloc.software_encoders import SOFTWARE_ENCODERS

__all__ = [
    "ABSENT",
    "FAILS",
    "FDKAAC",
    "RUNS",
    "Trial",
    "TriedEncoder",
    "look_at_encoders",
    "short_reason",
    "try_encoders",
]

RUNS, FAILS, ABSENT = "runs", "fails", "absent"
"""What may come of a trial: it encodes; it is in the ffmpeg, or installed, and does not encode; it is not there."""

FDKAAC = "fdkaac"
"""The program beside ffmpeg."""

_OF_SOUND = frozenset({*(codec.encoder for codec in AUDIO_CODECS.values()), FDK})
_PATIENCE_S = 8.0  # a driver that hangs
_AT_ONCE = 4
_SIZE_PX = (640, 384)  # no hardware encoder asks for more
_REASON_CHARS = 110
_SOUND_S = 0.1
# ffmpeg says who speaks, in brackets: [av1_qsv @ 0x55aa0612a840]; libraries loaded late speak through implib-gen.
_SPEAKER = re.compile(r"^(?:\[[^\]]*\]\s*)+|^implib-gen: ")
_LIBRARY = re.compile(r"(\S+\.so[.\d]*): cannot open shared object file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of trying an encoder."""

    state: str
    """`RUNS`, `FAILS` or `ABSENT`."""
    reason: str = ""
    """Why it fails, in the program's words; empty unless it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedEncoder:
    """An encoder that renditions can be made with, and whether it runs."""

    name: str
    """Its name in ffmpeg, or of a program."""
    kind: str
    """`video`, `hardware` or `audio`."""
    codecs: tuple[str, ...]
    """Codecs that it makes."""
    usual_of: tuple[str, ...]
    """Those of them that it makes unless a grid names another encoder; any one usual encoder of a codec will do."""
    trial: Trial
    """What came of trying it."""

    @property
    def runs(self) -> bool:
        return self.trial.state == RUNS


def look_at_encoders(ffmpeg: FFmpeg | None) -> list[TriedEncoder]:
    """Every encoder that may be used, tried: of video, on hardware, of audio; none where there is no ffmpeg but the
    program beside it."""
    usual_video = {codec.encoder: (codec.name,) for codec in VIDEO_CODECS.values()}
    of_fdk = tuple(codec.name for codec in AUDIO_CODECS.values() if codec.fdk_profile)
    usual_of_fdk = tuple(name for name in of_fdk if not AUDIO_CODECS[name].encoder)
    known: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {}
    for encoder in SOFTWARE_ENCODERS.values():
        known[encoder.name] = "video", (encoder.codec,), usual_video.get(encoder.name, ())
    for name, codec in HARDWARE_ENCODERS.items():
        known[name] = "hardware", (codec,), ()
    for audio in AUDIO_CODECS.values():
        if audio.encoder:
            known[audio.encoder] = "audio", (audio.name,), (audio.name,)
    for name in (FDK, FDKAAC):
        known[name] = "audio", of_fdk, usual_of_fdk
    trials = try_encoders(ffmpeg, known)
    return [
        TriedEncoder(name=name, kind=kind, codecs=codecs, usual_of=usual, trial=trials[name])
        for name, (kind, codecs, usual) in known.items()
    ]


def try_encoders(ffmpeg: FFmpeg | None, names: Iterable[str]) -> dict[str, Trial]:
    """Try encoders of an ffmpeg by name, a few side by side, and the `fdkaac` program; none fails the others.

    Args:
        ffmpeg: the program; without one all but `fdkaac` are absent.
        names: ffmpeg's names of encoders of video and audio, and `FDKAAC`.
    """
    names = list(dict.fromkeys(names))
    with tempfile.TemporaryDirectory(prefix="abr-alloc-") as place:
        folder = Path(place)
        (folder / "video.yuv").write_bytes(bytes(_SIZE_PX[0] * _SIZE_PX[1] * 3 // 2))
        (folder / "audio.f32").write_bytes(bytes(round(_SOUND_S * SAMPLE_RATE_HZ) * 8))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(zip(names, pool.map(lambda name: _try(ffmpeg, name, folder), names), strict=True))


def _try(ffmpeg: FFmpeg | None, name: str, folder: Path) -> Trial:
    if name == FDKAAC:
        program = find_program(name)
        return Trial(state=ABSENT) if program is None else _run(_fdkaac(program, folder), folder, name)
    if ffmpeg is None or name not in ffmpeg.encoders:
        return Trial(state=ABSENT)
    try:
        before, after = _options(ffmpeg, name)
    except (MediaError, GridError) as error:
        return Trial(state=FAILS, reason=str(error))
    command = (ffmpeg.path, "-hide_banner", "-nostdin", "-loglevel", "error", *before, *after, "-f", "null", "-")
    return _run(command, folder, name)


def _options(ffmpeg: FFmpeg, name: str) -> tuple[list[str], list[str]]:
    """Options before the input, and from the input on."""
    size = f"{_SIZE_PX[0]}x{_SIZE_PX[1]}"
    picture = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", "25", "-i", "video.yuv"]
    if is_hardware(name):
        options = read_encoder_options(ffmpeg, name)
        mode = next((mode for mode in ("qp", "vbr") if mode in rate_modes(options)), "vbr")
        found = hardware_arguments(options, mode=mode, value=30 if mode == "qp" else 500, gop=50)
        chain = ["-vf", found.filter_suffix] if found.filter_suffix else []
        return list(found.global_args), [*picture, *chain, *found.encoder_args]
    if name in _OF_SOUND:
        sound = ["-f", "f32le", "-ar", str(SAMPLE_RATE_HZ), "-ac", "2", "-i", "audio.f32"]
        return [], [*sound, "-c:a", name, "-threads", "1"]
    return [], [*picture, "-vf", "scale=160:96", "-c:v", name, "-threads", "1"]


def _fdkaac(program: str, folder: Path) -> tuple[str, ...]:
    raw = ["--raw", "--raw-channels", "2", "--raw-rate", str(SAMPLE_RATE_HZ), "--raw-format", "F32L"]
    return (program, "-S", "-b", "64000", *raw, "-o", "fdkaac.m4a", "audio.f32")


def _run(command: tuple[str, ...], folder: Path, name: str) -> Trial:
    log = folder / f"{name}.log"
    try:
        with log.open("wb") as said:
            run(command, cwd=folder, timeout_s=_PATIENCE_S, stderr=said)
    except (ToolFailedError, OSError) as error:
        told = short_reason(log.read_bytes().decode("utf-8", "replace"))
        return Trial(state=FAILS, reason=told or short_reason(getattr(error, "stderr_tail", "")) or str(error))
    except MediaError as error:
        return Trial(state=FAILS, reason=str(error))
    return Trial(state=RUNS)


def short_reason(said: str) -> str:
    """Why a program failed, from what it said: what it said first, without who says it."""
    first = next((line.strip() for line in said.splitlines() if line.strip()), "")
    library = _LIBRARY.search(first)
    if library:
        return f"cannot load {library[1]}"
    text = _SPEAKER.sub("", first).strip().rstrip(".")
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return text if len(text) <= _REASON_CHARS else text[: _REASON_CHARS - 3] + "..."
