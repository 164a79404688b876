"""Scores that libvmaf gave before: its log taken instead of scoring again, once some frames scored anew say the same.

libvmaf's own JSON, XML and CSV are read, as its `vmaf` program and ffmpeg's filter write them, of version 2 and later
(`integer_adm2`) and of version 1 and its floating-point extractors (`adm2`). The model must be vmaf_v0.6.1. What a log
says of its model is little or nothing, so frames decide: where the features agree and VMAF does not, the model is
another one. Floating-point extractors give VMAF that differs by up to some hundredths, which is refused too.

Axes: F frames of the rendition.
"""

from __future__ import annotations

import csv
import itertools
import math
import stat
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from abr_alloc.errors import MediaError, VmafLogError
from abr_alloc.location import local_mode
from abr_alloc.markup import DamagedMarkup, elements_of
from abr_alloc.measure.video import FRAME_METRICS, FrameScores

__all__ = ["RUNS", "RUN_FRAMES", "TOLERANCE", "Span", "read_log", "sample_runs", "take_log"]

TOLERANCE = 1e-3
"""What a feature or VMAF of the log may differ from what is scored anew. libvmaf writes six digits."""

RUNS, RUN_FRAMES = 5, 8
"""Stretches that are scored anew, spread over the title, and the frames of each that are compared."""

Span = tuple[int, int]
"""The first of some frames, and the first one after them."""

_FEATURES = FRAME_METRICS[:6]
_MODEL = "vmaf_v0.6.1"
_MOST_BYTES = 1 << 30
_MOST_FRAMES = 10_000_000
_HEAD_BYTES = 4096
_ANEW = "drop `vmaf_log` to score it anew"


@dataclass(slots=True)
class _Log:
    """What was read."""

    path: Path
    version: str = ""
    model: str = ""
    subsample: int = 1
    integer: bool = True
    columns: tuple[str, ...] = ()
    frames: array[int] = field(default_factory=lambda: array("q"))
    numbers: array[float] = field(default_factory=lambda: array("d"))  # of every frame, as in `FRAME_METRICS`

    def refused(self, reason: str, then: str = _ANEW) -> VmafLogError:
        return VmafLogError(f"{self.path}: {reason}; {then}", path=str(self.path))

    def begin(self, names: Collection[str]) -> None:
        """Choose the columns by the metrics of the first frame.

        Raises:
            VmafLogError: some are missing.
        """
        self.integer = f"integer_{_FEATURES[0]}" in names or _FEATURES[0] not in names
        keys = [f"integer_{name}" if self.integer else name for name in _FEATURES]
        missing = [key for key in keys if key not in names]
        other = sorted(name for name in names if name.startswith("vmaf_"))
        if any(f"{key}_egl_1" in names for key in keys) and missing:
            raise self.refused(f"is of a NEG model (it has {keys[0]}_egl_1), not of {_MODEL}")
        if missing:
            has = ", ".join(sorted(names)[:6]) or "no metrics"
            raise self.refused(f"lacks {', '.join(missing)}, features of {_MODEL} (it has {has})")
        if "vmaf" not in names:
            found = f"scores {', '.join(other[:3])}" if other else "has no VMAF"
            raise self.refused(f"{found}, not vmaf, as {_MODEL} is called")
        self.columns = (*keys, "vmaf")

    def add(self, frame: int, metrics: Mapping[str, Any]) -> None:
        """Take up a frame.

        Raises:
            VmafLogError: a metric is missing or no number.
        """
        if not self.columns:
            self.begin(metrics.keys())
        try:
            values = [float(metrics[name]) for name in self.columns]
        except KeyError as error:
            raise self.refused(f"frame {frame} has no {error.args[0]}") from None
        except (TypeError, ValueError, OverflowError):
            values = [math.nan]
        if not all(map(math.isfinite, values)):
            raise self.refused(f"frame {frame} has a metric that is no number")
        self.frames.append(frame)
        self.numbers.extend(values)
        if len(self.frames) > _MOST_FRAMES:
            raise self.refused(f"has more than {_MOST_FRAMES} frames", "give the log of one rendition")


