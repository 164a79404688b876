"""What an error calls a parameter, the command line calls an option."""

import ast
import importlib
import re
from pathlib import Path

import click
import pytest

import abr_alloc
from abr_alloc.cli.main import COMMANDS
from abr_alloc.errors import InfeasibleLimits, InfeasibleScene
from abr_alloc.parameters import OPTIONS, infeasible_object, with_options

PACKAGE = Path(abr_alloc.__file__).parent
SHELL = {"parameters.py", "examine.py", "plan_document.py", "schema.py"}
"""Besides `cli`: this table, what `doctor` says, the name of a command in JSON, and prose of docs/formats.md."""
CORE = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "cli" and path.name not in SHELL]
OTHERS = {"--nthreads", "--memory-limit"}
"""Options of other programs that messages name."""


def texts_of(path: Path) -> list[str]:
    """String literals, but docstrings and what a program is called with."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    bodies = [node.body for node in ast.walk(tree) if hasattr(node, "body") and isinstance(node.body, list)]
    loose = {
        id(s.value.value)
        for body in bodies
        for s in body
        if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)
    }
    return [text for text in found if id(text) not in loose and " " in text]


def options_of_commands() -> set[str]:
    commands = [importlib.import_module(f"abr_alloc.cli.{name}").command for name in COMMANDS]
    params = [param for command in commands for param in command.params if isinstance(param, click.Option)]
    return {name for param in params for name in param.opts}


def test_every_option_of_the_table_is_one_of_some_command() -> None:
    words = {word.strip("`") for option in OPTIONS.values() for word in option.split() if word.startswith("-")}
    assert words <= options_of_commands()


def test_the_core_names_no_option_and_no_parameter_that_has_none() -> None:
    texts = [(path, text) for path in CORE for text in texts_of(path)]
    flags = {(path.name, flag) for path, text in texts for flag in re.findall(r"(?<![\w(-])--(?:[a-z][a-z-]+|$)", text)}
    assert {flag for _, flag in flags} <= OTHERS, flags
    named = {name for _, text in texts for name in re.findall(r"`([a-z]+(?:_[a-z]+)*(?:\([a-z_]+\))?)`", text)}
    assert set(OPTIONS) == named, set(OPTIONS) ^ named


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("raise `budget_kbps` or lower `min_avq_mos`", "raise --budget or lower --min-avq"),
        ("`max_audio` 0: a ladder needs one", "--max-audio 0: a ladder needs one"),
        ("use `per` scene", "use --per scene"),
        ("out with `ladder(max_height_px)`", "out with `ladder --max-height`"),
        ("train it again with `abr-alloc train`", "train it again with `abr-alloc train`"),
        ("no title `film`, `dask scheduler`", "no title `film`, `dask scheduler`"),
    ],
)
def test_a_line_names_the_option(message: str, line: str) -> None:
    assert with_options(message) == line


def test_json_names_the_option_too() -> None:
    limits = InfeasibleLimits(
        title="`budget_kbps`",
        scene=0,
        budget_kbps=1.0,
        needed_kbps=None,
        reason="over `max_rate_kbps` 1k",
        hint="`per`",
    )
    found = infeasible_object(limits)
    assert (found["reason"], found["hint"], found["title"]) == ("over --max-rate 1k", "--per", "`budget_kbps`")
    scene = InfeasibleScene(title="t", scene=0, budget_kbps=1.0, video_kbps=1.0, audio_kbps=1.0, total_kbps=2.0)
    assert infeasible_object(scene)["total_kbps"] == 2.0
