"""A ladder becomes streams: each rendition once, all on one clock, and nothing lost when the work is cut off."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from abr_alloc.media.bitstream import Fragment
from abr_alloc.media.cmaf import read_segments
from abr_alloc.media.programs import find_program
from abr_alloc.media.segments import join_segments

from ..forked_command import RUN_COMMAND, Started

STREAMS = ["audio/aac-32k", "audio/aac-64k", "video/128x72-100k", "video/128x72-160k", "video/64x36-40k"]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, but for where the source lay."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    record = json.loads(found.pop("delivery.json"))
    record.pop("source")
    return found | {"delivery.json": json.dumps(record).encode()}


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every file of finished streams."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for name in STREAMS
        for path in (folder / name).glob("*.m[4p]*")
    }


# What is delivered.


def test_every_rendition_is_encoded_once_and_the_audio_decoded_once(spy, film, film_ladder, run_command, tmp_path):
    words = ("--ladder", film_ladder, "-o", tmp_path / "out", "--ffmpeg", spy.path, "--jobs", "2")
    assert run_command("encode", film, *words).code == 0
    assert sorted(str(p.parent.relative_to(tmp_path / "out")) for p in tmp_path.rglob("init.mp4")) == STREAMS
    passes = [re.search(r"-b:v (\S+)k .*-pass (\d)", call).groups() for call in spy.calls("libx264")]
    assert sorted(passes) == sorted((kbps, n) for kbps in ("40.000", "100.000", "160.000") for n in "12")
    # Both read what was decoded once, from one place.
    (pcm,) = {re.search(r"-i (\S+\.f32)", call)[1] for call in spy.calls("-c:a aac")}
    assert len(spy.calls("-c:a aac", pcm)) == 2


def test_all_streams_begin_at_0_end_with_the_film_and_are_cut_together(delivered):
    streams = {name: read_segments(delivered / name) for name in STREAMS}
    segment_s = Fraction(6006, 1000)

    def times(fragments: list[Fragment]) -> list[Fraction]:
        return [Fraction(fragment.start, fragment.timescale) for fragment in fragments]

    for name, fragments in streams.items():
        if name.startswith("video"):
            assert times(fragments) == [0, segment_s, 2 * segment_s]
            assert sum(fragment.num_frames for fragment in fragments) == 312
            idr = [Fraction(tick, f.timescale) for f in fragments for tick in f.idr]
            assert idr == [n * Fraction(2002, 1000) for n in range(7)]
        else:
            for n, start in enumerate(times(fragments)):
                assert abs(start - n * segment_s) <= Fraction(1024, 48000)
            end = Fraction(fragments[-1].end, fragments[-1].timescale)
            assert 0 <= end - Fraction("13.013") <= Fraction(1024, 48000)


def test_a_flash_and_a_click_stay_together(make_media, write_ladder, run_command, in_threads, tmp_path):
    """Frame 72 of 24000/1001 is white; a click sounds where it begins, in sample 144144."""
    source = make_media(
        "flash.mkv",
        "lavfi:color=black:size=64x48:rate=24000/1001:duration=8,drawbox=color=white:t=fill:enable='eq(n,72)'",
        "lavfi:aevalsrc='if(between(n,144144,144191),0.9*sin(2*PI*1000*t),0)|0':s=48000:d=8",
        *("-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le"),
    )
    pairs = ["64x48 200 + aac 128", "hevc 64x48 220 + opus 128"]
    if find_program("fdkaac"):
        pairs.insert(0, "64x48 200 + heaac 64")
    ladder = write_ladder(*pairs)
    assert run_command("encode", source, "--ladder", ladder, "-o", tmp_path / "out").code == 0
    flashes, clicks = [], []
    for init in (tmp_path / "out").rglob("init.mp4"):
        join_segments(init.parent, tmp_path / "joined.mp4")
        with av.open(str(tmp_path / "joined.mp4")) as container:
            if container.streams.video:
                frames = [(float(f.time), f.to_ndarray()[:48].mean()) for f in container.decode(video=0)]
                flashes.append(max(frames, key=lambda frame: frame[1])[0])
                assert frames[0][0] == 0.0
            else:
                frames = [(float(f.time), np.abs(f.to_ndarray()).max(axis=0)) for f in container.decode(audio=0)]
                start_s, loudness = max(frames, key=lambda frame: frame[1].max())
                clicks.append(start_s + (loudness > 0.5 * loudness.max()).argmax() / 48000)
                assert frames[0][0] == pytest.approx(0.0, abs=1e-4)
    assert (len(flashes), len(clicks)) == (2, len(pairs))
    assert [*flashes, *clicks] == pytest.approx([3.003] * (2 + len(pairs)), abs=0.002)


def test_rates_are_near_what_was_asked_for(delivered):
    record = json.loads((delivered / "delivery.json").read_text())
    for video in record["videos"]:
        size = sum(path.stat().st_size for path in (delivered / video["name"]).glob("*.m4s"))
        container_kbps = 3.0  # of so small a picture it is a part that counts
        assert 8 * size / 13.013 / 1000 == pytest.approx(video["asked_kbps"] + container_kbps, rel=0.07)


# Cut off and gone on with.


def group_members(group: int) -> set[int]:
    """Processes of a group that run."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, pgrp = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(pgrp) == group and state != "Z":
                found.add(int(entry.name))
    return found


