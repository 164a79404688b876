"""Settings of encoders, read and written: here and nowhere else, whoever wrote them.

A grid is the user's; a table or a ladder file may be somebody else's. So whatever comes out of here may be handed to
an encoder: no option names a file, an input, a filter or a protocol. What a command template runs is another matter
(docs/security.md): a grid is the user's own, a ladder file is not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from abr_alloc.allowed_options import OPTIONS, check_arguments, check_command
from abr_alloc.allowed_parameters import check_params
from abr_alloc.codecs import AUDIO_CODECS, VIDEO_CODECS
from abr_alloc.documents import number_of, shown, text_of
from abr_alloc.encoders import GOP_S, HARDWARE, RATE_MODES, AudioEncoder, VideoEncoder
from abr_alloc.software_encoders import SOFTWARE_ENCODERS
from abr_alloc.targets import ENCODER_NAME

__all__ = ["audio_encoder_of", "encoders_of", "settings_of", "video_encoder_of"]

_PIXEL_FORMAT = re.compile(r"(?:yuv4[0-4]{2}p|nv12|p010|gray)(?:10|12)?(?:le)?")
_GOP_S = (0.1, 60.0)
_PLACEHOLDERS = {"video": ("y4m", "out", "value", "kbps", "gop", "threads"), "audio": ("wav", "out", "value", "kbps")}


def settings_of(encoder: VideoEncoder | AudioEncoder) -> dict[str, Any]:
    """Its settings as a table of JSON, without its name; what is as usual is left out."""
    found = {}
    for item in dataclasses.fields(encoder):
        value = getattr(encoder, item.name)
        if item.name not in ("name", "codec") and value != item.default:
            found[item.name] = list(value) if isinstance(value, tuple) else value
    return {"codec": encoder.codec, **found}


def encoders_of(found: Any) -> dict[str, VideoEncoder | AudioEncoder]:
    """Encoders by name, from what `settings_of` wrote of each.

    Raises:
        ValueError: they are no settings; the message names the encoder and the field.
    """
    if not isinstance(found, dict):
        raise ValueError(f"encoders is {shown(found)}, not an object")
    read: dict[str, VideoEncoder | AudioEncoder] = {}
    for name, settings in found.items():
        if not isinstance(settings, dict):
            raise ValueError(f"encoder {shown(name)} is {shown(settings)}, not an object")
        is_audio = str(settings.get("codec")) in AUDIO_CODECS
        read[name] = audio_encoder_of(name, settings) if is_audio else video_encoder_of(name, settings)
    return read


def video_encoder_of(name: str, settings: Mapping[str, Any]) -> VideoEncoder:
    """A video encoder from its settings.

    Raises:
        ValueError: they are none, or hold what may not be handed to an encoder; the message names the field.
    """
    with _naming(name):
        return _video_encoder(name, settings)


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
    """What is said of a field, said of the encoder that it belongs to."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"encoder {name!r} needs {error.args[0]}") from None
    except ValueError as error:
        raise ValueError(f"encoder {name!r}: {error}") from None


def _video_encoder(name: str, settings: Mapping[str, Any]) -> VideoEncoder:
    fields = {item.name for item in dataclasses.fields(VideoEncoder)} - {"name"}
    _check_head(name, settings, fields, VIDEO_CODECS)
    codec, command = settings["codec"], _words(settings, "command")
    mode = _text(settings, "rate_mode", "") or _usual_mode(settings, command)
    found = VideoEncoder(
        name=name,
        codec=codec,
        encoder="" if command else _text(settings, "encoder", VIDEO_CODECS[codec].encoder),
        preset=_text(settings, "preset", ""),
        params=_text(settings, "params", ""),
        args=_words(settings, "args"),
        pixel_format=_text(settings, "pixel_format", ""),
        gop_s=number_of({"gop_s": settings.get("gop_s", GOP_S)}, "gop_s", *_GOP_S),
        rate_mode=mode,
        max_rate_kbps=number_of(settings, "max_rate_kbps", 1.0) if "max_rate_kbps" in settings else None,
        delivery=_text(settings, "delivery", ""),
        command=command,
        y4m=_text(settings, "y4m", "file"),
        value_step=number_of({"value_step": settings.get("value_step", 0.0)}, "value_step", 0.0, 1e6),
        program_sha256=_text(settings, "program_sha256", ""),
    )
    if command:
        return _checked_command(found)
    if "encoder" in settings and not found.encoder:
        raise ValueError("encoder is empty; name one of ffmpeg's, or give a command")
    return _checked_ffmpeg(found)


