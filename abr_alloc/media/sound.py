"""A source's sound: decoded once, placed on the title's clock sample by sample, as 32-bit float 48 kHz stereo or 5.1.

Every frame lies where its time says. What is missing is silence and is counted; a clock that runs apart from its
samples is followed, one that jitters about them is not. Layout and rate may change on the way: every frame is mixed by
its own.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import numpy.typing as npt

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.container import open_media
from abr_alloc.media.mix import stereo_matrix, surround_matrix
from abr_alloc.media.probe import MediaInfo
from abr_alloc.writing import written_whole

__all__ = ["SoundFacts", "decode_audio", "survey_audio"]

Samples = npt.NDArray[np.float32]

_MAX_DRIFT_S, _JITTER_S, _LASTING_S = 0.015, 0.1, 0.3
"""A clock is followed when it is apart from its samples by more than the first, seconds: containers round times to
milliseconds, and a frame that is lost is 20 ms or more. Up to the second it must stay apart for as long as the third:
times of Vorbis in WebM jitter by a frame."""

_PREROLL_S = (1.0, 10.0)
"""How far before the wanted start decoding begins, seconds: a transform codec's first frames are incomplete. Where that
is not enough, it begins at the beginning."""

_BLOCK = SAMPLE_RATE_HZ  # samples that are written at once
_FULL_SCALE = 1.0


@dataclass(slots=True, kw_only=True)
class SoundFacts:
    """What came out of a source's sound."""

    num_samples: int = 0
    """Samples of 48 kHz that are the source's own, silence for missing ones not counted."""
    num_errors: int = 0
    """Packets that could not be decoded."""
    num_clipped: int = 0
    """Samples beyond full scale, after mixing."""
    peak: float = 0.0
    """Largest magnitude, full scale 1."""
    gaps_s: list[tuple[float, float]] = field(default_factory=list)
    """Where sound is missing between two frames: start and length, seconds."""
    changes: list[tuple[float, str]] = field(default_factory=list)
    """Layouts with the time from which each holds, seconds: the first, then where it changes."""
    channels: int = 0
    """Most channels of any frame, mixed to no more than 2."""


@dataclass(frozen=True, slots=True)
class _Block:
    """Samples (2 or 6, T) with the place of their first one at 48 kHz from the title's first instant."""

    at: int
    samples: Samples


def decode_audio(
    info: MediaInfo,
    duration_s: float,
    path: Path,
    *,
    start_s: float = 0.0,
    from_beginning: bool = False,
    channels: int = 2,
) -> SoundFacts:
    """Write a source's sound as raw 32-bit float 48 kHz stereo, or 5.1, from `start_s` for exactly `duration_s`.

    In stereo mono becomes two equal channels, and more than two are mixed down (`mix.py`). 5.1 is FL FR FC LFE SL SR.
    Gaps and a short end are filled with silence, so that audio and video share one clock.

    Args:
        info: the source.
        duration_s: length, seconds.
        path: what to write.
        start_s: first instant, seconds of the title.
        from_beginning: decode all that lies before, as where a seek cannot be trusted.
        channels: 2 or 6.

    Raises:
        UnsupportedMediaError: it cannot be decoded, or has channels that cannot be mixed.
    """
    first, num_samples = round(start_s * SAMPLE_RATE_HZ), round(duration_s * SAMPLE_RATE_HZ)
    facts = SoundFacts()
    with written_whole(path) as partial, partial.open("wb") as file:
        written = 0
        for block in _placed(info, facts, start_s=0.0 if from_beginning else start_s, channels=channels):
            offset = block.at - first
            part = block.samples[:, max(0, written - offset) : max(0, num_samples - offset)]
            if not part.shape[1]:
                if offset >= num_samples:
                    break
                continue
            _write_silence(file, max(0, offset) - written, channels)
            written = max(written, offset) + part.shape[1]
            file.write(np.ascontiguousarray(part.T).tobytes())
        _write_silence(file, num_samples - written, channels)
    return facts


