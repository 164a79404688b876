"""Make audio renditions: by ffmpeg, by Fraunhofer's encoder through ffmpeg or the `fdkaac` program, by a command.

Every encode is an MP4 file whose edit list says what a decoder puts out before the first sample of the source, so that
all renditions, however they were made, sound at the same time: to the sample, but for HE-AAC, whose decoder's SBR
works at half the rate and places sound to two samples.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from abr_alloc.codecs import AUDIO_CODECS
from abr_alloc.errors import GridError, MediaError, ToolFailedError, ToolMissingError
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.command_encoder import fill_command, find_written, require_command
from abr_alloc.media.container import open_media
from abr_alloc.media.encoder_options import check_values, read_encoder_options
from abr_alloc.media.ffmpeg import INPUT_GUARD, FFmpeg
from abr_alloc.media.grid import AudioTarget
from abr_alloc.media.mix import STEREO_OF_SURROUND
from abr_alloc.media.programs import find_program, run_program
from abr_alloc.partial import partial_name
from abr_alloc.targets import Target
from abr_alloc.writing import written_whole

__all__ = ["FDK", "WITH_DIALNORM", "check_audio_encoders", "encode_audio", "encoding_facts", "read_pcm_bytes"]

FDK = "libfdk_aac"
"""ffmpeg's name of Fraunhofer's encoder. Where an ffmpeg lacks it, the program `fdkaac` is asked instead."""

WITH_DIALNORM = ("ac3", "eac3")
"""Codecs whose streams say how loud they are."""

_RAW: tuple[str | Path, ...] = ("-f", "f32le", "-ar", str(SAMPLE_RATE_HZ), "-ac", "2")
# ffmpeg's 5.1 has the surrounds behind, AC-3's at the sides: its encoders take either for the other, in this order.
_RAW_SURROUND: tuple[str | Path, ...] = ("-f", "f32le", "-ar", str(SAMPLE_RATE_HZ), "-channel_layout", "5.1")
_SEEK_MARGIN_S = 0.5
# Mono is copied to both sides at full level, where ffmpeg's own up-mix would lower it by 3 dB.
# 5.1 is mixed as the source was (`mix.py`); ffmpeg's own mix is quieter by what it might otherwise clip.
_STEREO = {
    1: "pan=stereo|c0=c0|c1=c0",
    2: "aformat=channel_layouts=stereo",
    6: "pan=stereo|" + "|".join(
        f"c{to}=" + "+".join(f"{gain:.7f}*c{n}" for n, gain in enumerate(gains) if gain)
        for to, gains in enumerate(STEREO_OF_SURROUND.tolist())
    ),
}  # fmt: skip
# What FDK is told through ffmpeg, in the words of the program.
_FDKAAC_WORDS = {"-afterburner": "-a", "-cutoff": "-w"}
# Both ways to say a lead-in, with SBR's in it: ffmpeg's reader honours one from the beginning, the other after seeks.
_FDKAAC_LEAD_IN = ("-G", "2", "--include-sbr-delay")
_LISTEN_S, _IN_TIME, _ALIKE = 10, 48, 0.5  # of commands: s listened to, samples that pass, least correlation that tells
_FDKAAC_VERSION = 2  # of the words above: other words, other times


def _program_of(target: AudioTarget) -> str:
    """ffmpeg's name of the encoder of a target; empty where a command encodes."""
    if target.encoder is not None:
        return target.encoder.encoder
    return AUDIO_CODECS[target.codec].encoder or FDK


def _by_fdkaac(ffmpeg: FFmpeg, target: AudioTarget) -> bool:
    return _program_of(target) == FDK and FDK not in ffmpeg.encoders


def encoding_facts(ffmpeg: FFmpeg, target: AudioTarget) -> dict[str, Any]:
    """What an encode depends on beside its target and the ffmpeg: for keys of caches."""
    return {"fdkaac": _FDKAAC_VERSION} if _by_fdkaac(ffmpeg, target) else {}


def check_audio_encoders(ffmpeg: FFmpeg, targets: Sequence[AudioTarget]) -> None:
    """Fail before any work when an encoder is missing, or does not take what it is given.

    Raises:
        ToolMissingError: names the encoder and how to get it.
        GridError: an option's value is none that the encoder takes.
    """
    for target in targets:
        encoder, name = target.encoder, _program_of(target)
        if encoder is not None and encoder.command:
            require_command(encoder)
        elif _by_fdkaac(ffmpeg, target):
            if find_program("fdkaac") is None:
                raise ToolMissingError(
                    f"no encoder for {target.codec}: install the fdkaac program (Debian: apt-get install fdkaac, from "
                    "contrib), or give an ffmpeg with libfdk_aac by `ffmpeg`; or leave it out with `audio_codecs` aac",
                    tool="fdkaac",
                )
            _fdkaac_words(encoder.args if encoder else ())
        else:
            ffmpeg.require_encoder(name)
            if encoder is not None and encoder.args:
                check_values(read_encoder_options(ffmpeg, name), encoder.args)


