"""Planning a catalogue: a table of many scenes, made of the example's real rows, planned whole.

OPENBLAS_NUM_THREADS=1 python benchmarks/catalogue.py [--scenes N] [--commands plan,ladder,relevance] [--json FILE]

Every scene has 6 video and 3 audio renditions of a real scene, spread over its rates and slightly perturbed; ten scenes
are a title. Reported are the largest resident memory of each command; scenes per second of its processor time, from
start to end and without what a single title takes, which is its start-up; where the time of `plan` goes once it has
started (the processor's, shared out by the clock), and the same pairs by the unfolded network (torch, one thread) on
the same machine. `--brief` leaves the last two out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from results import write_results

from abr_alloc.allocation.chosen_rows import chosen_rows
from abr_alloc.allocation.plan import choose_pairs, planning_surfaces
from abr_alloc.allocation.surface import build_surfaces
from abr_alloc.allocation.title_plan import Limits
from abr_alloc.models.checkpoint import Model, load_model
from abr_alloc.models.folded import FoldedFusionNet
from abr_alloc.table.catalogue import open_catalogue, read_table
from abr_alloc.table.parquet import ROW_GROUP_ROWS, file_schema
from abr_alloc.table.table import VIDEO_FEATURES, read_features

EXAMPLE = Path(__file__).parents[1] / "examples" / "clip_features.parquet"
NUM_VIDEO, NUM_AUDIO, SCENES_PER_TITLE = 6, 3, 10
BUDGET = "600k"


def synthesise(path: Path, num_scenes: int) -> None:
    """Write the table, a few thousand scenes at a time."""
    table = read_features(EXAMPLE)
    schema = file_schema(replace(table.metadata, source_hashes={}, credits={}), table.frame.columns)
    scenes = []
    for _, rows in table.frame.groupby(["title", "scene"]):
        video = rows[rows["kind"] == "video"].sort_values("bitrate_kbps")
        audio = rows[rows["kind"] == "audio"].sort_values("bitrate_kbps")
        spread = [
            frame.iloc[np.linspace(0, len(frame) - 1, n).round().astype(int)]
            for frame, n in ((audio, NUM_AUDIO), (video, NUM_VIDEO))
        ]
        scenes.append(pa.concat_tables(pa.Table.from_pandas(f, schema=schema, preserve_index=False) for f in spread))
    per_scene, per_block = NUM_VIDEO + NUM_AUDIO, ROW_GROUP_ROWS // (NUM_VIDEO + NUM_AUDIO) // 10 * 10 + 10
    rng = np.random.default_rng(7)
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[n for n in schema.names if n != "audio_features"],
        write_page_checksum=True,
    ) as out:
        for first in range(0, num_scenes, per_block):
            number = np.arange(first, min(first + per_block, num_scenes))
            block = pa.concat_tables(scenes[i] for i in number // SCENES_PER_TITLE % len(scenes)).combine_chunks()
            out.write_table(perturbed(block, number, per_scene, rng), row_group_size=len(block))


def perturbed(block: pa.Table, number: np.ndarray, per_scene: int, rng: np.random.Generator) -> pa.Table:
    """The rows of some scenes under their own titles, every measurement one percent off."""
    n = len(block)
    scene = np.repeat(number, per_scene)
    columns = {name: block[name].combine_chunks() for name in block.column_names}
    columns["title"] = pa.array([f"title-{i // SCENES_PER_TITLE:07d}" for i in number]).take(
        pa.array(np.repeat(np.arange(len(number)), per_scene))
    )
    columns["scene"] = pa.array(scene % SCENES_PER_TITLE, pa.int32())
    for name in ("bitrate_kbps", *VIDEO_FEATURES):
        values = columns[name].to_numpy(zero_copy_only=False)
        columns[name] = pa.array(np.round(values * rng.uniform(0.99, 1.0, n), 6), pa.float64(), from_pandas=True)
    vectors = columns["audio_features"]
    is_audio = vectors.is_valid().to_numpy(zero_copy_only=False)
    flat = vectors.drop_null().flatten().to_numpy().reshape(-1, 512)
    own = np.zeros((n, 512), np.float32)
    own[is_audio] = np.round(flat * rng.uniform(0.99, 1.0, flat.shape).astype(np.float32), 6)
    columns["audio_features"] = pa.FixedSizeListArray.from_arrays(pa.array(own.ravel()), 512, mask=pa.array(~is_audio))
    return pa.table(list(columns.values()), names=list(columns))


def run(command: str, table: Path, folder: Path) -> dict[str, float]:
    """Processor seconds, start-up included, and largest resident memory of a command, in a process of its own."""
    output = folder / f"{command}.parquet"
    words = ["--budget", BUDGET] if command == "plan" else []
    code = f"""