def survey_audio(info: MediaInfo, duration_s: float) -> SoundFacts:
    """Decode all of a source's sound and keep nothing but what there is to say of it.

    Raises:
        As `decode_audio`.
    """
    facts = SoundFacts()
    for block in _placed(info, facts, start_s=0.0, channels=2):
        if block.at >= duration_s * SAMPLE_RATE_HZ:
            break
    return facts


def _write_silence(file: Any, num_samples: int, channels: int) -> None:
    while num_samples > 0:
        file.write(bytes(4 * channels * min(num_samples, _BLOCK)))
        num_samples -= _BLOCK


def _placed(info: MediaInfo, facts: SoundFacts, *, start_s: float, channels: int) -> Iterator[_Block]:
    """The sound from about `start_s` on, in rising order."""
    if len(info.audio_indices) == 1:
        blocks = _decoded(info, info.audio_indices[0], facts, start_s, channels)
    else:
        tracks = [_decoded(info, index, facts, start_s, 2) for index in info.audio_indices]
        blocks = _side_by_side(tracks, max(0, math.floor((start_s - 1.0) * SAMPLE_RATE_HZ)))
    for block in blocks:
        loud = np.abs(block.samples)
        facts.num_samples += block.samples.shape[1]
        facts.num_clipped += int(np.count_nonzero(loud > _FULL_SCALE))
        facts.peak = max(facts.peak, float(loud.max(initial=0.0)))
        yield block


def _side_by_side(tracks: Sequence[Iterator[_Block]], done: int) -> Iterator[_Block]:
    """Mono tracks as left and right from a sample on, second by second; where one has nothing, it is silent."""
    waiting: list[Samples] = [np.zeros((1, 0), dtype=np.float32) for _ in tracks]  # from `done` on
    ends = [False for _ in tracks]
    while not all(ends) or any(part.shape[1] for part in waiting):
        for number, track in enumerate(tracks):
            while not ends[number] and waiting[number].shape[1] < _BLOCK:
                block = next(track, None)
                if block is None:
                    ends[number] = True
                    break
                offset = block.at - done
                part, kept = block.samples[:1, max(0, -offset) :], waiting[number]
                gap = np.zeros((1, max(0, offset - kept.shape[1])), dtype=np.float32)
                waiting[number] = np.concatenate([kept, gap, part], axis=1)
        size = max(part.shape[1] for part in waiting) if all(ends) else _BLOCK
        padded = [np.pad(part[:, :size], ((0, 0), (0, max(0, size - part.shape[1])))) for part in waiting]
        if size:
            yield _Block(done, np.concatenate(padded[:2], axis=0))
        waiting = [part[:, size:] for part in waiting]
        done += size


class _Mixer:
    """Turns frames of one layout and rate into stereo or 5.1 samples at 48 kHz."""

    def __init__(self, frame: Any, info: MediaInfo, channels: int) -> None:
        self.form = (frame.layout.name, frame.sample_rate, frame.format.name)
        self.names = [channel.name for channel in frame.layout.channels]
        matrix = (stereo_matrix if channels == 2 else surround_matrix)(self.names)
        if matrix is None:
            raise UnsupportedMediaError(
                f"{info.path} has {len(self.names)} audio channels ({frame.layout.name}), of which no stereo mix is "
                "known; give a stereo or 5.1 track, or choose one with `audio_track`",
                path=str(info.path),
            )
        self._matrix = matrix
        # Packed: of eight planes PyAV reads a ninth, which is not there.
        self._resampler = av.AudioResampler(format="flt", layout=frame.layout, rate=SAMPLE_RATE_HZ)

    def take(self, frame: Any | None) -> Samples:
        """Samples (2 or 6, T) that a frame leads to; with None the last ones."""
        frames = self._resampler.resample(frame)
        if not frames:
            return np.zeros((len(self._matrix), 0), dtype=np.float32)
        packed = np.concatenate([part.to_ndarray().reshape(-1) for part in frames])
        return np.asarray(self._matrix @ packed.reshape(-1, len(self.names)).T, dtype=np.float32)


