"""Errors come back from a worker process as they were raised there."""

from __future__ import annotations

import inspect
import pickle

import pytest

from abr_alloc import errors

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.AbrAllocError)]
SCENE = errors.InfeasibleScene(
    title="film", scene=3, budget_kbps=100.0, video_kbps=90.0, audio_kbps=32.0, total_kbps=124.4
)
ARGUMENTS = {
    errors.ToolFailedError: (["/usr/bin/ffmpeg", "-i", "x"], 1, "no such file\nand more"),
    errors.InfeasibleBudgetError: ([SCENE],),
    errors.FailedTitlesError: ([("film", "it is cut off")], 2),
}


def make(kind: type[errors.AbrAllocError]) -> errors.AbrAllocError:
    """An error with every attribute that it can have."""
    names = [p.name for p in inspect.signature(kind.__init__).parameters.values() if p.kind is p.KEYWORD_ONLY]
    values: dict[str, object] = {name: f"its {name}" for name in names} | ({"number": 7} if "number" in names else {})
    return kind(*ARGUMENTS.get(kind, ("what happened; what to do",)), **values)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_survives_pickling_with_its_text_and_attributes(kind):
    error = make(kind)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(copy) is kind
    assert str(copy) == str(error)
    assert copy.args == error.args
    assert copy.__dict__ == error.__dict__


def test_some_errors_have_attributes():
    assert make(errors.ClusterError).__dict__ == {"address": "its address", "worker": "its worker"}
    assert len(KINDS) == sum(name.endswith("Error") for name in errors.__all__)
