"""The names of what ships are those of the files that ship, and each can be loaded."""

from pathlib import Path

from abr_alloc.allocation.reference import load_reference
from abr_alloc.media.grid import load_grid
from abr_alloc.models.checkpoint import load_model
from abr_alloc.shipped import grid_names, model_names, reference_names

ROOT = Path(__file__).parents[1]


def test_names_are_those_of_the_files() -> None:
    assert grid_names() == sorted(path.stem for path in (ROOT / "ladders" / "grids").glob("*.toml"))
    assert reference_names() == sorted(path.stem for path in (ROOT / "ladders" / "reference").glob("*.toml"))
    cards = (ROOT / "abr_alloc" / "models" / "weights").glob("*/model.json")
    assert model_names() == sorted(card.parent.name for card in cards)


def test_everything_that_is_named_loads() -> None:
    for name in grid_names():
        assert load_grid(name).name == name
    for name in reference_names():
        assert load_reference(name).name == name
    for name in model_names():
        assert load_model(name).name == name
