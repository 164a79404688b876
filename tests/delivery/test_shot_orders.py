"""Shots of a ladder become frames of the source, each once; whatever does not fit is told before any work."""

from __future__ import annotations

import dataclasses
import itertools
from fractions import Fraction

import pytest

from abr_alloc.allocation.rendition import Shot, VideoRendition
from abr_alloc.delivery.shot_orders import check_same_shots, shot_ask, shot_encoder, shot_orders
from abr_alloc.encoder_settings import video_encoder_of
from abr_alloc.encoders import default_encoder
from abr_alloc.errors import DeliveryError
from abr_alloc.media.encoder_arguments import Ask

FPS = Fraction(24000, 1001)
H264 = default_encoder("h264")


def video(*shots: tuple[float, float, str], **changes) -> VideoRendition:
    return VideoRendition(
        codec="h264",
        width_px=64,
        height_px=36,
        target="b=100k",
        bitrate_kbps=100.0,
        shots=tuple(
            dataclasses.replace(
                Shot(start_s=a, end_s=b, width_px=64, height_px=36, target=target, bitrate_kbps=100.0), **changes
            )
            for a, b, target in shots
        ),
    )


def test_times_become_the_frames_that_a_scan_cut_at():
    """Scenes of a table end where their last frame does, to the last digit that JSON keeps."""
    cuts = [0, 1, 37, 200]
    spans = [(float(a / FPS), float(b / FPS), "crf=28") for a, b in itertools.pairwise(cuts)]
    orders = shot_orders(video(*spans), H264, FPS, 200)
    assert [(order.first_frame, order.num_frames) for order in orders] == [(0, 1), (1, 36), (37, 163)]
    assert [order.end_frame for order in orders] == cuts[1:]
    assert {order.asked for order in orders} == {"crf=28"}


@pytest.mark.parametrize(
    ("shots", "frames", "reason"),
    [
        ([(0.0, 1.0, "crf=28"), (1.5, 2.0, "crf=28")], 48, "scene 2 .* begins at frame 36 .* end at frame 24"),
        ([(0.0, 1.0, "crf=28"), (0.9, 2.0, "crf=28")], 48, "scene 2 .* begins at frame 22"),
        ([(0.5, 2.0, "crf=28")], 48, "scene 1 .* begins at frame 12"),
        ([(0.0, 1.0, "crf=28"), (1.0, 1.01, "crf=28"), (1.01, 2.0, "crf=28")], 48, "from 1 s to 1.01 s, which is no"),
        ([(0.0, 2.0, "crf=28")], 72, "end at frame 48 and the source at 72"),
        ([(0.0, 2.0, "crf=28")], 40, "end at frame 48 and the source at 40"),
        ([(0.0, 2.0, "crf=99")], 48, "asks for 'crf=99', and h264 takes 0 to 51"),
        ([(0.0, 2.0, "cq=30")], 48, "asks for 'cq=30', a scale that h264 does not have"),
        ([(0.0, 2.0, "old-360p")], 48, "asks for 'old-360p', which h264 cannot be asked for"),
        ([(0.0, 2.0, "crf=nan")], 48, "'crf=nan'"),
    ],
)
def test_what_is_not_all_frames_once_or_asks_for_nothing_is_refused(shots, frames, reason):
    with pytest.raises(DeliveryError, match=reason):
        shot_orders(video(*shots), H264, Fraction(24), frames)


def test_odd_sides_are_refused():
    with pytest.raises(DeliveryError, match=r"scene 1 .* is 63x36, but pictures are coded with even sides"):
        shot_orders(video((0.0, 2.0, "crf=28"), width_px=63), H264, Fraction(24), 48)


def test_renditions_that_are_cut_at_other_scenes_are_refused():
    one, other = video((0.0, 2.0, "crf=28")), video((0.0, 1.0, "crf=28"), (1.0, 2.0, "crf=28"))
    check_same_shots([one, one])
    for pair in ([one, other], [one, dataclasses.replace(one, shots=())]):
        with pytest.raises(DeliveryError, match="are not cut at the same scenes"):
            check_same_shots(pair)


def test_a_shot_is_asked_for_what_its_probes_were():
    assert shot_ask(H264, "crf=24.25") == Ask(mode="crf", number=24.25)
    assert shot_ask(H264, "b=712k") == Ask(mode="vbr", number=712.0)
    by_rate = video_encoder_of("slow", {"codec": "h264", "rate_mode": "vbr-2pass"})
    assert shot_ask(by_rate, "b=712k@slow") == Ask(mode="vbr-2pass", number=712.0)
    capped = video_encoder_of("capped", {"codec": "h264", "delivery": "capped-crf", "max_rate_kbps": 900.0})
    assert shot_ask(capped, "crf=24@capped") == Ask(mode="capped-crf", number=24.0)


def test_its_encoder_is_that_of_its_targets():
    film = video_encoder_of("film", {"codec": "h264", "preset": "slow", "params": "aq-mode=3"})
    assert shot_encoder(video((0.0, 2.0, "crf=28@film")), {"film": film}) == film
    assert shot_encoder(video((0.0, 2.0, "crf=28")), {}) == H264
    with pytest.raises(DeliveryError, match="one stream needs one encoder"):
        shot_encoder(video((0.0, 1.0, "crf=28@film"), (1.0, 2.0, "crf=28")), {"film": film})
