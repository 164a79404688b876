"""Logs of libvmaf: taken where they are of this rendition and model, in every format that libvmaf writes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from abr_alloc.errors import VmafLogError
from abr_alloc.measure.video import FRAME_METRICS, FrameScores, score_frames
from abr_alloc.measure.vmaf_log import RUN_FRAMES, RUNS, Span, read_log, sample_runs, take_log

NUM_FRAMES = 72
SIZE = "128x96"
SOURCE = ("-f", "lavfi", "-i", f"testsrc2=size={SIZE}:rate=24:duration=3,format=yuv420p")
RENDITION = ("-f", "lavfi", "-i", f"testsrc2=size={SIZE}:rate=24:duration=3,boxblur=2,format=yuv420p")


@pytest.fixture(scope="module")
def score_spans(ffmpeg, tmp_path_factory):
    """Frames of the rendition scored as a title of their own."""

    def score(spans: Sequence[Span]) -> FrameScores:
        chosen = "+".join(f"between(n,{first},{end - 1})" for first, end in spans)
        cut = f"select='{chosen}',setpts=N"
        return score_frames(ffmpeg, [RENDITION, SOURCE], cut, cut, tmp_path_factory.mktemp("run"))

    return score


@pytest.fixture(scope="module")
def make_log(ffmpeg, tmp_path_factory) -> Callable[..., Path]:
    """A log of the rendition as ffmpeg's filter writes it."""

    def make(log_format: str, model: str = "version=vmaf_v0.6.1", options: str = "", rendition=RENDITION) -> Path:
        folder = tmp_path_factory.mktemp("log")
        graph = f"[0:v][1:v]libvmaf=model='{model}':log_fmt={log_format}:log_path=vmaf.log{options}"
        ffmpeg.run([*rendition, *SOURCE, "-lavfi", graph, "-f", "null", "-"], cwd=folder)
        return folder / "vmaf.log"

    return make


@pytest.fixture(scope="module")
def json_log(make_log) -> Path:
    return make_log("json")


@pytest.mark.parametrize("log_format", ["json", "xml", "csv"])
def test_a_log_in_any_format_is_what_scoring_gives(make_log, score_spans, log_format):
    calls = []

    def counted(spans: Sequence[Span]) -> FrameScores:
        calls.append(spans)
        return score_spans(spans)

    taken = take_log(make_log(log_format), counted, NUM_FRAMES)
    whole = score_spans([(0, NUM_FRAMES)])
    np.testing.assert_allclose(taken.values, whole.values, atol=1e-6)
    assert taken.libvmaf_version == whole.libvmaf_version
    # A few short runs were scored, with a frame more at each side for motion2.
    (spans,) = calls
    assert [end - first for first, end in spans] == RUNS * [RUN_FRAMES + 2]


