"""What the three shells are told when a key is pressed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from abr_alloc.cli.main import COMMANDS
from abr_alloc.shipped import NETWORKS, model_names, reference_names

RUN = "import sys; sys.argv[0] = 'abr-alloc'; from abr_alloc.cli import main; main()"


def run(env: dict[str, str]) -> subprocess.CompletedProcess:
    """The command as a shell starts it: it imports so little that a fork of all that tests import takes longer."""
    env = os.environ | env
    return subprocess.run([sys.executable, "-c", RUN], env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def complete() -> Callable[..., list[tuple[str, str]]]:
    """Kind and value of what a shell is offered for the last of the words."""

    def offered(shell: str, *words: str) -> list[tuple[str, str]]:
        line = " ".join(["abr-alloc", *words])
        env = {"_ABR_ALLOC_COMPLETE": f"{shell}_complete", "COMP_WORDS": line}
        env["COMP_CWORD"] = words[-1] if shell == "fish" else str(len(words))
        ended = run(env)
        assert (ended.returncode, ended.stderr) == (0, "")
        lines = ended.stdout.splitlines()
        if shell == "zsh":  # kind, value and help on a line each
            return list(zip(lines[::3], lines[1::3], strict=True))
        return [tuple(line.partition("\t")[0].split(",", 1)) for line in lines]

    return offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_is_offered_commands_options_and_names(shell, complete):
    assert complete(shell, "do") == [("plain", "doctor")]
    assert {value for _, value in complete(shell, "")} == set(COMMANDS)
    assert ("plain", "--measured-only") in complete(shell, "plan", "x", "--meas")
    assert ("plain", "attentive") in complete(shell, "plan", "x", "--model", "att")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script(shell):
    ended = run({"_ABR_ALLOC_COMPLETE": f"{shell}_source"})
    assert ended.returncode == 0
    assert "_ABR_ALLOC_COMPLETE" in ended.stdout


@pytest.mark.parametrize(
    ("words", "kind", "names"),
    [
        (["evaluate"], "dir", model_names()),
        (["ladder", "x", "--model"], "dir", model_names()),
        (["extract", "--grid"], "file", ["dense", "hull", "paper", "quick"]),
        (["ladder", "x", "--compare"], "file", reference_names()),
        (["ladder", "x", "--network"], "file", list(NETWORKS)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_names_that_ship_are_offered_and_files_or_folders_of_ones_own(words, kind, names, complete):
    found = complete("bash", *words, "")
    assert found[0][0] == kind, "first, for bash forgets what came before"
    assert found[1:] == [("plain", name) for name in names]


def test_nothing_heavy_is_imported_to_complete():
    code = f"import atexit, sys; atexit.register(lambda: print(sorted(sys.modules), file=sys.stderr)); {RUN}"
    env = os.environ | {"_ABR_ALLOC_COMPLETE": "bash_complete", "COMP_CWORD": "4"}
    env["COMP_WORDS"] = "abr-alloc ladder x --compare "
    ended = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "apple-hls-avc" in ended.stdout
    assert not [name for name in ("numpy", "pandas", "scipy", "torch", "rich") if f"'{name}'" in ended.stderr]