def _usual_mode(settings: Mapping[str, Any], command: Sequence[str]) -> str:
    if command:
        return "value" if any("{value}" in word for word in command) else "vbr"
    software = SOFTWARE_ENCODERS.get(str(settings.get("encoder", VIDEO_CODECS[settings["codec"]].encoder)))
    return next(iter(software.values)) if software else "cq"


def _check_head(name: str, settings: Mapping[str, Any], fields: set[str], codecs: Mapping[str, Any]) -> None:
    unknown = sorted(settings.keys() - fields)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}; use {', '.join(sorted(fields))}")
    codec = text_of(settings, "codec")
    if codec not in codecs:
        raise ValueError(f"unknown codec {shown(codec)}; use {', '.join(codecs)}")
    if not ENCODER_NAME.fullmatch(name):
        raise ValueError("a name is of lower-case letters, digits, - and _, 32 at most")
    if name != codec and name in {*VIDEO_CODECS, *AUDIO_CODECS}:
        raise ValueError(f"{name} is the name of a codec; choose another name")


def _checked_ffmpeg(found: VideoEncoder) -> VideoEncoder:
    """Settings of an encoder of ffmpeg, with its own preset where none is given."""
    software, hardware = found.software, HARDWARE.fullmatch(found.encoder)
    if (software is None or software.codec != found.codec) and (hardware is None or hardware["codec"] != found.codec):
        known = ", ".join(item.name for item in SOFTWARE_ENCODERS.values() if item.codec == found.codec)
        raise ValueError(
            f"{shown(found.encoder)} is no encoder of {found.codec} that is known here; use {known}, a hardware "
            "encoder such as h264_nvenc, or a command"
        )
    if found.value_step or found.y4m != "file" or found.program_sha256:
        raise ValueError("value_step, y4m and program_sha256 are for a command; leave them out")
    if software is not None:
        if found.preset and found.preset not in software.presets:
            raise ValueError(
                f"{software.name} has no preset {found.preset!r}; use one of {', '.join(software.presets)}"
            )
        found = dataclasses.replace(found, preset=found.preset or software.default_preset)
    if found.params and (software is None or not software.params_option):
        raise ValueError(f"{found.encoder} takes no params; give its options as args")
    check_params(found.params, found.encoder)
    allowed = OPTIONS["software"] | software.options if software is not None else OPTIONS["hardware"]
    check_arguments(found.args, allowed)
    if found.pixel_format and not _PIXEL_FORMAT.fullmatch(found.pixel_format):
        raise ValueError(f"pixel_format is {shown(found.pixel_format)}; write it as ffmpeg does, like yuv420p")
    for mode in filter(None, (found.rate_mode, found.delivery)):
        _check_mode(found, mode)
    if found.delivery and found.kind_of(found.delivery) not in (found.kind, "b"):
        raise ValueError(f"delivery is {found.delivery}, but values are of {found.rate_mode}; use {found.rate_mode}")
    capped = "capped-crf" in (found.rate_mode, found.delivery)
    if capped and found.max_rate_kbps is None:
        raise ValueError("capped-crf needs max_rate, like 4M")
    if found.max_rate_kbps is not None and not capped:
        raise ValueError("max_rate is for the rate mode capped-crf; leave it out")
    return found


def _check_mode(found: VideoEncoder, mode: str) -> None:
    if mode not in RATE_MODES:
        raise ValueError(f"rate_mode is {shown(mode)}; use {', '.join(RATE_MODES)}")
    software = found.software
    if software is None:
        if mode in ("vbr-2pass", "crf"):
            raise ValueError(f"{found.encoder} has no {mode} through ffmpeg; use cq, qp, vbr or capped-crf")
        return
    known = [*software.values, "vbr"]
    known += ["vbr-2pass"] if software.two_passes else []
    known += ["capped-crf"] if software.caps else []
    if mode not in known:
        raise ValueError(f"{software.name} has no rate mode {mode} through ffmpeg; use {', '.join(known)}")