def wait_until(condition, what: str, child: Started | None = None) -> None:
    deadline = time.monotonic() + 240  # a busy machine takes long, and never is one waited for in vain
    while not condition():
        if time.monotonic() > deadline or (child is not None and child.poll() is not None):
            if child is not None:
                child.send_signal(signal.SIGKILL)
                what += f": {child.communicate()}"
            pytest.fail(what)
        time.sleep(0.02)


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="lists processes through /proc")


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=["kill", "term", "ctrl-c"])
def test_an_encode_that_is_cut_off_keeps_what_is_finished_and_goes_on(
    number, spy, forks, film, film_ladder, delivered, run_command, tmp_path
):
    """The dearest video stalls in its second pass; meanwhile all the others are finished."""
    folder = tmp_path / "out"
    words = (film, "--ladder", film_ladder, "-o", folder, "--ffmpeg", spy.path, "--jobs", "2")
    others = [name for name in STREAMS if name != "video/128x72-160k"]
    spy.arm(160)
    child = forks.start("encode", *words, new_session=True)
    wait_until(lambda: spy.stalled.exists() and all((folder / n).is_dir() for n in others), "no stall", child)
    (os.killpg if number == signal.SIGINT else os.kill)(child.pid, number)
    _, stderr = child.communicate(timeout=30)
    wait_until(lambda: not group_members(child.pid), "a process outlived its parent")
    if number == signal.SIGINT:
        assert child.returncode == 130
        assert stderr.lstrip() == "error: interrupted; run the same command again to go on where it stopped\n"
        assert not list((folder / ".abr-alloc").glob("work/*"))
    assert sorted(path.name for path in folder.iterdir()) == [".abr-alloc", "audio", "video"]
    before = stamps(folder)
    assert {str(Path(name).parent) for name in before} == set(others)

    spy.disarm()
    outcome = run_command("encode", *words)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert {name: stamp for name, stamp in stamps(folder).items() if name in before} == before
    assert len(spy.calls("libx264")) == 2
    assert not spy.calls("-c:a aac")
    assert contents(folder) == contents(delivered)
    assert not (folder / ".abr-alloc").exists()


def test_ctrl_c_with_renditions_waiting_is_one_line(spy, forks, film, film_ladder, tmp_path):
    """The pool has workers that run and tasks that wait; neither may answer with a traceback."""
    spy.arm(160)
    words = (film, "--ladder", film_ladder, "-o", tmp_path / "out", "--ffmpeg", spy.path, "--jobs", "1")
    child = forks.start("encode", *words, new_session=True)
    wait_until(spy.stalled.exists, "no stall", child)
    os.killpg(child.pid, signal.SIGINT)
    _, stderr = child.communicate(timeout=30)
    assert child.returncode == 130
    assert stderr.lstrip() == "error: interrupted; run the same command again to go on where it stopped\n"