def _decoded(info: MediaInfo, index: int, facts: SoundFacts, start_s: float, channels: int) -> Iterator[_Block]:
    """One track from a little before `start_s` on."""
    mixer: _Mixer | None = None
    at = 0  # where the mixer's next sample lies
    end_s = Fraction(0)  # where the next frame begins if no sound is missing
    for frame, moved_s in _on_the_clock(_frames(info, index, facts, start_s), info.zero_s):
        form = (frame.layout.name, frame.sample_rate, frame.format.name)
        if mixer is None or mixer.form != form or moved_s:
            if mixer is not None:
                yield _Block(at, mixer.take(None))
                if moved_s > 0:
                    facts.gaps_s.append((float(end_s), float(moved_s)))
            end_s += moved_s
            if not facts.changes or (mixer is not None and mixer.form[0] != form[0]):
                facts.changes.append((float(end_s), frame.layout.name))
            mixer = _Mixer(frame, info, channels)
            facts.channels = max(facts.channels, min(2, len(mixer.names)))
            at = round(end_s * SAMPLE_RATE_HZ)
        end_s += Fraction(frame.samples, frame.sample_rate)
        frame.pts = None  # the resampler counts samples; where they lie is known here
        samples = mixer.take(frame)
        yield _Block(at, samples)
        at += samples.shape[1]
    if mixer is not None:
        yield _Block(at, mixer.take(None))


def _on_the_clock(frames: Iterator[Any], zero_s: Fraction) -> Iterator[tuple[Any, Fraction]]:
    """Frames with how far each must be moved from where the one before ends, seconds: mostly 0."""
    waiting: deque[tuple[Any, Fraction]] = deque()  # with how far the clock is apart from the samples
    corrected = counted = Fraction(0)

    def is_apart(drift_s: Fraction) -> bool:
        moved_s = drift_s - corrected
        if abs(moved_s) <= _MAX_DRIFT_S:
            return False
        lasting = all((later - corrected) * (1 if moved_s > 0 else -1) > _MAX_DRIFT_S for _, later in waiting)
        return abs(moved_s) > _JITTER_S or lasting

    def settle() -> tuple[Any, Fraction]:
        nonlocal corrected
        frame, drift_s = waiting.popleft()
        moved_s = drift_s - corrected if not started or is_apart(drift_s) else Fraction(0)
        corrected += moved_s
        return frame, moved_s

    started = False
    waiting_s = 0.0
    for frame in frames:
        drift_s = corrected if frame.pts is None else frame.pts * Fraction(frame.time_base) - zero_s - counted
        waiting.append((frame, drift_s))
        counted += Fraction(frame.samples, frame.sample_rate)
        waiting_s += frame.samples / frame.sample_rate
        while waiting_s > _LASTING_S:
            settled = settle()
            waiting_s -= settled[0].samples / settled[0].sample_rate
            yield settled
            started = True
    while waiting:
        yield settle()
        started = True


def _frames(info: MediaInfo, index: int, facts: SoundFacts, start_s: float) -> Iterator[Any]:
    """Decoded frames; from the last place before `start_s` that is proved by the time of the frame found there."""
    prerolls = [preroll for preroll in _PREROLL_S if start_s - preroll > 0]
    for preroll in [*prerolls, math.inf]:
        with open_media(info.path) as container:
            stream = container.streams[index]
            if preroll < math.inf:
                wanted = Fraction(start_s - preroll) + info.zero_s
                container.seek(int(wanted / Fraction(stream.time_base or 1)), stream=stream)
            frames = _decode(container, stream, facts)
            first = next(frames, None)
            if first is None and preroll < math.inf:
                continue
            late = first is not None and (
                first.pts is None or first.pts * Fraction(first.time_base) - info.zero_s > start_s - preroll / 2
            )
            if late and preroll < math.inf:
                continue
            if first is not None:
                yield first
            yield from frames
            return


def _decode(container: Any, stream: Any, facts: SoundFacts) -> Iterator[Any]:
    """Frames of a stream; what cannot be decoded is counted and left out."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError:  # the file is damaged from here on
            facts.num_errors += 1
            return
        if packet.stream_index != stream.index:  # a cover comes by itself
            continue
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            facts.num_errors += packet.size > 0  # a header comes as an empty packet in some containers
