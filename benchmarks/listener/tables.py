"""Training tables as the listener hears them: the same rows, their audio encoded and heard anew.

    python -m benchmarks.listener.tables MEDIA_FOLDER OUTPUT_FOLDER [FEATURES.parquet ...]

The tables are benchmarks/features/*.parquet when absent. Rates stay those that were measured; `audio_features`,
`audio_mos` and `audio_spread_mos` are the listener's, and `visqol_mos` goes. A table that is there is not made again.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from abr_alloc.audio_families import LISTENER
from abr_alloc.listener.hearing import ListenerReference
from abr_alloc.media.audio_encoding import encode_audio, read_pcm_bytes
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.ffmpeg import look_at_ffmpeg
from abr_alloc.media.grid import AudioTarget
from abr_alloc.media.probe import probe
from abr_alloc.media.sound import decode_audio
from abr_alloc.table.table import FeatureTable, read_features, write_features

FEATURES = sorted((Path(__file__).parents[1] / "features").glob("*.parquet"))


def hear_title(source: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """The audio rows of a title, (n,), with the listener's columns."""
    ffmpeg = look_at_ffmpeg()
    found = rows.copy()
    with tempfile.TemporaryDirectory() as folder:
        pcm, encoded = Path(folder) / "source.f32", Path(folder) / "encoded.mp4"
        decode_audio(probe(source, ffmpeg), float(rows["end_s"].max()), pcm)
        samples = np.fromfile(pcm, dtype="<f4").reshape(-1, 2)
        references: dict[tuple[float, float], ListenerReference] = {}
        for (codec, channels, target), group in rows.groupby(["codec", "channels", "target"]):
            encode_audio(ffmpeg, pcm, AudioTarget(codec=codec, channels=int(channels), target=target), encoded)
            for index, row in group.iterrows():
                span = float(row["start_s"]), float(row["end_s"])
                if span not in references:
                    first, stop = (round(second * SAMPLE_RATE_HZ) for second in span)
                    references[span] = ListenerReference(samples[first:stop].astype(np.float64))
                raw = read_pcm_bytes(ffmpeg, encoded, int(channels), *span)
                score = references[span].score(np.frombuffer(raw, dtype="<f4").reshape(-1, 2))
                found.at[index, "audio_features"] = score.features
                found.at[index, "audio_mos"] = score.mos
                found.at[index, "audio_spread_mos"] = score.spread_mos
    return found


def hear_table(table: FeatureTable, media: dict[str, Path], processes: int = 2) -> FeatureTable:
    """A table with the audio of its titles heard anew."""
    audio = table.of_kind("audio").assign(audio_spread_mos=np.nan)
    with ProcessPoolExecutor(processes) as pool:
        groups = list(audio.groupby("title"))
        sources = [media[title.removesuffix("-sbr")] for title, _ in groups]
        heard = pd.concat(pool.map(hear_title, sources, [rows for _, rows in groups]))
    frame = pd.concat([table.of_kind("video").assign(audio_spread_mos=np.nan), heard]).drop(columns="visqol_mos")
    metadata = dataclasses.replace(table.metadata, audio_feature_version=LISTENER.version, visqol_version="")
    order = ["title", "scene", "kind", "codec", "height_px", "bitrate_kbps", "target"]
    return FeatureTable(frame.sort_values(order, kind="stable", ignore_index=True), metadata)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("media", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("features", type=Path, nargs="*", default=FEATURES)
    args = parser.parse_args()
    media = {path.stem: path for path in sorted(args.media.rglob("*")) if path.is_file()}
    args.output.mkdir(parents=True, exist_ok=True)
    for path in args.features:
        if not (args.output / path.name).is_file():
            write_features(hear_table(read_features(path), media), args.output / path.name)
            print(path.name, flush=True)


if __name__ == "__main__":
    main()
