"""What scenes offer: one lattice for all, through the probes, never beyond them; nothing that cannot be asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from abr_alloc.allocation.shot_options import list_options
from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition
from abr_alloc.encoders import VideoEncoder, default_encoder

Probes = Mapping[str, tuple[float, float]]
"""Target -> rate, kbps, and AVQ beside the first audio rendition, MOS."""


def scene(
    probes: Mapping[int, Probes],
    *,
    number: int = 0,
    time_s: tuple[float, float] = (0.0, 2.0),
    audio: Sequence[int] = (64, 96),
) -> QualitySurface:
    """A scene from its probes by short side; every dearer audio rendition adds 0.1 MOS."""
    rows = [(side, target, *own) for side, of_size in probes.items() for target, own in of_size.items()]
    video = [
        VideoRendition(codec="h264", width_px=2 * side, height_px=side, target=target, bitrate_kbps=kbps, vmaf=20 * mos)
        for side, target, kbps, mos in rows
    ]
    sound = [AudioRendition(codec="aac", channels=2, target=f"b={k}k", bitrate_kbps=float(k)) for k in audio]
    return QualitySurface(
        title="t",
        scene=number,
        start_s=time_s[0],
        end_s=time_s[1],
        video=tuple(video),
        audio=tuple(sound),
        avq_mos=np.add.outer([mos for *_, mos in rows], 0.1 * np.arange(len(audio))).astype(np.float32),
        total_kbps=np.add.outer([v.bitrate_kbps for v in video], [a.bitrate_kbps for a in sound]) * 1.02,
        x_v=np.zeros((len(video), 1), np.float32),
        x_a=np.zeros((len(sound), 1), np.float32),
    )


THREE = {"crf=40": (100.0, 2.0), "crf=30": (400.0, 3.5), "crf=20": (1600.0, 4.5)}


def test_the_lattice_goes_through_the_probes_in_quarters() -> None:
    (found,) = list_options([scene({240: THREE})], "h264")
    assert found.value.tolist() == np.arange(20, 40.1, 0.25).tolist()
    for target, (kbps, mos) in THREE.items():
        at = int(np.flatnonzero(found.value == float(target[4:]))[0])
        assert str(found.target(at)) == target
        assert found.kbps[0, at] == pytest.approx(kbps)
        assert found.avq_mos[:, 0, at] == pytest.approx([mos, mos + 0.1], abs=1e-6)
        assert found.vmaf[0, at] == pytest.approx(20 * mos)
    assert (np.diff(found.kbps[0]) < 0).all()
    assert (np.diff(found.avq_mos[0, 0]) < 0).all()
    assert str(found.target(1)) == "crf=20.25"


def test_a_scene_offers_only_what_lies_between_its_own_probes() -> None:
    narrow = {"crf=36": (90.0, 2.2), "crf=24": (700.0, 4.0)}
    (found,) = list_options([scene({240: THREE}), scene({240: narrow}, number=1)], "h264")
    offered = found.value[np.isfinite(found.kbps[1])]
    assert (offered.min(), offered.max()) == (24.0, 36.0)
    assert np.isfinite(found.kbps[0]).all()
    assert (found.avq_mos[:, 1][:, ~np.isfinite(found.kbps[1])] == -np.inf).all()


def test_a_size_that_a_scene_lacks_or_has_one_probe_of() -> None:
    both, one = scene({240: THREE, 480: THREE}), scene({240: THREE, 480: {"crf=30": (800.0, 3.9)}}, number=1)
    (found,) = list_options([both, one, scene({240: THREE}, number=2)], "h264")
    assert found.sizes_px == ((480, 240), (960, 480))
    large = found.of_size(1)
    assert found.value[large][np.isfinite(found.kbps[1, large])].tolist() == [30.0]
    assert not np.isfinite(found.kbps[2, large]).any()
    (small,) = list_options([both, one], "h264", sides_px=[(100, 300)])
    assert small.sizes_px == ((480, 240),)


def test_what_cannot_be_asked_for_is_no_option() -> None:
    probes = {**THREE, "shipped": (900.0, 4.9), "crf=many": (1.0, 5.0)}
    (found,) = list_options([scene({240: probes})], "h264")
    assert found.kbps.min() == pytest.approx(100.0)
    assert list_options([scene({240: {"shipped": (900.0, 4.9)}})], "h264") == []
    assert list_options([scene({240: THREE})], "hevc") == []


def test_values_are_those_that_the_encoder_takes() -> None:
    named = {f"{target}@mine": own for target, own in THREE.items()}
    whole = VideoEncoder(name="mine", codec="h264", encoder="h264_nvenc", rate_mode="cq")
    named = {target.replace("crf", "cq"): own for target, own in named.items()}
    usual, mine = list_options(
        [scene({240: {**THREE, **named}})], "h264", encoders={"h264": default_encoder("h264"), "mine": whole}
    )
    assert (usual.encoder, usual.kind, len(usual.value)) == ("", "crf", 81)
    assert (mine.encoder, mine.kind) == ("mine", "cq")
    assert mine.value.tolist() == list(range(20, 41))
    assert str(mine.target(5)) == "cq=25@mine"


def test_rates_that_were_asked_for_are_offered_as_rates() -> None:
    probes = {"b=200k": (190.0, 2.5), "b=800k": (780.0, 3.8)}
    (found,) = list_options([scene({240: probes})], "h264")
    assert found.kind == "b"
    assert (found.value[0], found.value[-1]) == (200.0, 800.0)
    assert (found.kbps[0, 0], found.kbps[0, -1]) == (pytest.approx(190.0), pytest.approx(780.0))
    middle = int(np.flatnonzero(found.value == 396.0)[0])
    assert found.kbps[0, middle] == pytest.approx(190 * (780 / 190) ** (np.log(396 / 200) / np.log(4)))
    assert str(found.target(middle)) == "b=396k"


def test_a_scale_of_a_program_is_offered_in_about_a_hundred_values() -> None:
    probes = {"value=0.1": (2000.0, 4.6), "value=0.9": (100.0, 2.0)}
    (found,) = list_options([scene({240: probes})], "h264")
    assert 60 <= len(found.value) <= 130
    assert np.allclose(np.diff(found.value), 0.01)


def test_where_rates_stand_still_quality_follows_the_value() -> None:
    black = {"crf=40": (12.0, 4.0), "crf=30": (12.0, 4.4), "crf=20": (12.0, 4.6)}
    (found,) = list_options([scene({240: black})], "h264")
    assert found.kbps[0] == pytest.approx(12.0)
    assert found.avq_mos[0, 0, found.value == 40.0] == pytest.approx(4.0, abs=1e-6)
    assert (np.diff(found.avq_mos[0, 0]) < 0).all()


def test_sizes_over_time_lie_between_those_of_the_probes_and_add_up() -> None:
    one = scene({240: {"crf=40": (100.0, 2.0), "crf=20": (1600.0, 4.5)}})
    low, high = (v.identity for v in one.video)
    sizes = {low: np.array([80.0, 40.0, 40.0, 40.0]), high: np.array([2000.0, 400.0, 400.0, 400.0])}
    (found,) = list_options([replace(one, half_second_kbit=sizes)], "h264")
    assert found.half_second_kbit is not None
    (kbit,) = found.half_second_kbit
    assert kbit.sum(axis=1) == pytest.approx(found.kbps[0] * 2.0)
    assert kbit[-1] == pytest.approx(sizes[low])
    assert kbit[0] == pytest.approx(sizes[high])
    assert (kbit[:, 0] / kbit.sum(axis=1) > 0.399).all()
    (untold,) = list_options([replace(one, half_second_kbit={low: sizes[low]})], "h264")
    assert untold.half_second_kbit is None


def test_audio_is_what_all_scenes_have_in_whatever_order() -> None:
    first, second = scene({240: THREE}, audio=(64, 96, 128)), scene({240: THREE}, number=1, audio=(96, 64))
    (found,) = list_options([first, second], "h264")
    assert [target for *_, target in found.audio] == ["b=64k", "b=96k"]
    assert found.avq_mos[0, 1, 0] == pytest.approx(4.6, abs=1e-6)  # 64k is the second scene's second
    assert found.avq_mos[1, 1, 0] == pytest.approx(4.5, abs=1e-6)
