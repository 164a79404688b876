"""Extraction on a cluster gives what it gives here, whoever dies on the way; and so it does from a store of objects."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from abr_alloc.location import list_files, read_bytes
from abr_alloc.measure.cache import Cache
from abr_alloc.measure.copies import local_copy
from abr_alloc.measure.extract import ExtractOptions, FailedTitle, extract
from abr_alloc.media.grid import load_grid
from abr_alloc.table.table import FeatureTable, join_tables, read_features, write_features
from abr_alloc.workers.open import open_workers
from abr_alloc.writing import write_bytes


@pytest.fixture(scope="module")
def sources(make_media, clip):
    """Two titles, one of them with a cut."""
    half = "size=96x64:rate=12:duration=1"
    cut = make_media(
        "cut.mp4",
        f"lavfi:testsrc2={half}",
        f"lavfi:color=white:{half},drawgrid=w=16:h=16:c=blue",
        "lavfi:aevalsrc=0.3*sin(2*PI*330*t)|0.2*random(0):s=48000:d=2",
        *("-filter_complex", "[0:v][1:v]concat=n=2:v=1:a=0[v]", "-map", "[v]", "-map", "2:a"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    )
    return [clip, cut]


@pytest.fixture(scope="module")
def grid(tiny_grid):
    return load_grid(str(tiny_grid))


def measure(sources, ffmpeg, cache, grid, scheduler, output):
    """The bytes of the table, and the titles that failed."""
    tables, failed = [], []
    with open_workers(2, scheduler, ffmpeg=ffmpeg) as workers:
        for step in extract(sources, ffmpeg, cache, ExtractOptions(grid=grid), workers):
            if isinstance(step, FeatureTable):
                tables.append(step)
            elif isinstance(step, FailedTitle):
                failed.append(step)
    write_features(join_tables(tables), output)
    return read_bytes(output), failed


@pytest.fixture(scope="module")
def measured_here(sources, ffmpeg, grid, tmp_path_factory):
    """The table that processes of this machine give."""
    folder = tmp_path_factory.mktemp("here")
    content, failed = measure(sources, ffmpeg, Cache(folder / "cache"), grid, None, folder / "f.parquet")
    assert not failed
    return content


def test_the_number_of_workers_does_not_show(cluster, sources, ffmpeg, grid, measured_here, tmp_path):
    for num_workers in (2, 3, 1):
        cluster.scale(num_workers)
        folder = tmp_path / str(num_workers)
        content, failed = measure(sources, ffmpeg, Cache(folder / "cache"), grid, cluster.address, folder / "f.parquet")
        assert not failed
        assert content == measured_here


def test_a_killed_worker_loses_nothing_that_had_finished(cluster, sources, ffmpeg, grid, measured_here, tmp_path):
    cache = Cache(tmp_path / "cache")
    entries: dict[Path, int] = {}
    killed: list[int] = []
    over = threading.Event()

    def kill_one_that_encodes() -> None:
        """A half-done encode says by its name whose it is."""
        while not over.is_set() and not killed:
            finished = list(cache.root.glob("scores/*/[!.]*.npz"))
            encoding = list(cache.root.glob("work/*/.*~*.encode.mp4"))
            if finished and encoding:
                entries.update({path: path.stat().st_mtime_ns for path in finished})
                killed.append(int(encoding[0].name.split("~")[1]))
                os.kill(killed[0], signal.SIGKILL)
            time.sleep(0.001)

    killer = threading.Thread(target=kill_one_that_encodes)
    killer.start()
    try:
        content, failed = measure(sources, ffmpeg, cache, grid, cluster.address, tmp_path / "f.parquet")
    finally:
        over.set()
        killer.join()
    assert killed
    assert not failed
    assert content == measured_here
    # What was measured is not measured again, but for what the killed task itself had just stored.
    assert sum(path.stat().st_mtime_ns != written for path, written in entries.items()) <= 1
    cache.remove_leftovers()  # as the next run does; at this one's end the dead process may still have had its number
    assert not list(cache.encodes.iterdir())
    assert not list((cache.root / "work").iterdir())


@pytest.fixture
def cut_off(clip, tmp_path) -> Path:
    """The clip, half of it."""
    path = tmp_path / "half.mp4"
    path.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    return path


def test_a_source_that_is_cut_off_fails_alone_and_is_named(cluster, clip, cut_off, tiny_grid, tmp_path, run_command):
    tables = tmp_path / "tables"
    tables.mkdir()
    words = ("--grid", tiny_grid, "--cache", tmp_path / "cache", "--scheduler", cluster.address)
    found = run_command("extract", cut_off, clip, "-o", tables, *words)
    assert found.code == 1
    assert "half" in found.stderr
    assert "Traceback" not in found.stderr
    assert [path.name for path in tables.iterdir()] == ["clip.parquet"]
    assert set(read_features(tables / "clip.parquet").frame["title"]) == {"clip"}


def test_an_interrupt_ends_the_command_with_one_line_and_nothing_runs_on(
    forks, cluster, make_media, tiny_grid, tmp_path
):
    moving = ("lavfi:testsrc2=size=320x180:rate=24:duration=4", "-preset", "ultrafast", "-crf", "30")
    looped = ("-stream_loop", "29", "-i", make_media("moving.mp4", *moving, "-c:v", "libx264", "-pix_fmt", "yuv420p"))
    long = make_media("long.mp4", *looped, "lavfi:sine=f=500:r=48000:d=120", "-c:v", "copy", "-c:a", "aac")
    cache = tmp_path / "cache"
    command = ["extract", long, "-o", tmp_path / "f.parquet", "--grid", tiny_grid]
    command += ["--cache", cache, "--preset", "veryslow", "--scheduler", cluster.address]
    running = forks.start(*command, before="import signal; signal.signal(signal.SIGINT, signal.default_int_handler)")
    until_s = time.monotonic() + 60
    while not list(cache.glob("work/*/.*~*.encode.mp4")):
        assert running.poll() is None and time.monotonic() < until_s
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert len(stderr.strip().splitlines()) == 1, stderr  # under the terminal's own ^C
    until_s = time.monotonic() + 5
    while cluster.num_unfinished and time.monotonic() < until_s:
        time.sleep(0.05)
    assert cluster.num_unfinished == 0
    until_s = time.monotonic() + 30  # what a worker was within, and cannot leave at once, takes its folder along
    while list(cache.glob("work/*")) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert subprocess.run(["pgrep", "-f", f"^[^ ]*ffmpeg.*{cache}"], capture_output=True).stdout == b""
    assert not list(cache.glob("encodes/*"))
    assert not list(cache.glob("work/*"))
    # A comparison of two minutes of audio cannot be stopped, and other tests would wait for it.
    cluster.scale(0)


@pytest.fixture
def stored(bucket, sources) -> list[Path]:
    """The titles in a store of objects."""
    places = [bucket / "films" / path.name for path in sources]
    for path, place in zip(sources, places, strict=True):
        write_bytes(place, path.read_bytes())
    return places


@pytest.mark.parametrize("where", ["here", "cluster"])
def test_sources_cache_and_output_may_lie_in_a_store(
    where, bucket, stored, tiny_grid, measured_here, run_command, in_threads, request
):
    cluster = ["--scheduler", request.getfixturevalue("cluster").address] if where == "cluster" else ["--jobs", "1"]
    output = bucket / "out" / "f.parquet"
    words = ("--grid", tiny_grid, "--cache", bucket / "cache", *cluster)
    found = run_command("extract", *stored, "-o", output, "--keep-encodes", *words)
    assert (found.code, found.stderr) == (0, f"{output}: 2 titles, 3 scenes, 6 video and 3 audio rows\n")
    assert read_bytes(output) == measured_here
    files = [path for path, _ in list_files(bucket)]
    kept = [path.name for path in files if path.parts[:2] == ("cache", "kept")]
    assert sorted(kept) == sorted(2 * ["aac-2ch-b=48k.mp4", "h264-48x32-crf=28-fast.mp4", "h264-96x64-crf=28-fast.mp4"])
    assert not [path for path in files if path.name.startswith(".") or "mark" in path.name]
    assert list(Cache(bucket / "cache").encodes.iterdir()) == []  # scratch, and empty again
    # The second time everything is in the cache: nothing is written but the table.
    sizes = dict(list_files(bucket))
    found = run_command("extract", *stored, "-o", output, "--keep-encodes", *words)
    assert found.code == 0
    assert dict(list_files(bucket)) == sizes
    found = run_command("plan", output, "--budget", "300k", "--json")
    assert found.code == 0


def test_a_folder_in_a_store_gets_a_table_per_title(bucket, stored, tiny_grid, run_command, in_threads):
    words = ("--grid", tiny_grid, "--cache", bucket / "cache", "--audio-only", "--jobs", "1")
    assert run_command("extract", *stored, "-o", bucket / "tables", *words).code == 0
    assert sorted(path.name for path, _ in list_files(bucket / "tables")) == ["clip.parquet", "cut.parquet"]


def test_a_text_in_a_store_is_refused_by_its_url(bucket, tiny_grid, run_command):
    place = bucket / "film.mp4"
    write_bytes(place, b"no film")
    found = run_command("extract", place, "-o", bucket / "f.parquet", "--grid", tiny_grid, "--cache", bucket / "cache")
    assert found.code == 1
    assert found.error_line() == f"error: {place} is text, not media; give a media file"


def test_a_bucket_that_is_not_there_is_named_before_any_work(bucket, stored, tiny_grid, tmp_path, run_command):
    none = "s3://there-is-none"
    words = ("--grid", tiny_grid)
    cases = {
        ("-o", f"{none}/f.parquet", "--cache", bucket / "cache"): f"{none}/f.parquet cannot be written: The specified",
        ("-o", bucket / "f.parquet", "--cache", f"{none}/c"): f"the cache {none}/c cannot be written: The specified",
    }
    for places, text in cases.items():
        found = run_command("extract", stored[0], *places, *words)
        assert found.code == 1
        assert text in found.error_line()
    assert [path.parts[0] for path, _ in list_files(bucket)] == ["films", "films"]


def test_without_an_answer_of_a_scheduler_nothing_begins(clip, tiny_grid, tmp_path, run_command):
    words = ("--grid", tiny_grid, "--cache", tmp_path / "cache", "--scheduler", "http://localhost:1")
    found = run_command("extract", clip, "-o", tmp_path / "f.parquet", *words)
    assert found.code == 1
    assert found.error_line().startswith("error: no Dask scheduler answers at http://localhost:1")


def test_doctor_measures_a_cache_in_a_store(bucket, run_command):
    import json

    import numpy as np

    Cache(bucket / "cache").put("ab12", {"x": np.arange(3)})
    found = json.loads(run_command("doctor", "--json", "--cache", bucket / "cache").stdout)["cache"]
    assert (found["path"], found["num_entries"], found["kept_bytes"]) == (str(bucket / "cache"), 1, 0)
    assert found["size_bytes"] > 0
    document = json.loads(run_command("doctor", "--json", "--cache", "s3://there-is-none/c").stdout)
    (extracting,) = [one for one in document["commands"] if one["name"] == "extract"]
    assert "s3://there-is-none/c" in str(extracting["missing"])


def test_a_copy_is_shared_by_all_tasks_of_a_machine(bucket, stored):
    with local_copy(stored[0], Cache(bucket / "c").copies) as path:
        assert path.parent.parent == Path(os.environ["ABR_ALLOC_SCRATCH"]) / "copies"