def test_what_is_finished_is_said_to_be_and_left_alone(film, film_ladder, delivered, run_command, spy):
    before = {path: path.stat().st_mtime_ns for path in delivered.rglob("*")}
    outcome = run_command("encode", film, "--ladder", film_ladder, "-o", delivered, "--ffmpeg", spy.path)
    assert (outcome.code, outcome.stderr) == (0, f"{delivered} is finished already\n")
    assert "Next: abr-alloc verify" in outcome.stdout
    assert {path: path.stat().st_mtime_ns for path in delivered.rglob("*")} == before
    assert not spy.calls("-c:")


def test_a_full_disk_is_told_in_one_line_and_the_same_command_goes_on(
    film, film_ladder, forks, delivered, run_command, tmp_path
):
    """Files may grow to 200 kB: two of the videos fit, the third and the decoded audio do not."""
    folder = tmp_path / "out"
    words = ["encode", film, "--ladder", film_ladder, "-o", folder, "--jobs", "2"]
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); "
    child = forks.run(*words, code=limit + RUN_COMMAND)
    assert child.returncode == 1
    assert child.stderr.lstrip() == (
        f"error: the disk of {folder} takes no more; make room and run the same command again, what is finished is "
        "kept\n"
    )
    left = {path.name for path in folder.rglob("*")}
    assert not left & {"master.m3u8", "manifest.mpd", "video.mp4", "audio.f32"}
    assert run_command(*words).code == 0
    assert contents(folder) == contents(delivered)


def test_a_failing_encoder_is_named_with_its_rendition(film, film_ladder, run_command, ffmpeg, tmp_path):
    broken = tmp_path / "ffmpeg"
    fails = 'case "$*" in *libx264*) echo broken >&2; exit 7;; esac'
    broken.write_text(f"#!/bin/sh\n{fails}\nexec '{ffmpeg.path}' \"$@\"\n")
    broken.chmod(0o755)
    words = ("--ladder", film_ladder, "-o", tmp_path / "out", "--jobs", "1", "--ffmpeg", broken)
    outcome = run_command("encode", film, *words)
    assert outcome.code == 1
    assert re.match(r"error: film\.mp4: video/\S+: ffmpeg failed with exit code 7: broken", outcome.error_line())
    assert not (tmp_path / "out" / "master.m3u8").exists()


def test_a_preset_that_the_encoder_lacks_is_told_before_any_work(film, film_ladder, run_command, tmp_path):
    outcome = run_command("encode", film, "--ladder", film_ladder, "-o", tmp_path / "out", "--preset", "fst")
    assert outcome.code == 1
    assert outcome.error_line().startswith("error: h264 has no preset 'fst'; give one of ultrafast, ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "damage", ["a segment is missing", "a segment is cut off", "the folder is missing", "no master"]
)
def test_what_is_damaged_is_encoded_again_and_nothing_else(damage, film, film_ladder, delivered, run_command, tmp_path):
    folder = Path(shutil.copytree(delivered, tmp_path / "out"))
    stream = folder / "video" / "128x72-100k"
    if damage == "a segment is missing":
        (stream / "00002.m4s").unlink()
    if damage == "a segment is cut off":
        (stream / "00002.m4s").write_bytes((stream / "00002.m4s").read_bytes()[:-9])
    if damage == "the folder is missing":
        shutil.rmtree(stream)
    if damage == "no master":
        (folder / "master.m3u8").unlink()
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("*/*/*.m4s") if path.parent != stream}
    outcome = run_command("encode", film, "--ladder", film_ladder, "-o", folder)
    assert outcome.code == 0, outcome.stderr
    assert ("video/128x72-100k is not whole and is encoded again" in outcome.stderr) == damage.startswith("a segment")
    assert contents(folder) == contents(delivered)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