import resource, sys
from abr_alloc.cli import main
sys.argv = ["abr-alloc", "-q", {command!r}, {str(table)!r}, *{words!r}, "-o", {str(output)!r}]
try:
    main()
except SystemExit as end:
    assert end.code in (0, 3), end.code
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, resident = map(float, found.stdout.split()[-2:])
    rows = pq.read_metadata(output).num_rows
    size = sum(path.stat().st_size for path in folder.glob(f"{command}*") if path != table)
    output.unlink()
    return {"seconds": seconds, "max_rss_mib": resident / 1024, "rows": rows, "output_bytes": size}


def shares(table: Path, folder: Path, model: Model, num_chunks: int) -> dict[str, float]:
    """Seconds per scene of each stage of `plan`, over the first chunks of a table."""
    from abr_alloc.allocation.results import FLAT_TYPES
    from abr_alloc.table.row_writer import RowWriter

    chunks = open_catalogue(table).chunks[:num_chunks]
    member = model.predictor.members[0]
    spent = dict.fromkeys(("reading", "parts", "head", "solver", "writing"), 0.0)
    num_scenes = 0
    clock, began = time.perf_counter, time.process_time()
    original = member._parts, member._head

    def parts(x_a, x_v):  # type: ignore[no-untyped-def]
        started = clock()
        found = original[0](x_a, x_v)
        spent["parts"] += clock() - started
        return found

    def pairs(*arguments):  # type: ignore[no-untyped-def]
        started = clock()
        found = original[1](*arguments)
        spent["head"] += clock() - started
        return found

    member._parts, member._head = parts, pairs
    try:
        with RowWriter(folder / "shares.parquet", FLAT_TYPES, 1) as writer:
            for chunk in chunks:
                started = clock()
                table_rows = read_table(chunk)
                spent["reading"] += clock() - started
                started, before = clock(), spent["parts"] + spent["head"]
                surfaces = planning_surfaces(build_surfaces(table_rows, model), overhead=0.02)
                found = [
                    (chosen_rows(batch.choices, 600.0, model), len(batch.infeasible))
                    for (batch,) in choose_pairs(surfaces, [600.0], Limits())
                ]
                spent["solver"] += clock() - started - (spent["parts"] + spent["head"] - before)
                started = clock()
                for rows, _ in found:
                    writer.write(0, rows)
                spent["writing"] += clock() - started
                num_scenes += sum(len(rows) + left for rows, left in found)
    finally:
        del member._parts, member._head
    # The processor's time in all; asking for it at every stage would cost more than some take.
    share = (time.process_time() - began) / sum(spent.values())
    return {name: share * seconds / num_scenes for name, seconds in spent.items()}


def matrix_seconds(member: FoldedFusionNet) -> float:
    """Seconds per scene of the matrix products alone that a title of this table takes: parts of h1, the head for pairs
    and renditions beside the average, the chosen pairs' own, and the maps of Eq. 7."""
    renditions = NUM_VIDEO + NUM_AUDIO
    rows = SCENES_PER_TITLE * np.array([NUM_VIDEO + 1, NUM_AUDIO + 1, NUM_VIDEO * NUM_AUDIO + renditions + 3, 1])
    of_rows = {"video_embedding.weight": 0, "first.video": 0, "first.audio": 1, "output.weight": 2}
    rng, total = np.random.default_rng(0), 0.0
    for name, matrix in member.weights.items():
        if matrix.ndim == 2:
            n = rows[2 if name.startswith("hidden") else of_rows.get(name, 3)]
            x, columns = rng.random((n, matrix.shape[1]), np.float32), np.ascontiguousarray(matrix.T)
            out = np.empty((n, len(matrix)), np.float32)
            total += repeated(lambda x=x, columns=columns, out=out: np.matmul(x, columns, out=out))
    return total / SCENES_PER_TITLE


