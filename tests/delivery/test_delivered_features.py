"""Delivered streams are measured once, scene by scene, and only beside their own source."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from abr_alloc.audio_families import LISTENER
from abr_alloc.delivery.delivered_features import measure_pairs
from abr_alloc.errors import DeliveryError
from abr_alloc.formats.delivery_record import read_delivery
from abr_alloc.measure.cache import Cache, default_cache_dir
from abr_alloc.measure.extract import Progress
from abr_alloc.media.probe import probe
from abr_alloc.models.checkpoint import Model, load_model


@pytest.fixture
def measured(delivered, film, ffmpeg, in_threads):
    """All steps: `measured(**changes)` of the delivery."""

    def run(folder: Path | None = None, cache: Cache | None = None, model: Model | None = None, **changes):
        delivery = dataclasses.replace(read_delivery(delivered / "delivery.json"), **changes)
        folders = {name: (folder or delivered) / name for name in delivery.stream_names}
        cache = cache or Cache(default_cache_dir())
        return list(
            measure_pairs(
                delivery, folders, probe(film, ffmpeg), ffmpeg, cache, model or load_model("attentive"), jobs=1
            )
        )

    return run


def test_every_pair_is_measured_and_better_streams_are_better(measured):
    *progress, scores = measured()
    avq = scores.avq_mos
    assert all(isinstance(step, Progress) for step in progress)
    assert set(avq) == {
        (f"video/{v}", f"audio/{a}")
        for v in ("64x36-40k", "128x72-100k", "128x72-160k")
        for a in ("aac-32k", "aac-64k")
    }
    for audio in ("audio/aac-32k", "audio/aac-64k"):
        by_video = [avq[f"video/{v}", audio] for v in ("64x36-40k", "128x72-100k", "128x72-160k")]
        assert by_video == sorted(by_video)
    vmaf = [scores.vmaf[f"video/{v}"] for v in ("64x36-40k", "128x72-100k", "128x72-160k")]
    assert 0.0 <= vmaf[0] < vmaf[1] < vmaf[2] <= 100.0


def test_what_was_measured_is_not_measured_again(measured):
    first = measured()[-1]
    assert measured() == [first]


def test_audio_is_heard_by_the_family_that_the_model_reads(measured):
    own = load_model("attentive")
    model = dataclasses.replace(own, card={**own.card, "audio_feature_version": LISTENER.version})
    by_visqol = measured()[-1]
    *progress, scores = measured(model=model)
    assert progress and all("audio" in step.label for step in progress), "videos are scored already"
    assert scores.avq_mos.keys() == by_visqol.avq_mos.keys() and scores.vmaf == by_visqol.vmaf
    assert all(1.0 <= mos <= 5.0 for mos in scores.avq_mos.values())
    assert measured(model=model) == [scores] and measured() == [by_visqol]


def test_names_of_streams_do_not_count_but_their_bytes(measured, delivered, tmp_path):
    """A video under another's name has that other's score."""
    copied = Path(shutil.copytree(delivered, tmp_path / "out"))
    (copied / "video" / "64x36-40k").rename(tmp_path / "low")
    (copied / "video" / "128x72-100k").rename(copied / "video" / "64x36-40k")
    (tmp_path / "low").rename(copied / "video" / "128x72-100k")
    before, after = measured()[-1].avq_mos, measured(copied)[-1].avq_mos
    audio = "audio/aac-32k"
    assert after["video/128x72-100k", audio] < after["video/64x36-40k", audio]
    assert after["video/128x72-160k", audio] == before["video/128x72-160k", audio]


def test_a_stream_that_has_not_the_sources_frames_is_refused(measured, tmp_path):
    with pytest.raises(DeliveryError, match=r"video/\S+ has 312 frames, the source 311; encode the ladder again"):
        measured(num_frames=311, cache=Cache(tmp_path / "cache"))


def test_nothing_but_entries_is_left_in_the_cache(measured):
    measured()
    root = default_cache_dir()
    assert list((root / "work").iterdir()) == []
    assert [path for path in root.rglob("*") if path.is_file() and path.suffix != ".npz"] == []
