"""Lines of equal AVQ bound exactly what reaches their level."""

import numpy as np
import pytest

from abr_alloc.allocation.surface import build_surfaces
from abr_alloc.models.checkpoint import load_model
from abr_alloc.reporting.isolines import IsoLine, iso_lines, place_labels
from abr_alloc.table.table import read_features


@pytest.fixture(scope="module")
def scenes(example):
    return list(build_surfaces(read_features(example), load_model()))


def test_a_line_bounds_exactly_the_pairs_that_reach_its_level(scenes) -> None:
    for surface in scenes:
        video = np.array([v.bitrate_kbps for v in surface.video])
        audio = np.array([a.bitrate_kbps for a in surface.audio])
        lines = iso_lines(surface)
        assert 4 <= len(lines) <= 12
        for line in lines:
            assert list(line.video_kbps) == sorted(line.video_kbps, reverse=True)
            assert list(line.audio_kbps) == sorted(line.audio_kbps)
            corners = list(zip(line.video_kbps, line.audio_kbps, strict=True))
            inside = np.array([[any(v >= x and a >= y for x, y in corners) for a in audio] for v in video])
            # What a pair's rates can buy: the best AVQ of all pairs that need no more of either.
            buys = np.array([[surface.avq_mos[np.ix_(video <= v, audio <= a)].max() for a in audio] for v in video])
            assert (inside == (buys >= line.level_mos)).all()


def test_levels_are_round(scenes) -> None:
    levels = [line.level_mos for line in iso_lines(scenes[0])]
    steps = set(np.round(np.diff(levels), 9))
    assert len(steps) == 1
    assert steps <= {0.1, 0.25, 0.5}


def test_labels_keep_their_distance_and_name_the_highest_of_lines_that_leave_together() -> None:
    def line(level: float, kbps: float) -> IsoLine:
        return IsoLine(level_mos=level, video_kbps=(900.0, kbps), audio_kbps=(32.0, 64.0))

    lines = [line(2.0, 100), line(2.5, 100), line(3.0, 105), line(3.5, 200), line(4.0, 201)]
    assert place_labels(lines, 1.2) == [(2.5, 100), (4.0, 200)]
    assert place_labels([], 1.2) == []
