"""Encoders that are no ffmpeg: a program with its arguments, frames in as y4m, one file out.

ffmpeg reads the source, and the program gets what an encoder of ffmpeg would: the normalised frames at the rendition's
size. No shell sees a command, and a placeholder is replaced within its word, so nothing of a name or a number becomes
another argument. The program runs in a folder of its own. What it writes may be any container or elementary stream
that ffmpeg reads; it is copied into MP4 and believed only as far as it was looked at: codec, size, frames, frame rate.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from abr_alloc.encoders import AudioEncoder, VideoEncoder
from abr_alloc.errors import MediaError, OutputError, ToolFailedError, ToolMissingError
from abr_alloc.media.coding import gop_frames
from abr_alloc.media.container import open_media
from abr_alloc.media.elementary import TIMELESS, write_timed
from abr_alloc.media.encoder_arguments import Ask
from abr_alloc.media.ffmpeg import INPUT_GUARD, FFmpeg
from abr_alloc.media.programs import find_program, owned_by, run_program, stop_children

__all__ = ["Frames", "encode_by_command", "fill_command", "find_written", "require_command"]

_PLACEHOLDER = re.compile(r"\{(\w+)\}(\.\w+)?")
_SAME_RATE = 0.001
_END_S = 3.0  # for ffmpeg to end once its frames are read
_COUNTED = re.compile(rb"^frame=(\d+)$", flags=re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """What a program is to encode."""

    source: tuple[str | Path, ...]
    """Input options of the source, and the choice of its video."""
    chain: str
    """Filters up to the rendition's size."""
    samples: str
    """ffmpeg's name of the samples."""
    fps: Fraction
    """Frames per second."""
    width_px: int
    """Width, pixels."""
    height_px: int
    """Height, pixels."""
    num_frames: int
    """How many there are, roughly: so much room is looked for."""

    @property
    def size_bytes(self) -> int:
        """Size of them all, uncompressed, of 4:2:0."""
        return self.num_frames * self.width_px * self.height_px * 3 // 2 * (2 if "10" in self.samples else 1)


def require_command(encoder: VideoEncoder | AudioEncoder) -> str:
    """Where the program of a command lies.

    Raises:
        ToolMissingError: it is not there.
    """
    program = find_program(encoder.command[0])
    if program is None:
        raise ToolMissingError(
            f"the program {encoder.command[0]!r} of the encoder {encoder.name!r} is not there; install it, or correct "
            "the grid",
            tool=encoder.command[0],
        )
    return str(Path(program).absolute())


def encode_by_command(
    ffmpeg: FFmpeg, encoder: VideoEncoder, ask: Ask, frames: Frames, path: Path, *, threads: int
) -> None:
    """Encode to an MP4 file.

    Args:
        ffmpeg: the program that reads the source.
        encoder: with its command.
        ask: the value or the rate.
        frames: what to encode.
        path: what to write; the program runs in a folder beside it.
        threads: how many the program may take, where its command asks for them.

    Raises:
        ToolMissingError: its program is not there.
        ToolFailedError: it exited with another code than 0, or stood still.
        MediaError: it wrote nothing, or something else than was asked for.
        OutputError: the disk has no room for the frames.
    """
    with tempfile.TemporaryDirectory(prefix="encoder.", dir=path.absolute().parent) as folder:
        _encode(ffmpeg, encoder, ask, frames, path.absolute(), threads, Path(folder))


def _encode(
    ffmpeg: FFmpeg, encoder: VideoEncoder, ask: Ask, frames: Frames, path: Path, threads: int, work_dir: Path
) -> None:
    program, y4m = require_command(encoder), work_dir / "source.y4m"
    known = {
        "y4m": str(y4m),
        "value": f"{ask.number:.10g}",
        "kbps": f"{ask.number:.10g}",
        "gop": str(gop_frames(frames.fps, encoder.gop_s)),
        "threads": str(threads),
    }
    command = [program, *fill_command(encoder.command[1:], known, work_dir)]
    if encoder.y4m == "file":
        _require_room(encoder, frames, work_dir)
    feed = _piped(ffmpeg, frames, y4m) if encoder.y4m == "pipe" else _written(ffmpeg, frames, y4m)
    with feed as counted:
        run_program(command, stall_s=ffmpeg.stall_s, cwd=work_dir)
    written = find_written(encoder.command, work_dir)
    if written is None:
        raise MediaError(f"{_named(encoder)} ended well and wrote nothing to {{out}}; run it by hand to see why")
    _take(ffmpeg, encoder, frames, written, path)
    _check(encoder, frames, path, counted[0])