def read_log(path: Path, num_frames: int) -> FrameScores:
    """Read a log, unchecked but for what it says itself.

    Args:
        path: libvmaf's JSON, XML or CSV.
        num_frames: frames of the rendition that it is of.

    Returns:
        Scores of every frame; `libvmaf_version` is empty where the log does not tell it (CSV).

    Raises:
        VmafLogError: it cannot be read, lacks a feature, is of another model or of another number of frames.
    """
    return _scores(_read(path), num_frames)


def take_log(path: Path, score_spans: Callable[[Sequence[Span]], FrameScores], num_frames: int) -> FrameScores:
    """Take a log for the scores of a rendition, after a sample of its frames agrees with what is scored anew.

    Args:
        path: libvmaf's JSON, XML or CSV.
        score_spans: scores spans of frames, one after the other in one pass, as frames of one title; called once.
        num_frames: frames of the rendition, F.

    Raises:
        VmafLogError: `read_log` refuses it, or a frame's feature or VMAF differs by more than `TOLERANCE`; the message
            names the frame, the feature and both values.
        MediaError: what was scored anew is not of as many frames.
    """
    log = _read(path)
    scores = _scores(log, num_frames)
    runs = sample_runs(scores.values)
    # `motion2` looks at the frames before and behind, which a span has only inside.
    spans = [(max(0, first - 1), min(num_frames, end + 1)) for first, end in runs]
    anew = score_spans(spans)
    wanted = sum(end - first for first, end in spans)
    if len(anew.values) != wanted:
        raise MediaError(f"{len(anew.values)} of {wanted} frames were scored; give an intact copy", path=str(path))
    at = 0
    for (first, end), (span_first, span_end) in zip(runs, spans, strict=True):
        begin = at + first - span_first
        _compare(log, first, scores.values[first:end], anew.values[begin : begin + end - first])
        at += span_end - span_first
    return FrameScores(values=scores.values, libvmaf_version=log.version or anew.libvmaf_version)


