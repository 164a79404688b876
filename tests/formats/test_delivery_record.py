"""What a folder says of itself is read back as it was written, or refused by name: never half read."""

from __future__ import annotations

import copy
import dataclasses
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abr_alloc.errors import DeliveryError
from abr_alloc.formats.delivery_record import Delivery, ShotOrder, delivery_text, read_delivery, write_delivery


@pytest.fixture
def document(order, tmp_path) -> dict:
    write_delivery(order, tmp_path / "delivery.json")
    return json.loads((tmp_path / "delivery.json").read_text())


def read(document, tmp_path):
    (tmp_path / "delivery.json").write_text(json.dumps(document))
    return read_delivery(tmp_path / "delivery.json")


def test_what_is_written_is_read_back(order, tmp_path):
    order = dataclasses.replace(order, title="ü 'x' \n", label="\ud800", source="../a\udce9b.mp4")
    write_delivery(order, tmp_path / "delivery.json")
    assert read_delivery(tmp_path / "delivery.json") == order


def test_the_screen_is_kept_and_a_record_for_televisions_is_as_it_always_was(order, document, tmp_path):
    assert "phones" not in document
    phone = dataclasses.replace(order, phones=1.0)
    write_delivery(phone, tmp_path / "delivery.json")
    assert read_delivery(tmp_path / "delivery.json") == phone
    assert phone.differences(order) == ["screen"]


def test_a_folder_of_before_vmaf_is_read_and_is_the_same_order(order, document, tmp_path):
    rungs = tuple(dataclasses.replace(rung, vmaf=50.0) for rung in order.rungs)
    for rung in document["rungs"]:
        assert rung.pop("vmaf") is None
    old = read(document, tmp_path)
    assert {rung.vmaf for rung in old.rungs} == {None}
    assert not dataclasses.replace(order, rungs=rungs).differences(old)


@pytest.fixture
def shot_order(order) -> Delivery:
    """The order with two shots in every video, a peak that is promised and AVQ of every shot."""
    shots = tuple(
        ShotOrder(first_frame=a, num_frames=b, width_px=64, height_px=36, target="crf=24.25", planned_kbps=90.0)
        for a, b in ((0, 1), (1, 311))
    )
    return dataclasses.replace(
        order,
        videos=tuple(dataclasses.replace(video, shots=shots) for video in order.videos),
        rungs=tuple(dataclasses.replace(rung, shots_mos=(3.5, 2.5)) for rung in order.rungs),
        peak_kbps=400.0,
    )


def test_shots_are_read_back_and_what_was_corrected_of_them_is_the_same_job(shot_order, order, tmp_path):
    first = shot_order.videos[0]
    lower = dataclasses.replace(first.shots[1], corrected="crf=26")
    held = shot_order.with_video(dataclasses.replace(first, shots=(first.shots[0], lower)))
    write_delivery(held, tmp_path / "delivery.json")
    assert read_delivery(tmp_path / "delivery.json") == held
    assert [shot.asked for shot in held.videos[0].shots] == ["crf=24.25", "crf=26"]
    assert not held.differences(shot_order)
    assert dataclasses.replace(shot_order, peak_kbps=300.0).differences(shot_order) == ["peak"]
    other = dataclasses.replace(first.shots[1], target="crf=26")
    assert shot_order.with_video(dataclasses.replace(first, shots=(first.shots[0], other))).differences(shot_order)
    assert order.differences(shot_order)
    assert not {"shots", "shots_mos", "peak_kbps", "corrected"} & set(re.findall(r"\w+", delivery_text(order)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("videos", 0, "shots", 1, "first_frame"), 2),
        (("videos", 0, "shots", 1, "num_frames"), 310),
        (("videos", 0, "shots", 0, "num_frames"), 0),
        (("videos", 0, "shots"), []),
        (("videos", 0, "shots", 0, "target"), "the old one"),
        (("videos", 0, "shots", 0, "corrected"), "crf=high"),
        (("videos", 0, "shots", 0, "planned_kbps"), -1.0),
        (("videos", 0, "shots", 0, "extra"), 1),
        (("videos", 1, "shots", 0, "width_px"), 0),
        (("rungs", 0, "shots_mos"), [3.0]),
        (("peak_kbps",), 0),
    ],
    ids=str,
)
def test_every_field_of_shots_is_checked(path, value, shot_order, tmp_path):
    write_delivery(shot_order, tmp_path / "delivery.json")
    document = json.loads((tmp_path / "delivery.json").read_text())
    *way, last = path
    at = document
    for step in way:
        at = at[step]
    at[last] = value
    with pytest.raises(DeliveryError, match="is damaged"):
        read(document, tmp_path)


@pytest.mark.parametrize("vmaf", [-1.0, 100.5, "good", True, float("nan")])
def test_a_vmaf_that_is_none_is_refused(vmaf, document, tmp_path):
    document["rungs"][0]["vmaf"] = vmaf
    with pytest.raises(DeliveryError, match="is damaged"):
        read(document, tmp_path)