def encode_audio(
    ffmpeg: FFmpeg, pcm: Path, target: AudioTarget, path: Path, *, loudness_lufs: float | None = None
) -> None:
    """Encode raw PCM, as `sound.decode_audio` wrote it, to an MP4 file.

    Args:
        ffmpeg: the program.
        pcm: 5.1 for a target of 6 channels, else stereo.
        target: what to make.
        path: where.
        loudness_lufs: of the PCM, LUFS; AC-3 and E-AC-3 carry it as dialnorm, and without it the -31 dB that changes
            nothing.

    Raises:
        ToolFailedError: the encoder failed.
        MediaError: a command wrote nothing, something else than was asked for, or what is heard late.
        ToolMissingError: there is no encoder for the codec, or no program of the command.
        GridError: the encoder does not take what the grid gives it.
    """
    source = [*INPUT_GUARD, *(_RAW_SURROUND if target.channels == 6 else _RAW), "-i", pcm]
    # The PCM's two channels are equal where the source is mono; ffmpeg's own down-mix of them would be 3 dB too loud.
    channels = {1: ["-af", "pan=mono|c0=c0"], 6: []}.get(target.channels, ["-ac", "2"])
    with written_whole(path) as partial, _removed(partial_name(path.with_suffix(".wav"))) as wave:
        if target.encoder is not None and target.encoder.command:
            _run_command(ffmpeg, target, pcm, channels, partial)
        elif _by_fdkaac(ffmpeg, target):
            ffmpeg.run([*source, *channels, "-c:a", "pcm_s16le", "-f", "wav", wave])  # libfdk_aac takes 16 bits
            _run_fdkaac(ffmpeg, target, wave, partial)
        else:
            words = [*_words(ffmpeg, target), *_dialnorm(target, loudness_lufs)]
            ffmpeg.run([*source, *channels, *words, "-threads", "1", "-f", "mp4", partial])


def _words(ffmpeg: FFmpeg, target: AudioTarget) -> list[str]:
    """Words of ffmpeg's command line for one of its encoders."""
    codec, name = AUDIO_CODECS[target.codec], ffmpeg.require_encoder(_program_of(target))
    words = ["-c:a", name]
    if name == FDK and codec.fdk_profile:
        words += ["-profile:a", codec.fdk_profile[0]]
    if target.channels == 6 and name == "libopus":
        words += ["-mapping_family", "1"]  # channels of Vorbis' order, some of them coded in pairs (RFC 7845, 5.1.1.2)
    words += target.encoder.args if target.encoder else ()
    if codec.is_lossless:
        # 24 bits: samples of 16 cost nothing more in them, because FLAC leaves out bits that are always 0.
        return [*words, "-sample_fmt", "s32", "-bits_per_raw_sample", "24"]
    return [*words, "-b:a", str(round(Target(target.target).kbps * 1000))]


def _dialnorm(target: AudioTarget, loudness_lufs: float | None) -> list[str]:
    """The word that tells AC-3's decoders how loud a programme is, -31 to -1 dB (ETSI TS 102 366, 4.4.2.8)."""
    if loudness_lufs is None or target.codec not in WITH_DIALNORM:
        return []
    return ["-dialnorm", str(min(-1, max(-31, round(loudness_lufs))))]


def _run_fdkaac(ffmpeg: FFmpeg, target: AudioTarget, wave: Path, path: Path) -> None:
    program, profile = find_program("fdkaac"), AUDIO_CODECS[target.codec].fdk_profile
    if program is None:
        raise ToolMissingError("the fdkaac program is not installed", tool="fdkaac")
    assert profile is not None  # `encoder_settings` refuses others
    words = ["-S", "-p", profile[1], "-b", str(round(Target(target.target).kbps * 1000)), *_FDKAAC_LEAD_IN]
    words += _fdkaac_words(target.encoder.args if target.encoder else ())
    run_program([program, *words, "-o", path, wave], stall_s=ffmpeg.stall_s)


def _fdkaac_words(args: Sequence[str]) -> list[str]:
    """Options of FDK in ffmpeg's words, in those of the program.

    Raises:
        GridError: the program has no such option.
    """
    words = []
    for option, value in zip(args[::2], args[1::2], strict=True):
        if option not in _FDKAAC_WORDS:
            raise GridError(
                f"the fdkaac program has no {option}, only {', '.join(_FDKAAC_WORDS)}; leave it out, or give an ffmpeg "
                f"with {FDK} by `ffmpeg`"
            )
        words += [_FDKAAC_WORDS[option], value]
    return words


