"""What is printed stays readable: at 80 columns, without colour, on a terminal, in a pipe and in a log."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

import abr_alloc
from abr_alloc.allocation.surface import Probe
from abr_alloc.cli.layout import WIDTH, new_table, render_table, short_title, wrap
from abr_alloc.cli.main import COMMANDS
from abr_alloc.cli.progress import _lines
from abr_alloc.cli.tables import plan_table

pytestmark = pytest.mark.usefixtures("few_resamples")

EXAMPLES = Path(__file__).parents[2] / "examples"
FEATURES, RATINGS = str(EXAMPLES / "clip_features.parquet"), str(EXAMPLES / "ratings.csv")
USAGE, INFEASIBLE = 2, 3
ESCAPE = "\x1b"

TABLES = [
    ["plan", FEATURES, "--budget", "300k", "--budget", "2M"],
    ["plan", FEATURES, "--budget", "300k", "--per", "title"],
    ["plan", FEATURES, "--budget", "8M", "--per", "title", "--pool", "harmonic", "--max-rate", "9M"],
    ["plan", FEATURES, "--budget", "300k", "--budget", "4M", "--measured-only"],
    ["plan", FEATURES, "--budget", "300k", "--per", "title", "--measured-only"],
    ["plan", FEATURES, "--sensitivity"],
    ["relevance", FEATURES],
    ["relevance", FEATURES, "--model", "svr-8f"],
    ["ladder", FEATURES, "--compare", "apple-hls-avc"],
    ["ladder", FEATURES, "--shared", "--rungs", "auto", "--compare", "apple-hls-avc"],
    ["evaluate", "svr-8f", FEATURES],
    ["evaluate", "svr-2f", RATINGS],
    ["compare", RATINGS, "--systems", "p1203,svr-2f", "-o", "compared"],
]
SHORT = [words[:1] + [Path(word).name for word in words[1:]] for words in TABLES]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("words", TABLES, ids=[" ".join(words) for words in SHORT])
def test_tables_and_what_is_said_of_them_take_80_columns_without_escape_codes(words, run_command):
    outcome = run_command(*words)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert ESCAPE not in outcome.stdout
    assert max(map(cell_len, outcome.stdout.splitlines())) <= 80
    assert all(line == line.rstrip() for line in outcome.stdout.splitlines())


def test_doctor_takes_80_columns_but_for_paths_alone_on_their_lines(run_command):
    lines = run_command("doctor").stdout.splitlines()
    assert all(len(line) <= 80 or re.match(r"(ffmpeg|cache) is /", line) for line in lines)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_help_takes_80_columns_of_a_terminal_and_shows_the_flags(name, run_command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = run_command(name, "--help").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "-q, --quiet" in text and "-v, --verbose" in text


# The layout.


def test_a_number_is_never_cut():
    table = new_table("a", "b", left=["a"])
    table.add_row("x" * 70, "1" * 40)
    table.add_row("y", "2")
    first, second, third = render_table(table).splitlines()
    assert second.split() == ["x" * 70, "1" * 40]
    assert len(first) == len(second) == len(third)


def test_columns_are_two_spaces_apart_or_one_where_two_would_not_fit():
    def row(width: int) -> str:
        table = new_table("a", "b", "c")
        table.add_row("1" * width, "2", "3")
        return render_table(table).splitlines()[1]

    assert row(10) == f"{'1' * 10}  2  3"
    assert row(75) == f"{'1' * 75} 2  3" and len(row(75)) == WIDTH
    assert row(76) == f"{'1' * 76} 2 3"


def test_wrapped_text_keeps_its_words_and_a_number_its_percent_sign():
    text = "word " * 14 + "ninety 90 % and " + "x" * 100
    lines = wrap(text).splitlines()
    assert " ".join(line.strip() for line in lines) == text
    assert not any(line.strip().startswith("%") for line in lines)
    assert all(len(line) <= WIDTH or " " not in line.strip() for line in lines)


def test_a_title_cannot_command_a_terminal():
    assert short_title("\x1b[31mred\nline") == r"\x1b[31mred\nline"
    assert len(short_title("long" * 40)) == 60


@pytest.fixture(scope="module")
def film():
    """A plan of the example as a film would have it: hours, 1080p, interpolated, rates of five digits."""
    features = abr_alloc.read_features(FEATURES)
    model = abr_alloc.load_model()
    plan = abr_alloc.plan(features, 4000, model)
    video = dataclasses.replace(
        plan.allocations[0].video,
        width_px=1920,
        height_px=1080,
        target="b=12345k",
        bitrate_kbps=12345.0,
        nearest_probes=(Probe(target="crf=26", bitrate_kbps=9000.0), Probe(target="crf=18", bitrate_kbps=15000.0)),
    )
    scenes = [
        dataclasses.replace(a, video=video, total_kbps=12800.0, scene=1234, start_s=5025.0) for a in plan.allocations
    ]
    return dataclasses.replace(plan, allocations=tuple(scenes)), model, features


def test_a_film_names_its_probes_elsewhere_rather_than_grow_wide(film):
    text = plan_table(*film)
    assert max(map(len, text.splitlines())) <= 80
    assert "1920x1080 ~12345k" in text and "1:23:45" in text and "12800" in text
    assert "two probes (--json names them)" in " ".join(text.split())


# A terminal.


@pytest.fixture
def on_terminal(forks) -> Callable[..., tuple[int, str]]:
    """Exit code and all that a run writes to a terminal of 80 columns."""

    def run(*words: str, **environment: str) -> tuple[int, str]:
        parent, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        env = {n: value for n, value in os.environ.items() if n not in ("NO_COLOR", "COLUMNS", "LINES", "TERM")}
        env |= {"TERM": "xterm-256color", **environment}
        before, imports = "", ()
        if words[0] == "compare":  # as `few_resamples` has it in this process
            before = "from abr_alloc.learning.scoring import score; score.__kwdefaults__['resamples'] = 20"
            imports = ("abr_alloc.runs.comparison_files", "abr_alloc.learning.scoring")
        process = forks.start(*words, before=before, env=env, terminal=child, imports=imports)
        os.close(child)
        written = b""
        while True:
            try:
                part = os.read(parent, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            written += part
        os.close(parent)
        return process.wait(timeout=60), written.decode().replace("\r\n", "\n")

    return run


COMPARE = ["compare", RATINGS, "--systems", "product-fitted,p1203", "-o", "compared"]


@pytest.mark.parametrize(
    "words",
    [
        ["plan", FEATURES, "--budget", "300k"],
        ["plan", FEATURES, "--budget", "20k"],
        ["plan", "--help"],
        ["plan", FEATURES, "--budget", "300k", "-v"],
        ["no-such-command"],
        ["doctor"],
        COMPARE,
        [*COMPARE, "-v"],
    ],
    ids=lambda words: " ".join(Path(word).name for word in words),
)
def test_no_color_on_a_terminal_means_no_escape_codes_at_all(words, on_terminal):
    code, text = on_terminal(*words, NO_COLOR="1")
    assert code in (0, USAGE, INFEASIBLE) and text
    assert ESCAPE not in text


def audio_only(source, grid, folder):
    """Extraction of a sound alone, with a cache of its own."""
    words = ["extract", source, "--audio-only", "--grid", grid, "--cache", folder / "c", "--jobs", "1"]
    return [*words, "-o", "f"]


def test_an_extraction_with_fresh_workers_writes_no_escape_codes_either(make_media, tiny_grid, tmp_path, on_terminal):
    source = make_media("tone.wav", "lavfi:sine=440:d=1.2")
    words = audio_only(source, tiny_grid, tmp_path)
    code, text = on_terminal(*map(str, words), NO_COLOR="1")
    assert code == 0 and "100 % [####" in text and text.endswith("f: 1 titles, 1 scenes, 0 video and 1 audio rows\n")
    assert ESCAPE not in text


def test_a_terminal_shows_what_a_pipe_gets(run_command, on_terminal):
    words = ["plan", FEATURES, "--budget", "300k"]
    assert on_terminal(*words) == (0, run_command(*words).stdout)


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["colour", "NO_COLOR", "dumb"])
def test_a_terminal_sees_progress_that_fits_and_goes_away(environment, run_command, on_terminal):
    code, text = on_terminal(*COMPARE, **environment)
    assert code == 0
    assert "fold 5 of 5" in text
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert max(len(part) for part in re.split(r"[\r\n]", plain)) <= 80
    last = re.split(r"\r|\x1b\[2K", text)[-1]
    assert last.lstrip("\n") == run_command(*COMPARE).stdout, "the table stands alone"


def test_progress_can_be_read_without_colour(on_terminal):
    _, text = on_terminal(*COMPARE, NO_COLOR="1")
    assert re.search(r"\r 50 % \[##########          \] product-fitted: fold 5 of 5", text)


def test_quiet_shows_no_progress_on_a_terminal(run_command, on_terminal):
    assert on_terminal(*COMPARE, "-q") == (0, run_command(*COMPARE, "-q").stdout)


# A log.


def test_a_log_gets_no_progress_unless_asked(run_command):
    assert run_command(*COMPARE).stderr == ""
    lines = run_command(*COMPARE, "-v").stderr.splitlines()
    assert any(re.fullmatch(r"\d+ %: product-fitted: fold \d of 5", line) for line in lines)
    assert all(line.isprintable() for line in lines)


def test_a_log_gets_a_line_per_5_percent_but_not_within_ten_seconds(capsys):
    clock = iter(range(0, 4000, 2))
    update = _lines(lambda: float(next(clock)))
    for done in range(1000):
        update(done, 1000, f"task {done}")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 20
    assert lines[0] == "0 %: task 0" and lines[1] == "5 %: task 50"
    update = _lines(lambda: float(next(clock)))
    for done in range(11):
        update(done, 10, f"task {done}")
    assert capsys.readouterr().err.splitlines() == ["0 %: task 0", "50 %: task 5", "100 %: task 10"]


# -q and -v.


@pytest.mark.parametrize("words", TABLES[::2], ids=[" ".join(words) for words in SHORT[::2]])
def test_quiet_leaves_the_result_and_takes_what_explains_it(words, run_command):
    full, quiet = run_command(*words).stdout, run_command(*words, "-q").stdout
    assert run_command("-q", *words).stdout == run_command("--quiet", *words).stdout == quiet
    rest = iter(full.splitlines())
    assert all(line in rest for line in quiet.splitlines()), "nothing is added or moved"
    explained = re.compile(
        r"^(AVQ:|Every line|audio share:|Audience:|RMSE in points|Note:|Outside)", flags=re.MULTILINE
    )
    assert explained.search(full) and not explained.search(quiet)
    assert not [line for line in set(full.splitlines()) - set(quiet.splitlines()) if re.match(r" +\d", line)]


@pytest.mark.parametrize("flag", ["-v", "--verbose"])
def test_verbose_says_what_is_done_on_stderr_and_changes_no_result(flag, run_command, tmp_path):
    words = ["plan", FEATURES, "--budget", "300k", "--json"]
    after, before = run_command(*words, flag), run_command(flag, *words)
    assert after == before
    assert after.stdout == run_command(*words).stdout
    lines = after.stderr.splitlines()
    assert lines == [
        f"INFO: read {FEATURES}: 5 titles, 12 scenes, 239 rows",
        "INFO: model attentive predicted 1085 pairs of 12 scenes",
    ]
    written = run_command(*words, flag, "-o", tmp_path / "plan.json").stderr
    assert re.search(rf"^INFO: wrote {tmp_path}/plan.json \(\d+ bytes\)$", written, flags=re.MULTILINE)


@pytest.mark.parametrize("first", ["-q", "--quiet"])
@pytest.mark.parametrize("second", ["-v", "--verbose"])
def test_quiet_and_verbose_exclude_each_other_wherever_they_stand(first, second, run_command):
    plan = ["plan", FEATURES, "--budget", "300k"]
    for words in ([first, second, *plan], [first, *plan, second], [second, *plan, first], [*plan, first, second]):
        outcome = run_command(*words)
        assert (outcome.code, outcome.stdout) == (USAGE, "")
        assert "exclude each other" in outcome.error_line()


def test_a_flag_may_be_given_twice(run_command):
    assert run_command("-q", "plan", FEATURES, "--budget", "300k", "-q").code == 0


def test_quiet_keeps_errors(run_command):
    outcome = run_command("-q", "plan", FEATURES, "--budget", "20k")
    assert outcome.code == INFEASIBLE
    assert outcome.stderr.startswith("infeasible: ")
    assert run_command("-q", "plan", "none.parquet", "--budget", "20k").error_line()


def test_quiet_takes_warnings_and_the_closing_line(run_command, in_threads, make_media, tiny_grid, tmp_path):
    source = make_media("surround.wav", "lavfi:sine=440:d=1.2", "-ac", "6")
    words = audio_only(source, tiny_grid, tmp_path)
    loud = run_command(*words)
    assert "WARNING: " in loud.stderr and "mixed down" in loud.stderr and "1 audio rows" in loud.stderr
    quiet = run_command(*words, "-q")
    assert (quiet.code, quiet.stdout, quiet.stderr) == (0, "", "")
    assert "1 measurements to begin with, 1 of them in the cache" in run_command("-v", *words).stderr


def test_debug_before_the_command_goes_with_either_flag(run_command, monkeypatch):
    for flag in ("-q", "-v"):
        with pytest.raises(abr_alloc_error()):
            run_command(flag, "--debug", "plan", "none.parquet", "--budget", "20k")


def abr_alloc_error() -> type[Exception]:
    from abr_alloc.errors import AbrAllocError

    return AbrAllocError
