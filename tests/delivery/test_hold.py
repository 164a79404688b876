"""Short titles: what missed its rate is encoded once more at a corrected one, and nothing else is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from abr_alloc.delivery.folder import DeliveryFolder
from abr_alloc.delivery.hold import SHORT_TITLE_S, hold_rates
from abr_alloc.delivery.publish import read_variants
from abr_alloc.formats.delivery_record import RECORD_NAME, read_delivery

FAST = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "6", "-pix_fmt", "yuv420p", "-c:a", "aac")
NOISE = "lavfi:anoisesrc=c=pink:d=3:a=0.3:seed=1"
MISSES = re.compile(r"largest miss ([+-]\d+\.\d) %, now ([+-]\d+\.\d) %")


@pytest.fixture(scope="module")
def drifting(make_media) -> Path:
    """3 s of slowly drifting colours, of which x264's second pass takes more than it is given."""
    return make_media("drifting.mp4", "lavfi:gradients=size=426x240:rate=25:speed=0.05:seed=3:duration=3", NOISE, *FAST)


@pytest.fixture
def encode(run_command, in_threads, tmp_path):
    def run(source, ladder, *words):
        return run_command("encode", source, "--ladder", ladder, "-o", tmp_path / "out", "--jobs", "1", *words)

    return run


def deviations(folder: Path) -> list[float]:
    """Measured rates of the rungs over planned ones, minus 1."""
    delivery = read_delivery(folder / RECORD_NAME)
    variants = read_variants(delivery, folder)
    return [v.average_bits_per_s / 1000 / rung.total_kbps - 1 for v, rung in zip(variants, delivery.rungs, strict=True)]


def test_a_short_title_keeps_the_tolerance_of_verify_and_says_how(encode, drifting, write_ladder, tmp_path):
    ladder = write_ladder("426x240 60 + aac 32", "426x240 400 + aac 32")
    outcome = encode(drifting, ladder)
    assert outcome.code == 0
    first, second = json.loads((tmp_path / "out" / RECORD_NAME).read_text())["videos"]
    assert first["asked_kbps"] < 0.95 * first["planned_kbps"]
    assert second["asked_kbps"] == second["planned_kbps"]
    assert max(map(abs, deviations(tmp_path / "out"))) <= 0.05
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("drifting.mp4: 3.0 s are too short for an encoder to hold its rates, so 1 of 2 videos were")
    before, after = map(float, MISSES.search(line).groups())
    assert before > 5.0 >= abs(after)


def test_a_finished_folder_is_left_as_it_is(encode, drifting, write_ladder, tmp_path):
    ladder = write_ladder("426x240 60 + aac 32")
    encode(drifting, ladder)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    outcome = encode(drifting, ladder)
    assert outcome.stderr.splitlines() == [f"{tmp_path / 'out'} is finished already"]
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_a_picture_that_needs_less_than_it_is_given_is_not_encoded_again(encode, make_media, write_ladder, tmp_path):
    source = make_media("still.mp4", "lavfi:color=gray:size=96x64:rate=25:duration=3", NOISE, *FAST)
    outcome = encode(source, write_ladder("96x64 300 + aac 32"))
    assert (outcome.code, outcome.stderr) == (0, "")
    (video,) = json.loads((tmp_path / "out" / RECORD_NAME).read_text())["videos"]
    assert video["asked_kbps"] == video["planned_kbps"]
    assert deviations(tmp_path / "out")[0] < -0.5


def test_longer_titles_are_not_looked_at(order, ffmpeg, tmp_path):
    assert order.num_frames / 24 >= SHORT_TITLE_S
    absent = DeliveryFolder(tmp_path / "absent")  # would be missed if it were read
    assert list(hold_rates(order, None, absent)) == []
