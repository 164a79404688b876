"""Every command that the README and the docs show runs as it is shown, page by page, in a folder of its own.

Commands stand in ```sh fences; `# exit code 3` at the end of a line says how one ends. The folder holds `examples/`,
two synthesised films and rated tables under the names that the pages use.
"""

from __future__ import annotations

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from abr_alloc.cli.main import cli

ROOT = Path(__file__).parents[1]
TOP_PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "examples" / "README.md")
PAGES = sorted((*TOP_PAGES, *(ROOT / "docs").glob("*.md")))

# Commands that are not run, by how they begin.
RESEARCH = "the ratings of LIVE-SJTU and of the UHD panels may not ship"
CLIPS = "the clips do not ship"
CLUSTER = "it takes a cluster or a store; tests/workers has both"
HDR = "its film is HDR; tests/delivery/test_ladder_union.py makes one"
PACKAGED = "tests/delivery/test_packaging.py and test_encrypted.py run these options, and the very command"
OTHERS = "its renditions and packages are somebody else's; tests/cli/test_measure.py and test_audit.py make some"
NOT_RUN = {
    "python benchmarks/hdr_ratings.py": RESEARCH,
    "abr-alloc extract hdr.mp4": HDR,
    "abr-alloc ladder hdr.parquet": HDR,
    "abr-alloc ladder sdr.parquet": HDR,
    "abr-alloc encode hdr.mp4": HDR,
    "abr-alloc verify hdr-out": HDR,
    "abr-alloc encode film-en-de.mkv": "its film has two languages (tests/cli/test_encode_tracks.py encodes one)",
    "abr-alloc extract film-en-de.mkv": "likewise (tests/measure/test_heard_tracks.py)",
    "abr-alloc ladder film-en-de.parquet": "likewise (tests/allocation/test_language_policy.py)",
    "abr-alloc measure clip.mkv 180p.mp4": OTHERS,
    "abr-alloc measure film.mkv 360p.mp4": OTHERS,
    "abr-alloc plan both.parquet": OTHERS,
    **dict.fromkeys(
        (
            *("abr-alloc extract surround.mkv", "abr-alloc ladder surround.parquet"),
            *("abr-alloc encode surround.mkv", "abr-alloc verify surround_out"),
        ),
        "tests/delivery/test_delivered_audio.py goes that way",
    ),
    "abr-alloc audit film.mp4 --ladder package": OTHERS,
    "abr-alloc audit measured.parquet": OTHERS,
    "abr-alloc encode film.mp4 --ladder ladder.json -o short": PACKAGED,
    "abr-alloc encode film.mp4 --ladder ladder.json -o stream --single-file": PACKAGED,
    "python examples/encrypt.py": PACKAGED,
    "abr-alloc lint encrypted": PACKAGED,
    "abr-alloc compare live_sjtu.csv": RESEARCH,
    "python -m benchmarks.listener": "hours, over media that do not ship",
    "abr-alloc plan listened/clip_features.parquet": "its table is made by the command above",
    "abr-alloc train listened/clips.parquet": "its tables are those of a training above",
    "abr-alloc train live_sjtu.csv": RESEARCH,
    "abr-alloc tune live_sjtu.csv": RESEARCH,
    "abr-alloc evaluate attentive uhd_video_ratings.csv": RESEARCH,
    "python benchmarks/video_alone.py": RESEARCH,
    "python benchmarks/settings.py": "its ratings may not ship, and it trains for minutes",
    "python benchmarks/sizes.py": "half a minute, beside an earlier version",
    "python benchmarks/teacher.py": RESEARCH,
    "abr-alloc extract CLIPS...": CLIPS,
    "dask scheduler": CLUSTER,
    "dask worker": CLUSTER,
    "abr-alloc extract *.mp4 -o tables/": CLUSTER,
    "abr-alloc encode /mnt/films/film.mp4": CLUSTER,
    "abr-alloc extract s3://": CLUSTER,
    "abr-alloc plan s3://": CLUSTER,
    "abr-alloc extract AUDIO...": CLIPS,
    "python benchmarks/probing.py": "minutes of probing, on tables of which some do not ship",
    "python benchmarks/units.py": "its table is measured on clips that do not ship",
    "python benchmarks/delivery.py": "minutes of timing, on films that do not ship",
    "python benchmarks/ladder_cost.py": "half a minute to minutes of timing",
    "python benchmarks/per_shot.py": "minutes of timing",
    "python benchmarks/per_shot_gain.py": "minutes of encodes, of films that do not ship",
    "python benchmarks/screens.py": "half a minute of designs",
    "abr-alloc ladder shown_1080p.parquet": "its source is a film that does not ship",
    "python benchmarks/report.py": "half a minute to two minutes of timing",
    "abr-alloc train benchmarks/features/clips.parquet": "half a minute to six minutes each",
    "abr-alloc tune benchmarks/features/clips.parquet": "seven trials of minutes each",
}
# Words added to commands that would take minutes otherwise, by how they begin.
ADDED = {
    "abr-alloc extract": "--grid quick --jobs 1",  # the default grid and all cores; a word given twice counts once
    # Between the few probes of a film of two seconds AVQ is a tenth off; what is shown is real films' tolerance.
    "abr-alloc verify": "--tolerance rate=50%,avq=1",
    "abr-alloc encode film.mp4 --ladder ladder.json -o stream --refine": "--tolerance rate=50%,avq=1",
    "abr-alloc compare ratings.csv": "--systems svr-2f,p1203",  # instead of all that ship
}
# Lines of a shell's own settings: tests/cli/test_completion.py asks for completions in all three shells.
SETTINGS = ('eval "$(_ABR_ALLOC_COMPLETE=', "_ABR_ALLOC_COMPLETE=fish_source abr-alloc | source")
# What puts the command there or makes a release; targets of make and scripts are checked below.
SETUP = {"make", "git", "pip", ".ci/run", ".ci/wheel-test"}

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(abr-alloc [^`]*examples/[^`]*)`(?!(?: \(exit code \d\))?:\n\n```text)")


