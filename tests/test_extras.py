"""A library that an extra installs is named with its extra."""

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from abr_alloc.errors import AbrAllocError
from abr_alloc.extras import EXTRAS, extra_missing

PYPROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]

HIDING = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
"""


def distributions():
    """What pip calls the libraries, by the names that are imported."""
    found = packages_distributions().items()
    return {library: {name.lower().replace("_", "-") for name in names} for library, names in found}


def run_without(libraries, code):
    script = HIDING.format(hidden=set(libraries)) + code
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)


def test_every_extra_of_the_package_is_known():
    names = PYPROJECT["optional-dependencies"].keys() - {"dev"}
    assert set(EXTRAS) == names


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_installs_the_libraries_that_it_is_named_for(extra):
    asked_for = {word.partition(">")[0].strip() for word in PYPROJECT["optional-dependencies"][extra]}
    providers = distributions()
    for library in EXTRAS[extra]:
        # dask comes with distributed, fsspec with s3fs.
        known = {"dask": "distributed", "fsspec": "s3fs"}.get(library, library)
        assert providers[known] & asked_for, library


def test_an_extra_is_not_needed_by_what_is_always_installed():
    always = {word.partition(">")[0].strip() for word in PYPROJECT["dependencies"]}
    providers = distributions()
    assert not [lib for libs in EXTRAS.values() for lib in libs if providers.get(lib, set()) & always]


def test_a_library_of_no_extra_is_somebody_elses_error():
    assert extra_missing(ModuleNotFoundError("No module named 'nobody'", name="nobody")) is None


def test_a_command_names_the_extra_that_it_misses(example, tmp_path):
    code = f"sys.argv = ['abr-alloc', 'report', {str(example)!r}, '-o', {str(tmp_path / 'r.html')!r}]\n"
    done = run_without(EXTRAS["report"], code + "from abr_alloc.cli import main; main()")
    assert done.returncode == 1
    assert done.stderr.startswith("error: this needs ")
    assert done.stderr.endswith("which the extra [report] installs; pip install 'abr_alloc[report]'\n")
    assert done.stderr.count("\n") == 1


def test_a_function_names_the_extra_that_it_misses():
    code = """
import abr_alloc
try:
    abr_alloc.report
except abr_alloc.AbrAllocError as error:
    print(error.extra, error.library)
"""
    done = run_without(EXTRAS["report"], code)
    assert done.stdout.split()[0] == "report", done.stderr


def test_the_main_job_needs_no_extra(example):
    hidden = [lib for libs in EXTRAS.values() for lib in libs]
    code = f"""
import abr_alloc
features = abr_alloc.read_features({str(example)!r})
ladders = abr_alloc.ladder(features)
playlist = abr_alloc.export(ladders, "hls", title=ladders[0].ladder.title)
print(len(abr_alloc.plan(features, 300).allocations), playlist.format)
import abr_alloc.runs.extract_run, abr_alloc.runs.encode_run, abr_alloc.runs.verify_run, abr_alloc.runs.lint_run
import abr_alloc.learning.agreement
"""
    done = run_without(hidden, code)
    assert done.stdout.split() == ["12", "hls"], done.stderr


def test_the_error_is_an_import_error_too():
    error = extra_missing(ModuleNotFoundError("No module named 'torch'", name="torch"))
    assert isinstance(error, ImportError) and isinstance(error, AbrAllocError)