def test_runs_are_spread_and_lie_where_frames_differ():
    values = np.full((1000, 7), 0.5)
    values[150:156, 0] = [0, 1, 0, 1, 0, 1]  # the only place of the first fifth where anything moves
    runs = sample_runs(values)
    # Each with a frame before and behind it in its own fifth.
    assert [(first - 1) // 200 for first, _ in runs] == [end // 200 for _, end in runs] == [0, 1, 2, 3, 4]
    assert all(end - first == RUN_FRAMES for first, end in runs)
    assert runs[0][0] <= 150 < 156 <= runs[0][1]
    assert sample_runs(values) == runs
    assert sample_runs(values[:20]) == [(0, 20)]


def test_a_log_of_libvmaf_1_is_read_by_its_names(json_log, tmp_path):
    """Version 1 wrote names without `integer_`, and its parameters: a file by hand, of a log of today."""
    document = json.loads(json_log.read_text())
    frames = [
        {"frameNum": f["frameNum"], "metrics": {k.removeprefix("integer_"): v for k, v in f["metrics"].items()}}
        for f in document["frames"]
    ]
    old = {"version": "1.3.15", "params": {"model": "model/vmaf_v0.6.1.pkl", "subsample": 1}, "frames": frames}
    path = tmp_path / "old.json"
    path.write_text(json.dumps(old))
    scores = read_log(path, NUM_FRAMES)
    assert scores.libvmaf_version == "1.3.15"
    np.testing.assert_array_equal(scores.values, read_log(json_log, NUM_FRAMES).values)
    for change, message in (
        ({"model": "model/vmaf_4k_v0.6.1.pkl"}, "is of the model 'model/vmaf_4k_v0.6.1.pkl', not of vmaf_v0.6.1"),
        ({"subsample": 3}, "one frame in 3 only"),
    ):
        path.write_text(json.dumps(old | {"params": old["params"] | change}))
        with pytest.raises(VmafLogError, match=re.escape(message)):
            read_log(path, NUM_FRAMES)


@pytest.mark.parametrize(
    ("log_format", "model", "options", "message"),
    [
        ("xml", "version=vmaf_v0.6.1neg", "", r"is of a NEG model \(it has integer_vif_scale0_egl_1\)"),
        ("json", "version=vmaf_v0.6.1neg\\:name=vmaf_neg", "", "is of a NEG model"),
        (
            "json",
            "version=vmaf_4k_v0.6.1",
            "",
            r"frame \d+ has vmaf .* features agree and VMAF does not: .*another model",
        ),
        ("csv", "version=vmaf_v0.6.1\\:enable_transform=true", "", "features agree and VMAF does not"),
        ("json", "version=vmaf_float_v0.6.1", "", r"floating-point extractors \(vif_scale0\)"),
        ("xml", "version=vmaf_v0.6.1", ":n_subsample=4", "one frame in 4 only"),
    ],
)
def test_a_log_of_another_model_or_of_some_frames_is_refused(
    make_log, score_spans, log_format, model, options, message
):
    with pytest.raises(VmafLogError, match=message) as caught:
        take_log(make_log(log_format, model, options), score_spans, NUM_FRAMES)
    assert "\n" not in str(caught.value)


def test_a_log_of_another_rendition_is_refused_with_both_values(make_log, score_spans):
    other = (*RENDITION[:-1], RENDITION[-1].replace("boxblur=2", "boxblur=1"))
    message = r"frame \d+ has vif_scale0 0\.\d{6}, and scored anew 0\.\d{6}; it is a log of another rendition or title"
    with pytest.raises(VmafLogError, match=message):
        take_log(make_log("csv", rendition=other), score_spans, NUM_FRAMES)


def test_a_log_that_is_shifted_by_one_frame_is_refused(json_log, score_spans, tmp_path):
    document = json.loads(json_log.read_text())
    metrics = [frame["metrics"] for frame in document["frames"]]
    moved = [{"frameNum": n, "metrics": m} for n, m in enumerate([*metrics[1:], metrics[-1]])]
    path = tmp_path / "moved.json"
    path.write_text(json.dumps({"frames": moved}))
    with pytest.raises(VmafLogError, match="another rendition or title, or of frames paired"):
        take_log(path, score_spans, NUM_FRAMES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["frames"].pop(), "has 71 frames, and the rendition 72"),
        (lambda d: d["frames"].pop(7), "has frame 8 where frame 7 should be"),
        (lambda d: d["frames"].clear(), "has no frames"),
        (lambda d: [f["metrics"].pop("integer_vif_scale2") for f in d["frames"]], "lacks integer_vif_scale2, features"),
        (lambda d: [f["metrics"].pop("vmaf") for f in d["frames"]], "has no VMAF"),
        (lambda d: d["frames"][9]["metrics"].pop("integer_adm2"), "frame 9 has no integer_adm2"),
        (lambda d: d["frames"][9]["metrics"].update(vmaf=None), "frame 9 has a metric that is no number"),
        (lambda d: d["frames"][9].update(metrics=3), "cannot be read"),
        (lambda d: d.pop("frames"), "cannot be read.*frames"),
        (lambda d: d["frames"][3].update(frameNum="x"), "cannot be read"),
    ],
)
def test_a_log_that_is_not_whole_is_refused(json_log, tmp_path, change, message):
    document = json.loads(json_log.read_text())
    change(document)
    path = tmp_path / "log.json"
    path.write_text(json.dumps(document))
    with pytest.raises(VmafLogError, match=message):
        read_log(path, NUM_FRAMES)


def test_what_is_no_log_is_refused_in_one_line(json_log, make_log, tmp_path):
    path = tmp_path / "log"
    bomb = '<!DOCTYPE a [<!ENTITY b "' + "x" * 100 + '"><!ENTITY c "&b;&b;&b;">]><VMAF version="&c;"/>'
    xml = make_log("xml").read_bytes()
    for data, message in (
        (b"", "neither JSON nor XML nor CSV"),
        (b"\0\1\2" * 400, "neither JSON nor XML nor CSV"),
        (json_log.read_bytes()[:5000], "cannot be read"),
        (xml[:5000], "cannot be read"),
        (make_log("csv").read_bytes()[:-30], "ends within a line"),
        (bomb.encode(), "document type"),
        (b"<a>" * 100_000, "nested more than 64 deep"),
        (b"<MPD/>", "is no log of libvmaf but 'MPD'"),
        (b'{"frames": ' + b"[" * 100_000, "cannot be read"),
        (b'{"frames": [{"frameNum": 0, "metrics": {"vmaf": NaN}}]}', "cannot be read"),
        (b"Frame,vmaf,\n0,9\xff,\n", "cannot be read"),
        (xml.replace(b'frameNum="5"', b'frameNum="-5"'), "is no number of a frame"),
    ):
        path.write_bytes(data)
        with pytest.raises(VmafLogError, match=message) as caught:
            read_log(path, NUM_FRAMES)
        assert "\n" not in str(caught.value)
    for missing in (tmp_path, tmp_path / "none"):
        with pytest.raises(VmafLogError, match=r"is not a file|does not exist"):
            read_log(missing, NUM_FRAMES)


def test_the_columns_are_those_of_scores(json_log):
    values = read_log(json_log, NUM_FRAMES).values
    frame = json.loads(json_log.read_text())["frames"][5]["metrics"]
    assert values.shape == (NUM_FRAMES, len(FRAME_METRICS))
    assert values[5, 4] == frame["integer_motion2"]
    assert values[5, 6] == frame["vmaf"]