def _checked_command(found: VideoEncoder) -> VideoEncoder:
    """Settings of a command template."""
    alien = [key for key in ("preset", "params", "args", "max_rate_kbps", "delivery") if getattr(found, key)]
    if alien:
        raise ValueError(f"{alien[0]} is for an encoder of ffmpeg; write it into the command")
    check_command(found.command, _PLACEHOLDERS["video"], "y4m")
    asked = _check_asked(found.command)
    if found.rate_mode != ("value" if asked == "value" else "vbr"):
        raise ValueError(f"rate_mode is {found.rate_mode} for a command with {{{asked}}}; leave it out")
    if found.y4m not in ("file", "pipe"):
        raise ValueError(f"y4m is {shown(found.y4m)}; use file or pipe")
    if found.pixel_format and not _PIXEL_FORMAT.fullmatch(found.pixel_format):
        raise ValueError(f"pixel_format is {shown(found.pixel_format)}; write it as ffmpeg does, like yuv420p")
    return found


def audio_encoder_of(name: str, settings: Mapping[str, Any]) -> AudioEncoder:
    """An audio encoder from its settings.

    Raises:
        ValueError: they are none, or hold what may not be handed to an encoder; the message names the field.
    """
    with _naming(name):
        return _audio_encoder(name, settings)


def _audio_encoder(name: str, settings: Mapping[str, Any]) -> AudioEncoder:
    fields = {item.name for item in dataclasses.fields(AudioEncoder)} - {"name"}
    _check_head(name, settings, fields, AUDIO_CODECS)
    codec, command = AUDIO_CODECS[settings["codec"]], _words(settings, "command")
    if codec.is_lossless:
        raise ValueError(f'{codec.name} keeps every sample, whatever encodes it; write {codec.name} = ["lossless"] '
                         "in [audio]")  # fmt: skip
    known = [*filter(None, [codec.encoder]), *(["libfdk_aac"] if codec.fdk_profile else [])]
    found = AudioEncoder(
        name=name,
        codec=codec.name,
        encoder="" if command else _text(settings, "encoder", known[0]),
        args=_words(settings, "args"),
        command=command,
        program_sha256=_text(settings, "program_sha256", ""),
    )
    if command:
        if "encoder" in settings or found.args:
            alien = "encoder" if "encoder" in settings else "args"
            raise ValueError(f"{alien} is for an encoder of ffmpeg; write it into the command")
        check_command(command, _PLACEHOLDERS["audio"], "wav")
        _check_asked(command)
        return found
    if found.encoder not in known:
        raise ValueError(
            f"{shown(found.encoder)} is no encoder of {codec.name} that is known here; use {' or '.join(known)}, or a "
            "command"
        )
    if found.program_sha256:
        raise ValueError("program_sha256 is for a command; leave it out")
    check_arguments(found.args, OPTIONS[found.encoder])
    return found


def _check_asked(command: Sequence[str]) -> str:
    """The one placeholder of what is asked for.

    Raises:
        ValueError: a command has both, or neither.
    """
    used = {name for name in ("value", "kbps") if any(f"{{{name}}}" in word for word in command)}
    if len(used) != 1:
        what = "both {value} and {kbps}" if used else "neither {value} nor {kbps}"
        raise ValueError(f"command has {what}; what is asked must stand in one of them")
    return used.pop()


def _text(settings: Mapping[str, Any], key: str, absent: str) -> str:
    return text_of(settings, key) if key in settings else absent


def _words(settings: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of texts."""
    value = settings.get(key, [])
    if not isinstance(value, (list, tuple)) or not all(isinstance(word, str) for word in value):
        raise ValueError(f"{key} is {shown(value)}, not a list of texts; write each word in quotes")
    return tuple(value)