def test_another_rate_for_a_video_is_the_same_job_but_another_preset_is_not(order):
    first = order.videos[0]
    refined = order.with_video(dataclasses.replace(first, asked_kbps=90.0))
    assert refined.videos[0].asked_kbps == 90.0
    assert refined.videos[1:] == order.videos[1:]
    assert not refined.differences(order)
    assert not dataclasses.replace(order, source="elsewhere.mp4", threads=8).differences(order)
    for other in (
        order.with_video(dataclasses.replace(first, preset="slow")),
        order.with_video(dataclasses.replace(first, planned_kbps=90.0)),
        dataclasses.replace(order, source_hash="1" * 64),
        dataclasses.replace(order, language="de"),
        dataclasses.replace(order, ffmpeg_version="8"),
        dataclasses.replace(order, rungs=order.rungs[:2]),
    ):
        assert other.differences(order)


def test_whatever_avq_a_ladder_may_hold_is_read_back(document, tmp_path):
    document["rungs"][0]["avq_mos"] = -0.25
    assert read(document, tmp_path).rungs[0].avq_mos == -0.25


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not readable JSON"),
        ("{", "is not readable JSON"),
        ("[" * 100_000, "is not readable JSON"),
        ("[]", "is no record of `abr-alloc encode`"),
        ('{"command": "ladder"}', "is no record of `abr-alloc encode`"),
        ('{"command": "encode", "schema_version": 2}', "has version 2, this program reads 1"),
        ('{"command": "encode", "schema_version": 1}', "is damaged"),
        (None, "holds no delivery.json; give a folder that `abr-alloc encode -o` finished"),
    ],
    ids=["empty", "cut", "deep", "list", "ladder", "newer", "bare", "none"],
)
def test_what_is_no_record_is_refused(text, message, tmp_path):
    if text is not None:
        (tmp_path / "delivery.json").write_text(text)
    with pytest.raises(DeliveryError, match=message):
        read_delivery(tmp_path / "delivery.json")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("fps",), "0"),
        (("fps",), "1/0"),
        (("fps",), "-25"),
        (("fps",), "fast"),
        (("fps",), 25),
        (("num_frames",), 0),
        (("num_frames",), "312"),
        (("num_frames",), True),
        (("scenes_s",), []),
        (("scenes_s",), [[3.0, 1.0]]),
        (("scenes_s",), [[0.0, 1e9]]),
        (("scenes_s",), [[0.0, float("nan")]]),
        (("weights_s",), [1.0] * 99),
        (("weights_s",), [0.0]),
        (("weights_s",), ["long"]),
        (("weights_s",), ["5.0"]),
        (("scenes_s", 0, 0), False),
        (("title",), None),
        (("videos",), []),
        (("videos",), {"a": 1}),
        (("videos", 0, "name"), "../../etc"),
        (("videos", 0, "name"), "/etc"),
        (("videos", 0, "name"), "video/.."),
        (("videos", 0, "name"), "video/a/../../b"),
        (("videos", 0, "name"), "video/b"),
        (("videos", 0, "name"), ""),
        (("videos", 0, "asked_kbps"), 0),
        (("videos", 0, "asked_kbps"), float("inf")),
        (("videos", 0, "width_px"), 64.5),
        (("audios", 0, "channels"), None),
        (("rungs",), []),
        (("rungs", 0, "video"), "video/c"),
        (("rungs", 0, "audio"), "video/a"),
        (("rungs", 0, "total_kbps"), 0.0),
        (("rungs", 0, "avq_mos"), float("nan")),
        (("rungs", 0, "avq_mos"), "3"),
        (("rungs", 0, "extra"), 1),
        (("videos", 0, "extra"), 1),
        (("audios", 0, "extra"), 1),
    ],
    ids=str,
)
def test_every_field_is_checked(path, value, document, tmp_path):
    at = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    with pytest.raises(DeliveryError, match=r"delivery\.json is damaged \(.+\); encode the ladder again"):
        read(document, tmp_path)


def test_a_field_that_is_missing_is_told(document, tmp_path):
    for name in set(document) - {"schema_version", "command", "weights_s"}:
        with pytest.raises(DeliveryError, match=rf"is damaged \(object missing required field {name}\); encode"):
            read({key: value for key, value in document.items() if key != name}, tmp_path)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_anywhere_is_refused_or_harmless(data, document, tmp_path):
    damaged = copy.deepcopy(document)
    at, key = damaged, None
    while True:
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], (dict, list)) or not at[key] or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = data.draw(ANYTHING)
    try:
        found = read(damaged, tmp_path)
    except DeliveryError as error:
        assert "delivery.json" in str(error)
    else:
        assert found.num_frames > 0
        assert all(rung.total_kbps > 0 for rung in found.rungs)


def test_a_folder_of_before_digests_has_scenes_that_stand_for_themselves(document, order, tmp_path):
    del document["weights_s"]
    assert read(document, tmp_path).weights_s == ()
    weighed = dataclasses.replace(order, weights_s=(9.0,) * len(order.scenes_s))
    assert weighed.differences(order) == ["ladder"]
