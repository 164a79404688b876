"""Audio features: the project's own ViSQOL beside visqol-python, called once per view and rendition, in one run.

    python benchmarks/audio.py [--clip FILE] [--seconds S] [--renditions N] [--no-plain] [--json FILE]

The clip is synthesised (tones and noise whose loudness moves, both sides different) unless --clip names one; its
renditions are AAC at 16, 64, 32, 128, 48, 96 and 192 kbps, the first N of them. One thread each. Methods:

- ours: one `AudioReference`, and one `score` per rendition; the reference's share is counted in full.
- visqol-python: a `VisqolManager` that is ready, `run_from_signals` for every view and rendition. With its compiled
  parts (numba), and without them (`has_numba` answers no, as where numba is not installed); without, one rendition.
- listener: one `ListenerReference`, the other family of audio features, and one `score` per rendition; a view is a
  quarter of it.

Each is warmed up with a second of sound, and then they take turns; a method's time is its least of three (one without
numba). Cold: a fresh process that imports and scores one second of sound, with numba's cache empty and then filled.
The difference is the largest over all features and both MOS, before rounding to six digits for visqol-python.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for variable in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402 (after the threads are set)
from results import write_results  # noqa: E402

from abr_alloc.listener.hearing import ListenerReference  # noqa: E402
from abr_alloc.media.audio_encoding import encode_audio, read_pcm_bytes  # noqa: E402
from abr_alloc.media.ffmpeg import find_ffmpeg  # noqa: E402
from abr_alloc.media.grid import AudioTarget  # noqa: E402
from abr_alloc.media.probe import probe  # noqa: E402
from abr_alloc.media.sound import decode_audio  # noqa: E402
from abr_alloc.targets import Target  # noqa: E402
from abr_alloc.visqol.score import AudioReference  # noqa: E402

RATES_KBPS = (16, 64, 32, 128, 48, 96, 192)
SAMPLE_RATE_HZ = 48_000

OURS = "from abr_alloc.visqol.score import AudioReference; AudioReference(x).score(x * 0.9 + y)"
THEIRS = (
    "from visqol import VisqolApi; a = VisqolApi(); a.create(mode='audio');"
    "[a.measure_from_arrays(v, v * 0.9 + y[:, 0], 48000) for v in (x[:, 0], x[:, 1], x.mean(1), x[:, 0] - x[:, 1])]"
)
SECOND = (
    "import numpy as np; g = np.random.default_rng(0); x = .1 * g.normal(size=(48000, 2));"
    "y = .01 * g.normal(size=(48000, 2));"
)


def synthesise(seconds: float) -> np.ndarray:
    """Stereo samples, (T, 2)."""
    t = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    rng = np.random.default_rng(7)
    sides = []
    for side in range(2):
        tones = sum(
            np.sin(2 * np.pi * hz * t + side) * np.exp(-3 * (t * 2 % 1)) for hz in (110, 233, 660, 1760 + 50 * side)
        )
        sides.append(0.08 * tones + 0.03 * rng.normal(size=len(t)) * (1 + np.sin(2 * np.pi * (1.3 + side) * t)))
    return np.clip(np.column_stack(sides), -0.99, 0.99)


def make_renditions(clip: Path | None, seconds: float, count: int, folder: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """The source's samples and its renditions', each (T, 2)."""
    ffmpeg, pcm = find_ffmpeg(), folder / "source.f32"
    if clip is None:
        synthesise(seconds).astype("<f4").tofile(pcm)
    else:
        info = probe(clip, ffmpeg)
        decode_audio(info, min(info.duration_s, seconds), pcm)
    source = np.fromfile(pcm, "<f4").reshape(-1, 2).astype(np.float64)
    renditions = []
    for rate in RATES_KBPS[:count]:
        encode = folder / f"{rate}.mp4"
        encode_audio(ffmpeg, pcm, AudioTarget(codec="aac", channels=2, target=str(Target.of_kbps(rate))), encode)
        raw = read_pcm_bytes(ffmpeg, encode, 2, 0.0, len(source) / SAMPLE_RATE_HZ)
        renditions.append(np.frombuffer(raw, "<f4").reshape(-1, 2).astype(np.float64))
    return source, renditions


def views(pcm: np.ndarray) -> list[np.ndarray]:
    left, right = pcm[:, 0], pcm[:, 1]
    return [left, right, (left + right) / 2, (left - right) / 2]


def ours(source: np.ndarray, renditions: list[np.ndarray]) -> np.ndarray:
    """Features and MOS of the mid view, (renditions, 513)."""
    reference = AudioReference(source)
    scores = [reference.score(rendition) for rendition in renditions]
    return np.array([[*score.features, score.visqol_mos] for score in scores])


def listener(source: np.ndarray, renditions: list[np.ndarray]) -> np.ndarray:
    """Features and MOS of the other family, (renditions, 513)."""
    reference = ListenerReference(source)
    scores = [reference.score(rendition) for rendition in renditions]
    return np.array([[*score.features, score.mos] for score in scores])


def visqol_python(source: np.ndarray, renditions: list[np.ndarray]) -> np.ndarray:
    """The same, by visqol-python; NaN for a view that is silent on a side."""
    import importlib.resources

    from visqol.audio_utils import AudioSignal
    from visqol.visqol_manager import VisqolManager

    manager = VisqolManager()
    manager.init(str(importlib.resources.files("visqol").joinpath("model/libsvm_nu_svr_model.txt")))
    rows = []
    for rendition in renditions:
        row: list[float] = []
        mos: list[float] = []
        for reference, degraded in zip(views(source), views(rendition), strict=True):
            if min(np.abs(reference).max(), np.abs(degraded).max()) < 1.5 / 32768:
                row += [np.nan] * 128
                mos.append(np.nan)
                continue
            result = manager.run_from_signals(AudioSignal(reference, 48000), AudioSignal(degraded, 48000))
            row += [*result.fvnsim, *result.fvnsim10, *result.fstdnsim, *result.fvdegenergy]
            mos.append(result.moslqo)
        rows.append([*row, mos[2]])
    return np.array(rows)


def without_numba(function: Callable[[], np.ndarray]) -> np.ndarray:
    import visqol.gammatone
    import visqol.nsim
    import visqol.patch_selector

    modules = (visqol.gammatone, visqol.nsim, visqol.patch_selector)
    answers = [module.has_numba for module in modules]
    try:
        for module in modules:
            module.has_numba = lambda: False
        return function()
    finally:
        for module, answer in zip(modules, answers, strict=True):
            module.has_numba = answer


def timed(function: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    started = time.perf_counter()
    result = function()
    return time.perf_counter() - started, result


def cold_start_s(program: str, folder: Path) -> tuple[float, float]:
    """Seconds of a fresh process: with numba's cache empty, and then filled."""
    environment = dict(os.environ, NUMBA_CACHE_DIR=str(folder))
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), environment.get("PYTHONPATH", "")])
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", SECOND + program], env=environment, check=True)
        seconds.append(time.perf_counter() - started)
    return seconds[0], seconds[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--renditions", type=int, default=3)
    parser.add_argument("--no-plain", action="store_true", help="leave out visqol-python without numba")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, renditions = make_renditions(args.clip, args.seconds, args.renditions, folder)
        second = synthesise(1.0)
        cold = {"ours": cold_start_s(OURS, folder / "ours"), "visqol-python": cold_start_s(THEIRS, folder / "theirs")}
    ours(second, [second * 0.9])
    listener(second, [second + 0.01])
    visqol_python(second, [second * 0.9])
    seconds: dict[str, float] = {}
    for _ in range(3):
        for method, function in (("ours", ours), ("visqol-python", visqol_python), ("listener", listener)):
            took, result = timed(lambda function=function: function(source, renditions))
            seconds[method] = min(took, seconds.get(method, np.inf))
            if method == "ours":
                own = result
            elif method == "visqol-python":
                other = result
    difference = float(np.nanmax(np.abs(own - other)))
    num_views = 4 * len(renditions)
    per_view = {method: took / num_views for method, took in seconds.items()}
    if not args.no_plain:
        took, result = timed(lambda: without_numba(lambda: visqol_python(source, renditions[:1])))
        per_view["visqol-python without numba"] = took / 4
        difference = max(difference, float(np.nanmax(np.abs(own[:1] - result))))
    print(f"{len(source) / SAMPLE_RATE_HZ:.1f} s of stereo, {len(renditions)} renditions, 4 views each")
    for method, took in per_view.items():
        print(f"{method:28} {took:8.4f} s per view and rendition  {took / per_view['ours']:7.1f} x")
    for method, (empty, filled) in cold.items():
        print(f"{method:28} {empty:8.2f} s in a fresh process, {filled:.2f} s once compiled (one second of sound)")
    print(f"largest difference of a feature or MOS: {difference:.1e}")
    own_s = per_view["ours"]
    ratios = {f"faster than {method}": took / own_s for method, took in per_view.items() if "visqol" in method}
    ratios["the listener, faster than ViSQOL"] = own_s / per_view["listener"]
    ratios |= {
        f"faster than visqol-python in a fresh process, {state}": cold["visqol-python"][i] / cold["ours"][i]
        for i, state in enumerate(("compiling", "compiled"))
    }
    write_results(args.json, "audio", ratios, per_view, {"largest difference": difference})


if __name__ == "__main__":
    main()
