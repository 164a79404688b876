"""Comparison on held-out contents: nothing leaks, nothing is lost, nothing is computed twice."""

import dataclasses

import numpy as np
import pytest

from abr_alloc.errors import FeatureTableError, OwnSystemError, UnknownSystemError
from abr_alloc.learning.cross_validation import check_trainable, compare, cross_validate, grouped_folds
from abr_alloc.learning.dataset import TrainingSet
from abr_alloc.learning.fusionnet import FusionNetConfig
from abr_alloc.learning.ratings import from_ratings
from abr_alloc.learning.registry import SYSTEMS, find_systems
from abr_alloc.learning.systems import NetworkSystem
from abr_alloc.learning.training import TrainingConfig

pytestmark = pytest.mark.usefixtures("few_resamples")

CHEAP = [name for name, system in SYSTEMS.items() if not isinstance(system, NetworkSystem)]
QUICK = TrainingConfig(network=FusionNetConfig(num_hidden_layers=1, d_model=64, d_ff=64), num_steps=5)


@pytest.fixture(scope="module")
def data(make_ratings) -> TrainingSet:
    return from_ratings(make_ratings(5))


class Spy:
    """A system that remembers what it was shown and predicts a constant."""

    name, label = "spy", "spy"

    def __init__(self) -> None:
        self.seen: list[list[str]] = []

    def fit(self, data, contents, seed):
        self.seen.append(list(contents))
        return self

    def predict(self, data, pairs):
        return np.full(len(pairs), 3.0)


def test_folds_share_out_all_contents_once() -> None:
    contents = [f"c{i}" for i in range(11)]
    folds = grouped_folds(contents, 5)
    assert sorted(name for fold in folds for name in fold) == sorted(contents)
    assert max(map(len, folds)) - min(map(len, folds)) <= 1
    assert folds == grouped_folds(contents, 5)
    assert grouped_folds(contents, None) == [[name] for name in sorted(contents)]


@pytest.mark.parametrize(
    ("num", "folds", "word"), [(1, 5, "two contents"), (1, None, "two contents"), (3, 5, "3 contents")]
)
def test_too_few_contents_are_refused(num: int, folds: int | None, word: str) -> None:
    with pytest.raises(FeatureTableError, match=word):
        grouped_folds([f"c{i}" for i in range(num)], folds)


def test_no_system_sees_what_it_is_tested_on(data: TrainingSet) -> None:
    spy, folds = Spy(), grouped_folds(data.contents, None)
    held = cross_validate(spy, data, folds)
    assert [set(data.contents) - set(seen) for seen in spy.seen] == [set(fold) for fold in folds]
    assert not np.isnan(held.predicted).any()


@pytest.mark.parametrize("name", CHEAP)
def test_labels_of_a_held_out_content_do_not_change_its_predictions(data: TrainingSet, name: str) -> None:
    (system,) = find_systems([name])
    first = data.contents[:1]
    own = data.content == first[0]
    spoilt = dataclasses.replace(data, mos=np.where(own, 1.0, data.mos))
    one, other = (cross_validate(system, d, [first]).predicted[own] for d in (data, spoilt))
    assert one == pytest.approx(other)


@pytest.mark.parametrize("name", [name for name in CHEAP if name not in ("p1203", "product-best-guess")])
def test_fitted_systems_follow_the_ratings(data: TrainingSet, name: str) -> None:
    (result,) = compare(find_systems([name]), data, grouped_folds(data.contents, None))
    assert result.scores["plcc"].value > 0.9
    assert result.scores["plcc"].low <= result.scores["plcc"].value <= result.scores["plcc"].high
    assert result.scores["rmse"].value < 10.0  # points of 100


def test_what_a_fold_predicted_is_read_back(data: TrainingSet, tmp_path) -> None:
    folds = grouped_folds(data.contents, 5)
    first = cross_validate(find_systems(["svr-2f"])[0], data, folds, store=tmp_path)
    spy = Spy()
    spy.fit = lambda *_: pytest.fail("trained again")  # type: ignore[method-assign]
    again = cross_validate(find_systems(["svr-2f"])[0], data, folds, store=tmp_path, on_fitted=spy.fit)
    assert np.array_equal(first.predicted, again.predicted)
    assert first.ablated is not None
    assert again.ablated is not None
    assert np.array_equal(first.ablated, again.ablated)