def commands_of(block: str) -> list[str]:
    """The commands of a sh block, one line each."""
    return [line.strip() for line in block.replace("\\\n", " ").splitlines() if line.split("#")[0].strip()]


def not_run(command: str) -> str | None:
    """Why a command is not run."""
    return next((reason for start, reason in NOT_RUN.items() if command.startswith(start)), None)


def snippets_of(page: Path) -> list[tuple[str, str]]:
    """What a page shows, in order: ("sh", command), ("python", code)."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in sorted([*FENCE.finditer(text), *INLINE.finditer(text)], key=re.Match.start):
        if match.re is INLINE:
            found.append(("sh", " ".join(match[1].split())))
        elif match[1] == "sh":
            found += [("sh", command) for command in commands_of(match[2])]
        elif match[1] == "python":
            found.append(("python", match[2]))
    return found


SHOWN = {str(page.relative_to(ROOT)): snippets_of(page) for page in PAGES}
COMMANDS = [body for snippets in SHOWN.values() for kind, body in snippets if kind == "sh"]


@pytest.fixture(scope="session")
def film(make_media) -> Path:
    """2.5 s of a moving picture that costs bits, and two tones with noise: enough for a ladder of six rungs."""
    return make_media(
        "film.mp4",
        "lavfi:testsrc2=size=192x128:rate=24:duration=2.5",
        "lavfi:aevalsrc=0.3*sin(2*PI*440*t)+0.1*random(0)|0.2*sin(2*PI*660*t)+0.1*random(1):s=48000:d=2.5",
        *("-vf", "noise=alls=20:allf=t", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12"),
        *("-pix_fmt", "yuv420p", "-c:a", "aac"),
    )


@pytest.fixture
def folder(film, make_media, run_folder, tmp_path, monkeypatch) -> Path:
    """What a reader has: the examples, two films, tables of ratings, and folders to write to.

    All pages measure the same films, so all test processes have one cache for them.
    """
    monkeypatch.setenv("ABR_ALLOC_CACHE", str(run_folder / "cache_of_pages"))
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    shutil.copy(film, tmp_path / "film.mp4")
    shutil.copy(make_media("clip.mkv", "-i", film, "-t", "2", "-c", "copy"), tmp_path / "clip.mkv")
    for name in ("ratings.csv", "other_ratings.csv"):
        shutil.copy(ROOT / "examples" / "ratings.csv", tmp_path / name)
    for name in ("ladders/titles", "docs/images"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Most of the time would go into starting workers and into intervals, and both are tested elsewhere.
@pytest.mark.usefixtures("in_threads", "few_resamples")
@pytest.mark.parametrize("page", [page for page, snippets in SHOWN.items() if snippets])
def test_everything_that_a_page_shows_runs(page, folder, run_command, ffmpeg, monkeypatch):
    names: dict[str, object] = {"__name__": page}  # what one block defines, the next ones use
    for kind, body in SHOWN[page]:
        if kind == "python":
            exec(compile(body, page, "exec"), names)
            continue
        if not_run(body) or body.startswith(SETTINGS):
            continue
        program, *words = shlex.split(body, comments=True)
        words += [word for start, added in ADDED.items() if body.startswith(start) for word in added.split()]
        if program == "abr-alloc":
            code = re.search(r"# exit code (\d)", body)
            outcome = run_command(*words)
            assert outcome.code == (int(code[1]) if code else 0), f"{body}\n{outcome.stderr}"
        elif program == "python":
            monkeypatch.setattr(sys, "argv", words)
            runpy.run_path(words[0], run_name="__main__")
        elif program == "ffmpeg":
            ffmpeg.run(words)
        elif program == "sh":
            subprocess.run([program, *words], env=os.environ | {"FFMPEG": ffmpeg.path}, check=True)
        elif program == "mkdir":
            Path(words[-1]).mkdir(parents=True, exist_ok=True)
        else:
            assert program in SETUP, f"{body}: no test knows how to run this"


def test_commands_are_shown_where_the_test_above_finds_them():
    """No command stands in another fence, in an indented block, or at the beginning of a line of text."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        rest = FENCE.sub(lambda match: "" if match[1] in ("sh", "python") else match[0], text)
        stray = re.findall(r"^[ \t$>]*(?:time )?abr-alloc [a-z].*", rest, flags=re.MULTILINE)
        blocks = [match[2] for match in FENCE.finditer(rest)] + re.findall(r"^(?: {4}|\t).*", rest, flags=re.MULTILINE)
        for block in blocks:
            stray += re.findall(r"^\s*(?:\$ )?(?:python|ffmpeg|make|pip|git) (?! |is ).*", block, flags=re.MULTILINE)
        assert not stray, f"{page.name}: put it into a ```sh fence: {stray[0]}"


def test_nothing_is_excepted_that_is_not_shown():
    for start in (*NOT_RUN, *ADDED):
        assert any(command.startswith(start) for command in COMMANDS), start


def test_commands_that_are_not_run_have_options_that_exist():
    for command in filter(not_run, COMMANDS):
        program, *words = shlex.split(command, comments=True)
        if program == "abr-alloc":
            known = {option for param in cli.get_command(None, words[0]).params for option in param.opts}
            assert {word for word in words if word.startswith("-")} <= known, command
        elif words[0] == "-m":
            place = ROOT.joinpath(*words[1].split("."))
            assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), command
        elif program == "python":
            assert (ROOT / words[0]).is_file(), command


def test_every_target_of_make_and_every_script_that_is_named_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)", makefile, flags=re.MULTILINE)[1].split())
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert set(re.findall(r"(?:`|^)make (\w+)", text, flags=re.MULTILINE)) <= targets, page.name
        for script in re.findall(r"(?:benchmarks|examples|docs)/\w+\.py|\.ci/[\w-]+", text):
            assert (ROOT / script).is_file(), f"{page.name}: {script}"