def _require_room(encoder: VideoEncoder, frames: Frames, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if frames.size_bytes > free:
        raise OutputError(
            f"the frames for {_named(encoder)} take {frames.size_bytes / 1e9:.1f} GB, and the disk of {folder.parent} "
            f'has {free / 1e9:.1f} GB left; make room, or give y4m = "pipe" in its grid'
        )


def _named(encoder: VideoEncoder) -> str:
    return f"the encoder {encoder.name!r} ({Path(encoder.command[0]).name})"


def find_written(command: Sequence[str], work_dir: Path) -> Path | None:
    """What a command wrote to `{out}`, or to `{out}.mp4`: a program may know its format by it. None where it wrote
    nothing."""
    suffixes = [match[2] or "" for word in command for match in _PLACEHOLDER.finditer(word) if match[1] == "out"]
    outputs = (work_dir / f"encode{suffix}" for suffix in dict.fromkeys(suffixes))
    return next((output for output in outputs if output.is_file() and output.stat().st_size), None)


def fill_command(command: Sequence[str], known: Mapping[str, str], work_dir: Path) -> list[str]:
    """A command with its placeholders replaced by what is `known`, and `{out}` by a file in a folder."""
    return [_filled(word, known, work_dir) for word in command]


def _filled(word: str, known: Mapping[str, str], work_dir: Path) -> str:

    def replaced(match: re.Match[str]) -> str:
        suffix = match[2] or ""
        return str(work_dir / f"encode{suffix}") if match[1] == "out" else known[match[1]] + suffix

    return _PLACEHOLDER.sub(replaced, word)


def _feed(ffmpeg: FFmpeg, frames: Frames, y4m: Path) -> int:
    """Write the frames, and return how many there were."""
    told = ffmpeg.run(
        [*frames.source, "-vf", f"{frames.chain},format={frames.samples}", "-fps_mode", "passthrough"]
        # Samples of more than 8 bits are an extension of y4m.
        + ["-progress", "pipe:1", "-stats_period", "3600", "-strict", "-1", "-f", "yuv4mpegpipe", y4m]
    )
    counted = _COUNTED.findall(told)
    return int(counted[-1]) if counted else 0


@contextlib.contextmanager
def _written(ffmpeg: FFmpeg, frames: Frames, y4m: Path) -> Iterator[list[int]]:
    """The frames as a file."""
    try:
        yield [_feed(ffmpeg, frames, y4m)]
    finally:
        y4m.unlink(missing_ok=True)


@contextlib.contextmanager
def _piped(ffmpeg: FFmpeg, frames: Frames, y4m: Path) -> Iterator[list[int]]:
    """The frames through a named pipe, written while the block runs; counted when it has ended."""
    os.mkfifo(y4m)
    # Held open for reading: ffmpeg opens it whether or not the program ever does, and ends when both are gone.
    held = os.open(y4m, os.O_RDONLY | os.O_NONBLOCK)
    counted, failed = [0], list[BaseException]()

    def write() -> None:
        try:
            with owned_by(str(y4m)):
                counted[0] = _feed(ffmpeg, frames, y4m)
        except BaseException as error:  # told by the thread that waits
            failed.append(error)
        finally:
            with contextlib.suppress(OSError):  # a program that waits for the first frame sees that none will come
                os.close(os.open(y4m, os.O_WRONLY | os.O_NONBLOCK))

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield counted
    finally:
        os.close(held)
        writer.join(_END_S)
        if writer.is_alive():  # it came to open the pipe when nobody was there to read it any more
            stop_children(str(y4m))
            writer.join()
    if failed and not isinstance(failed[0], ToolFailedError):
        raise failed[0]
    if failed:
        raise MediaError("the program ended before it had read all frames") from failed[0]


def _take(ffmpeg: FFmpeg, encoder: VideoEncoder, frames: Frames, written: Path, path: Path) -> None:
    """Copy an encode into MP4."""
    try:
        with open_media(written) as container:
            name = container.format.name.partition(",")[0]
    except MediaError as error:
        raise MediaError(f"{_named(encoder)} wrote what is no video that can be read ({error})") from error
    tag = "hvc1" if encoder.codec == "hevc" else ""
    if name in TIMELESS:
        write_timed(written, frames.fps, path, tag=tag)
        return
    rate = ["-framerate", f"{frames.fps.numerator}/{frames.fps.denominator}"] if name == "obu" else []
    ffmpeg.run(
        [*INPUT_GUARD, *rate, "-i", written, "-map", "0:v:0", "-c", "copy", *(["-tag:v", tag] if tag else [])]
        + ["-map_metadata", "-1", "-video_track_timescale", str(frames.fps.numerator * _scale(frames.fps))]
        + ["-f", "mp4", path]
    )


def _scale(fps: Fraction) -> int:
    """Makes ticks fine enough for a player's clock, and frames whole numbers of them."""
    return max(1, 10_000 // fps.numerator)


def _check(encoder: VideoEncoder, frames: Frames, path: Path, num_frames: int) -> None:
    """Refuse an encode that is not of the frames that were given.

    Raises:
        MediaError: it is of another codec, size, length or frame rate.
    """
    with open_media(path) as container:
        stream = container.streams.video[0]
        codec = stream.codec_context.codec.canonical_name
        size = stream.codec_context.width, stream.codec_context.height
        times = sorted(float(p.pts * p.time_base) for p in container.demux(stream) if p.size and p.pts is not None)
    said = f"{_named(encoder)} wrote"
    if codec != encoder.codec:
        raise MediaError(f"{said} {codec}, not {encoder.codec}; correct the codec in its grid")
    if size != (frames.width_px, frames.height_px):
        wanted = f"{frames.width_px}x{frames.height_px}"
        raise MediaError(f"{said} {size[0]}x{size[1]} pixels for frames of {wanted}; leave scaling out of its command")
    if len(times) != num_frames:
        raise MediaError(f"{said} {len(times)} frames for {num_frames}; leave out what drops or repeats frames")
    if num_frames > 1:
        fps = (num_frames - 1) / (times[-1] - times[0]) if times[-1] > times[0] else 0.0
        if abs(fps / float(frames.fps) - 1.0) > _SAME_RATE:
            raise MediaError(
                f"{said} {fps:.3f} frames/s for {float(frames.fps):.3f}; let it keep the rate of its input"
            )