def test_other_data_damaged_folds_and_other_settings_are_computed_again(data: TrainingSet, tmp_path) -> None:
    folds = grouped_folds(data.contents, 2)
    quick = NetworkSystem(name="ca", label="ca", kind="ca", config=QUICK)
    other = dataclasses.replace(quick, config=dataclasses.replace(QUICK, num_steps=6))
    shifted = dataclasses.replace(data, mos=data.mos - 0.1)
    done: list[object] = []
    for system, what, expected in ((quick, data, 2), (quick, data, 0), (other, data, 2), (other, shifted, 2)):
        done.clear()
        cross_validate(system, what, folds, store=tmp_path, on_fitted=done.append)
        assert len(done) == expected
    next(tmp_path.glob("*fold1*")).write_bytes(b"cut off")
    done.clear()
    cross_validate(other, shifted, folds, store=tmp_path, on_fitted=done.append)
    assert len(done) == 1


def test_seeds_are_averaged_and_told_apart(data: TrainingSet) -> None:
    system = NetworkSystem(name="ca", label="ca", kind="ca", config=QUICK)
    (result,) = compare([system], data, grouped_folds(data.contents, 2), num_seeds=2)
    assert len(result.by_seed) == 2
    assert result.by_seed[0]["rmse"] != result.by_seed[1]["rmse"]
    assert result.scores["relevance_spearman:change_norm"].value == pytest.approx(
        result.scores["relevance_spearman:change_norm"].value, nan_ok=True
    )


def test_excluding_audio_takes_its_stimuli_away(data: TrainingSet) -> None:
    kept = data.without_audio_below(32.0)
    assert len(kept.pairs) == len(data.pairs) * 2 // 3
    with pytest.raises(FeatureTableError, match="exclude_audio_below"):
        data.without_audio_below(999.0)


@pytest.mark.parametrize(
    ("change", "word"),
    [({"mos": 40.0}, "column mos"), ({"vif_scale2": 0.5}, "vif_scale2"), ({"vif1d_scale0": 0.5}, "vif1d_scale0")],
)
def test_columns_that_never_vary_are_refused_by_name(make_ratings, change: dict, word: str) -> None:
    with pytest.raises(FeatureTableError, match=word):
        check_trainable(from_ratings(make_ratings().assign(**change)))


def test_a_system_that_does_not_exist_lists_those_that_do() -> None:
    with pytest.raises(UnknownSystemError, match="svr-8f"):
        find_systems(["svr-9f"])


def test_weights_of_a_product_may_be_given() -> None:
    (system,) = find_systems(["product:0.23,0.76"])
    assert system.weights == (0.23, 0.76)  # type: ignore[attr-defined]
    for bad in ("product:", "product:1", "product:a,b", "product:-1,2"):
        with pytest.raises(UnknownSystemError, match="two weights"):
            find_systems([bad])


OWN = """
import numpy as np

class Mean:
    name = "mean"
    label = "the mean label"

    def fit(self, data, contents, seed):
        self.value = float(data.mos[data.pairs_of(contents)].mean())
        return self

    def predict(self, data, pairs):
        return np.full(len(pairs), self.value)
"""


def test_a_system_of_ones_own_is_a_file(data: TrainingSet, tmp_path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(OWN)
    (result,) = compare(find_systems([str(path)]), data, grouped_folds(data.contents, 5), store=tmp_path / "folds")
    assert result.name == "mean"
    assert result.scores["rmse"].value > 5.0
    assert np.isnan(result.scores["relevance_spearman"].value)


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("self.value = 1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("return None", "NoneType"),
        ("self.value = float('nan')", "not finite"),
        ("self.value = np.zeros(2)", "fails in predict|shape"),
    ],
)
def test_a_system_of_ones_own_that_fails_is_named_in_one_line(
    data: TrainingSet, tmp_path, fault: str, word: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(OWN.replace("        return self\n", f"        {fault}\n        return self\n", 1))
    with pytest.raises(OwnSystemError, match=word) as caught:
        cross_validate(find_systems([str(path)])[0], data, grouped_folds(data.contents, 5), store=tmp_path / "folds")
    assert "\n" not in str(caught.value)
    assert "'mean'" in str(caught.value)
    assert not (tmp_path / "folds").exists()


def test_two_systems_of_one_name_are_refused(tmp_path) -> None:
    (tmp_path / "mine.py").write_text(OWN.replace('"mean"', '"svr-2f"'))
    for names in (["svr-2f", "svr-2f"], [str(tmp_path / "mine.py"), "svr-2f"]):
        with pytest.raises(UnknownSystemError, match="'svr-2f'"):
            find_systems(names)


@pytest.mark.parametrize("text", ["", "import nothing_of_that_name", "class A:\n    name = 'a'\n"])
def test_a_file_without_a_system_is_refused(tmp_path, text: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(UnknownSystemError, match=r"mine\.py"):
        find_systems([str(tmp_path / "mine.py")])
