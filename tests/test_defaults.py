"""What is chosen where nothing is said is the same for a function and for its command."""

import importlib
import inspect

import click
import pytest

import abr_alloc
from abr_alloc import defaults
from abr_alloc.allocation.design import DesignOptions
from abr_alloc.allocation.ladder_rules import LadderRules


def options_of(command: str) -> dict[str, object]:
    module = importlib.import_module(f"abr_alloc.cli.{command}")
    return {param.name: param.default for param in module.command.params if isinstance(param, click.Option)}


def test_ladders():
    found, rules, options = options_of("ladder"), LadderRules(), DesignOptions()
    assert found["rungs"] == str(options.num_rungs) == str(defaults.NUM_RUNGS)
    assert found["jnd_mos"] == options.jnd_mos == defaults.JND_MOS
    assert found["max_audio"] == rules.max_audio == defaults.MAX_AUDIO
    assert (found["min_ratio"], found["max_ratio"]) == (rules.min_ratio, rules.max_ratio)
    assert found["round_kbps"] == f"{options.round_kbps:g}k"
    assert found["network"] == inspect.signature(abr_alloc.ladder).parameters["network"].default


@pytest.mark.parametrize("command", ["plan", "ladder", "relevance", "report"])
def test_every_command_that_plans(command):
    found = options_of(command)
    assert (found["model_name"], found["overhead"]) == (defaults.MODEL, defaults.OVERHEAD)


def test_measuring_and_delivering():
    extract, signature = options_of("extract"), inspect.signature(abr_alloc.extract).parameters
    for name in ("grid", "max_megapixels"):
        assert extract[name] == signature[name].default
    assert extract["stall_s"] == f"{defaults.STALL_S / 60:g}min"
    assert signature["audio_features"].default == defaults.AUDIO_FEATURES
    for command in ("extract", "measure"):
        (option,) = [p for p in importlib.import_module(f"abr_alloc.cli.{command}").command.params
                     if p.name == "audio_features"]  # fmt: skip
        assert f"[default: {defaults.AUDIO_FEATURES}" in option.help
    tolerance = abr_alloc.Tolerance()
    assert options_of("verify")["tolerance"] == f"rate={100 * tolerance.rate:g}%,avq={tolerance.avq:g}"