def unfolded_seconds() -> dict[str, float]:
    """Seconds per pair of the network as published (queries, keys and softmax included), and as `FusionNet` runs it at
    N = 1, in batches of 512 pairs."""
    import torch

    from abr_alloc.learning.fusionnet import FusionNet, MultiHeadAttention

    torch.set_num_threads(1)
    network = FusionNet().eval()
    x_a, x_v = torch.rand(512, 512), torch.rand(512, 6)

    def published(self: MultiHeadAttention, x: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        def split(t: torch.Tensor) -> torch.Tensor:
            return t.reshape(*t.shape[:-1], self.num_heads, -1).transpose(1, 2)

        heads = torch.nn.functional.scaled_dot_product_attention(
            split(self.query(x)), split(self.key(context)), split(self.value(context))
        )
        return self.out(heads.transpose(1, 2).flatten(-2))

    shortened = MultiHeadAttention.forward
    with torch.inference_mode():
        found = {"unfolded, softmax of one key skipped": min(timed(lambda: network(x_a, x_v)) for _ in range(7)) / 512}
        MultiHeadAttention.forward = published  # type: ignore[method-assign]
        try:
            found["unfolded, as published"] = min(timed(lambda: network(x_a, x_v)) for _ in range(7)) / 512
        finally:
            MultiHeadAttention.forward = shortened  # type: ignore[method-assign]
    return found


def repeated(function) -> float:  # type: ignore[no-untyped-def]
    """Processor seconds of something short, the least of some means over many runs."""
    return min(timed(lambda: [function() for _ in range(500)]) for _ in range(5)) / 500


def timed(function) -> float:  # type: ignore[no-untyped-def]
    started = time.process_time()
    function()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=10_000)
    parser.add_argument("--commands", default="plan,ladder,relevance")
    parser.add_argument("--brief", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    seconds: dict[str, float] = {}
    ratios: dict[str, float] = {}
    figures: dict[str, float] = {"scenes": options.scenes}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table, one_title = folder / "table.parquet", folder / "one.parquet"
        synthesise(table, options.scenes)
        synthesise(one_title, SCENES_PER_TITLE)
        print(f"{options.scenes} scenes, {table.stat().st_size / 1e6:.0f} MB")
        for command in filter(None, options.commands.split(",")):
            start = min(run(command, one_title, folder)["seconds"] for _ in range(3))
            found = run(command, table, folder)
            rate = options.scenes / found["seconds"]
            without = (options.scenes - SCENES_PER_TITLE) / max(found["seconds"] - start, 1e-9)
            print(
                f"{command}: {found['seconds']:.1f} s of processor, {rate:.0f} scenes/s; start-up {start:.2f} s, "
                f"{without:.0f} scenes/s without it; {found['max_rss_mib']:.0f} MiB resident at most, "
                f"{found['rows']:.0f} rows"
            )
            seconds[command], seconds[f"{command}, one title"] = found["seconds"], start
            figures[f"{command}: MiB resident"] = found["max_rss_mib"]
            figures[f"{command}: scenes/s"], figures[f"{command}: scenes/s without start-up"] = rate, without
        if options.brief:
            write_results(options.json, "catalogue", ratios, seconds, figures)
            return
        model = load_model()
        shares(table, folder, model, 1)
        spent = shares(table, folder, model, 8)
    total = sum(spent.values())
    for stage, cost in spent.items():
        print(f"  {stage:8} {1e6 * cost:7.1f} us/scene  {100 * cost / total:3.0f} %")
        seconds[f"plan, {stage}, per scene"] = cost
    products, pairs = matrix_seconds(model.predictor.members[0]), NUM_VIDEO * NUM_AUDIO + NUM_VIDEO + NUM_AUDIO
    print(
        f"  all      {1e6 * total:7.1f} us/scene, {1 / total:.0f} scenes/s once started; its matrix products alone "
        f"{1e6 * products:.1f} us: ratio {total / products:.2f}"
    )
    ratios["plan / its matrix products"] = total / products
    for what, cost in unfolded_seconds().items():
        whole = pairs * cost
        print(
            f"{what}: {1e6 * cost:.1f} us/pair; {1e6 * whole:.0f} us for the {pairs} predictions of a "
            f"scene: {whole / total:.1f} x plan, {whole / (spent['parts'] + spent['head']):.1f} x its predictions"
        )
        ratios[f"plan faster than {what}"] = whole / total
        seconds[f"{what}, per pair"] = cost
    write_results(options.json, "catalogue", ratios, seconds, figures)


if __name__ == "__main__":
    main()