def sample_runs(values: npt.NDArray[np.float64]) -> list[Span]:
    """Which runs of frames to score anew: in each fifth of the title the one in which frames differ most.

    Frames of a still or black picture look alike in logs of any rendition.

    Args:
        values: shape (F, 7), columns as in `FRAME_METRICS`.

    Returns:
        First frame of each run and the first one after, rising, with a frame between two fifths and their runs; the
        whole title where it is short.
    """
    num_frames = len(values)
    if num_frames < RUNS * (RUN_FRAMES + 2):
        return [(0, num_frames)]
    runs = []
    edges = [number * num_frames // RUNS for number in range(RUNS + 1)]
    for first, end in itertools.pairwise(edges):
        inside = values[first + 1 : end - 1, 0]
        windows = np.lib.stride_tricks.sliding_window_view(inside, RUN_FRAMES)  # (f, RUN_FRAMES)
        begin = first + 1 + int(windows.std(axis=1).argmax())
        runs.append((begin, begin + RUN_FRAMES))
    return runs


def _compare(log: _Log, first: int, said: npt.NDArray[np.float64], anew: npt.NDArray[np.float64]) -> None:
    """Hold a run of the log against what was scored anew; both of shape (count, 7).

    Raises:
        VmafLogError: they differ.
    """
    apart = np.abs(said - anew)
    apart[~np.isfinite(apart)] = np.inf
    if apart.max() <= TOLERANCE:
        return
    features_agree = bool((apart[:, :6] <= TOLERANCE).all())
    frame, column = np.argwhere(apart > TOLERANCE)[0]
    if features_agree and log.integer:
        reason = f"the features agree and VMAF does not: it is of another model than {_MODEL} (4K, phone, ...)"
    elif features_agree:
        reason = f"its features are those of the floating-point extractors ({log.columns[0]}), whose VMAF is another"
    else:
        reason = "it is a log of another rendition or title, or of frames paired or scaled in another way"
    raise log.refused(
        f"frame {first + frame} has {FRAME_METRICS[column]} {said[frame, column]:.6f}, and scored anew "
        f"{anew[frame, column]:.6f}; {reason}"
    )


def _scores(log: _Log, num_frames: int) -> FrameScores:
    numbers = np.frombuffer(log.frames, dtype=np.int64) if log.frames else np.zeros(0, dtype=np.int64)
    if log.model and Path(log.model).stem not in (_MODEL, ""):
        raise log.refused(f"is of the model {log.model!r}, not of {_MODEL}")
    if not len(numbers):
        raise log.refused("has no frames")
    steps = np.diff(numbers)
    step = int(steps[0]) if len(steps) and (steps == steps[0]).all() else 1
    if log.subsample > 1 or step > 1:
        raise log.refused(f"has one frame in {max(log.subsample, step)} only (n_subsample); all are needed")
    if numbers[0] != 0 or (steps != 1).any():
        at = int(np.argmax(steps != 1)) + 1 if numbers[0] == 0 else 0
        raise log.refused(f"has frame {numbers[at]} where frame {at} should be")
    if len(numbers) != num_frames:
        raise log.refused(f"has {len(numbers)} frames, and the rendition {num_frames}", f"give its own log, or {_ANEW}")
    values = np.frombuffer(log.numbers, dtype=np.float64).reshape(num_frames, len(FRAME_METRICS))
    return FrameScores(values=values, libvmaf_version=log.version)


def _read(path: Path) -> _Log:
    """Read a log of any of the three formats.

    Raises:
        VmafLogError: it cannot be read.
    """
    log = _Log(path=path)
    try:
        if not stat.S_ISREG(local_mode(path)):  # nor a pipe, which might never end
            raise log.refused("is not a file" if local_mode(path) else "does not exist", "check the path")
        if path.stat().st_size > _MOST_BYTES:
            raise log.refused(f"is larger than {_MOST_BYTES >> 30} GiB", "give the log of one rendition")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
        if head.startswith(b"{"):
            _read_json(log)
        elif head.startswith(b"<"):
            _read_xml(log)
        elif head.startswith(b"Frame,"):
            _read_csv(log)
        else:
            raise log.refused("is no log of libvmaf: neither JSON nor XML nor CSV", "give one")
    except (msgspec.MsgspecError, DamagedMarkup, csv.Error, UnicodeDecodeError, RecursionError) as error:
        raise log.refused(f"cannot be read: {error}", "is it whole?") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise log.refused(f"cannot be read: {reason}", "check the path") from error
    return log


class _Params(msgspec.Struct):
    model: str = ""
    subsample: int = 1


class _Frame(msgspec.Struct):
    number: Annotated[int, msgspec.Meta(ge=0, le=_MOST_FRAMES)] = msgspec.field(name="frameNum")
    metrics: msgspec.Raw


class _Document(msgspec.Struct):
    frames: list[_Frame]
    version: str = ""
    params: _Params = msgspec.field(default_factory=_Params)


def _read_json(log: _Log) -> None:
    # Metrics stay text until it is their turn: as dicts, those of two hours would take a gigabyte.
    document = msgspec.json.decode(log.path.read_bytes(), type=_Document)
    log.version, log.model, log.subsample = document.version, document.params.model, document.params.subsample
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for frame in document.frames:
        log.add(frame.number, decode(frame.metrics))


def _read_xml(log: _Log) -> None:
    with log.path.open("rb") as file:
        for number, (name, has) in enumerate(elements_of(file)):
            if number == 0 and name != "VMAF":
                raise log.refused(f"is no log of libvmaf but {name!r}", "give one")
            if name == "VMAF":
                log.version = has.get("version", "")
            elif name == "params":
                log.model = has.get("model", "")
                log.subsample = _whole(log, has.get("subsample", "1"))
            elif name == "frame":
                log.add(_whole(log, has.get("frameNum", "")), {k: v for k, v in has.items() if k != "frameNum"})


def _read_csv(log: _Log) -> None:
    with log.path.open(encoding="ascii", newline="") as file:
        rows: Iterator[list[str]] = csv.reader(file)
        header = next(rows)
        for row in rows:
            if len(row) != len(header) or row[-1]:  # every line ends with a comma
                raise log.refused("ends within a line", "is it whole?")
            log.add(_whole(log, row[0]), {k: v for k, v in zip(header[1:-1], row[1:-1], strict=True) if v})


def _whole(log: _Log, text: str) -> int:
    if not text.isdecimal() or len(text) > 12:
        raise log.refused(f"{text[:20]!r} is no number of a frame")
    return int(text)