def _run_command(ffmpeg: FFmpeg, target: AudioTarget, pcm: Path, channels: Sequence[str], path: Path) -> None:
    """Let a program encode, take its audio stream over as it is, and believe it as far as it was looked at."""
    encoder = target.encoder
    assert encoder is not None
    program, asked = require_command(encoder), Target(target.target)
    with tempfile.TemporaryDirectory(prefix="encoder.", dir=path.absolute().parent) as folder:
        wave, raw = Path(folder) / "source.wav", _RAW_SURROUND if target.channels == 6 else _RAW
        ffmpeg.run([*INPUT_GUARD, *raw, "-i", pcm, *channels, "-c:a", "pcm_s24le", "-f", "wav", wave])
        number = f"{asked.kbps if asked.is_rate else asked.number:.10g}"
        known = {"wav": str(wave), "value": number, "kbps": number}
        words = fill_command(encoder.command[1:], known, Path(folder))
        run_program([program, *words], stall_s=ffmpeg.stall_s, cwd=Path(folder))
        written, said = find_written(encoder.command, Path(folder)), f"the encoder {encoder.name!r} ({program})"
        if written is None:
            raise MediaError(f"{said} ended well and wrote nothing to {{out}}; run it by hand to see why")
        guarded = [*INPUT_GUARD, "-i", written, "-map", "0:a:0"]
        try:
            ffmpeg.run([*guarded, "-c", "copy", "-map_metadata", "-1", "-f", "mp4", path.absolute()])
        except ToolFailedError as error:
            raise MediaError(f"{said} wrote what is no audio that goes into MP4 ({error})") from error
    _check_written(target, path, said)
    late = _samples_late(ffmpeg, pcm, path, target.channels)
    if abs(late) > _IN_TIME:
        raise MediaError(
            f"{said} is heard {1000 * abs(late) / SAMPLE_RATE_HZ:.0f} ms {'late' if late > 0 else 'early'}: its file "
            "does not say the encoder's delay; let it write one that does, such as MP4 with an edit list"
        )


def _check_written(target: AudioTarget, path: Path, said: str) -> None:
    """Refuse an encode that is of another codec, channels or sample rate.

    Raises:
        MediaError: names the difference.
    """
    with open_media(path) as container:
        context = container.streams.audio[0].codec_context
        codec, wanted = context.codec.canonical_name, AUDIO_CODECS[target.codec]
        is_same = codec == ("aac" if wanted.sample_entry == "mp4a" else wanted.name)
        found = f"{codec} of {context.channels} channels at {context.sample_rate} Hz"
        if not is_same or context.channels != target.channels or context.sample_rate != SAMPLE_RATE_HZ:
            asked = f"{target.codec} of {target.channels} at {SAMPLE_RATE_HZ}"
            raise MediaError(f"{said} wrote {found}, not {asked}; correct its command, or the codec in its grid")


def _samples_late(ffmpeg: FFmpeg, pcm: Path, path: Path, channels: int) -> int:
    """How much later an encode is heard than its source, by where the two are most alike; 0 where they are not."""
    width = 6 if channels == 6 else 2
    source = np.memmap(pcm, dtype="<f4", mode="r").reshape(-1, width)[: _LISTEN_S * SAMPLE_RATE_HZ].sum(axis=1)
    raw = read_pcm_bytes(ffmpeg, path, channels, 0.0, len(source) / SAMPLE_RATE_HZ)
    found = np.frombuffer(raw, dtype="<f4").reshape(-1, 2).sum(axis=1)
    size = 2 * len(source)
    alike = np.fft.irfft(np.fft.rfft(found, size) * np.conj(np.fft.rfft(source, size)), size)
    lag, scale = int(alike.argmax()), float(np.linalg.norm(found) * np.linalg.norm(source))
    if not scale or alike[lag] < _ALIKE * scale:
        return 0
    return lag if lag < len(source) else lag - size


@contextlib.contextmanager
def _removed(path: Path) -> Iterator[Path]:
    """A file that is there while it is needed."""
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def read_pcm_bytes(ffmpeg: FFmpeg, path: Path, channels: int, start_s: float, end_s: float) -> bytes:
    """Decode the span [start_s, end_s) of an encoded audio file to raw 32-bit float 48 kHz stereo; 5.1 is mixed down.

    Decoding starts half a second early, because a transform codec's first frame after a seek is incomplete. Samples are
    counted from the stream's own clock: ffmpeg drops whole packets before a seek, and of a lead-in only what it knows
    of the codec.

    Raises:
        ToolFailedError: the file cannot be decoded.
    """
    seek_s = max(0.0, start_s - _SEEK_MARGIN_S)
    length = round(end_s * SAMPLE_RATE_HZ) - round(start_s * SAMPLE_RATE_HZ)
    chain = (
        f"{_STEREO.get(channels, _STEREO[2])},aresample={SAMPLE_RATE_HZ},"
        f"atrim=start_pts={round(start_s * SAMPLE_RATE_HZ)},"
        f"asetpts=N/SR/TB,apad=whole_len={length},atrim=end_sample={length}"
    )
    seek = ["-ss", f"{seek_s:.6f}"] if seek_s else []
    return ffmpeg.run([*INPUT_GUARD, "-copyts", *seek, "-i", path, "-af", chain, *_RAW, "-"])
