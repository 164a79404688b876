"""Whatever is wrong with an input, the command says so in one line, with the right exit code, and writes nothing."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from abr_alloc import defaults

FAILURE, USAGE, INFEASIBLE = 1, 2, 3


@pytest.fixture(scope="module")
def sound(example) -> pa.Table:
    """A small sound table: one scene of the example."""
    table = pq.read_table(example)
    first = table.column("title")[0].as_py()
    keep = [
        i for i, row in enumerate(table.select(["title", "scene"]).to_pylist()) if row == {"title": first, "scene": 0}
    ]
    return table.take(keep)


@pytest.fixture
def save(tmp_path):
    """Write a table, whatever it holds, and return the file."""

    def write(table: pa.Table, name: str = "table.parquet") -> Path:
        path = tmp_path / name
        pq.write_table(table, path)
        return path

    return write


def edit(table: pa.Table, column: str, values: list, kind: pa.DataType | None = None) -> pa.Table:
    field = table.schema.field(column)
    return table.set_column(
        table.schema.get_field_index(column), pa.field(column, kind or field.type), pa.array(values, kind or field.type)
    )


def changed(table: pa.Table, column: str, row: int, value) -> pa.Table:
    values = table.column(column).to_pylist()
    values[row] = value
    return edit(table, column, values)


def first_row(table: pa.Table, kind: str) -> int:
    return table.column("kind").to_pylist().index(kind)


# Tables.

BROKEN = {
    "an extra column": (lambda t: t.append_column("comment", pa.array(["x"] * t.num_rows)), "column comment"),
    "a missing column": (lambda t: t.drop_columns(["vmaf"]), "column vmaf is missing"),
    "a mistyped column": (lambda t: edit(t, "scene", [str(s) for s in t["scene"].to_pylist()], pa.string()), "scene"),
    "NaN": (lambda t: changed(t, "adm2", first_row(t, "video"), float("nan")), "column adm2"),
    "infinity": (lambda t: changed(t, "bitrate_kbps", 0, float("inf")), "column bitrate_kbps"),
    "a value out of range": (lambda t: changed(t, "vmaf", first_row(t, "video"), 101.0), "column vmaf"),
    "a repeated row": (lambda t: pa.concat_tables([t, t.slice(0, 1)]), "repeats an earlier row"),
    "no rows": (lambda t: t.slice(0, 0), "no rows"),
    "no metadata": (lambda t: t.replace_schema_metadata(None), "metadata"),
    "another schema version": (
        lambda t: t.replace_schema_metadata({"abr_alloc": json.dumps({"schema_version": 99})}),
        "schema version 99",
    ),
    "a title without audio": (
        lambda t: t.filter(pa.array([k == "video" for k in t["kind"].to_pylist()])),
        "no audio rows",
    ),
    "a title without video": (
        lambda t: t.filter(pa.array([k == "audio" for k in t["kind"].to_pylist()])),
        "no video rows",
    ),
    "other features than the model's": (
        lambda t: t.replace_schema_metadata(
            {"abr_alloc": json.dumps({"schema_version": 1, "video_feature_version": "other/7"})}
        ),
        "other/7",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_plan_refuses_a_table_with(fault, run_command, sound, save, tmp_path):
    breaking, message = BROKEN[fault]
    table = save(breaking(sound))
    outcome = run_command("plan", table, "--budget", "2M", "-o", tmp_path / "plan.txt")
    assert outcome.code == FAILURE
    assert message in outcome.error_line()
    assert outcome.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]


@pytest.mark.parametrize("fault", ["NaN", "a missing column", "a title without audio"])
def test_relevance_refuses_a_table_with(fault, run_command, sound, save, tmp_path):
    breaking, message = BROKEN[fault]
    outcome = run_command("relevance", save(breaking(sound)), "-o", tmp_path / "picture.png")
    assert outcome.code == FAILURE
    assert message in outcome.error_line()
    assert not (tmp_path / "picture.png").exists()


NOT_PARQUET = {
    "text": b"title,scene\nclip,0\n",
    "nothing": b"",
    "zeros": bytes(4096),
    "the magic alone": b"PAR1PAR1",
}


@pytest.mark.parametrize("content", NOT_PARQUET)
def test_a_table_that_is_no_parquet_is_refused(content, run_command, tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(NOT_PARQUET[content])
    outcome = run_command("plan", path, "--budget", "2M")
    assert outcome.code == FAILURE
    assert "not a readable Parquet file" in outcome.error_line()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_table_is_refused(share, run_command, example, tmp_path):
    whole = example.read_bytes()
    path = tmp_path / "table.parquet"
    path.write_bytes(whole[: int(share * len(whole))])
    outcome = run_command("plan", path, "--budget", "2M")
    assert outcome.code == FAILURE
    assert "not a readable Parquet file" in outcome.error_line()


def test_a_table_that_is_not_there_or_is_a_folder_is_refused(run_command, tmp_path):
    assert "does not exist" in run_command("plan", tmp_path / "none.parquet", "--budget", "2M").error_line()
    outcome = run_command("plan", tmp_path, "--budget", "2M")
    assert outcome.code == FAILURE
    outcome.error_line()


# Budgets.


@pytest.mark.parametrize("budget", ["2000", "-5k", "0", "0k", "abc", "", "1e999k", "nan", "inf", "5 k b", "99999999M"])
@pytest.mark.parametrize("command", ["plan", "relevance"])
def test_a_budget_that_is_no_bitrate_is_a_usage_error(command, budget, run_command, example):
    outcome = run_command(command, example, "--budget", budget)
    assert outcome.code == USAGE
    assert "--budget" in outcome.error_line()
    assert outcome.stdout == ""


def test_a_bare_small_number_gets_a_hint(run_command, example):
    assert "did you mean 2000k?" in run_command("plan", example, "--budget", "2000").error_line()


USAGE_ERRORS = {
    "no command by that name": ["playn"],
    "no budget": ["plan", "TABLE"],
    "no table": ["plan", "--budget", "2M"],
    "an unknown option": ["plan", "TABLE", "--budget", "2M", "--fast"],
    "two formats": ["plan", "TABLE", "--budget", "2M", "--json", "--csv"],
    "a negative overhead": ["plan", "TABLE", "--budget", "2M", "--overhead", "-1"],
    "an overhead of NaN": ["plan", "TABLE", "--budget", "2M", "--overhead", "nan"],
    "a height of zero": ["plan", "TABLE", "--budget", "2M", "--max-height", "0"],
    "a scene that is no number": ["plan", "TABLE", "--budget", "2M", "--scene", "first"],
    "a picture of unknown format": ["relevance", "TABLE", "-o", "picture.bmp"],
    "an unknown video codec": ["extract", "TABLE", "-o", "out.parquet", "--video-codec", "mpeg2"],
    "no jobs": ["extract", "TABLE", "-o", "out.parquet", "--jobs", "0"],
    "a longest scene of nothing": ["extract", "TABLE", "-o", "out.parquet", "--max-scene", "0s"],
    "no sources": ["extract", "-o", "out.parquet"],
    "no output": ["extract", "TABLE"],
}


@pytest.mark.parametrize("fault", USAGE_ERRORS)
def test_a_usage_error_is(fault, run_command, example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = run_command(*[str(example) if word == "TABLE" else word for word in USAGE_ERRORS[fault]])
    assert outcome.code == USAGE
    outcome.error_line()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "has"),
    [
        ("--title", "no such title", "it has"),
        ("--scene", "999", "it has"),
        ("--audio-codec", "opus", "it has aac"),
        ("--video-codec", "av1", "it has h264"),
        ("--max-height", "8", "at most 8 px"),
    ],
)
def test_a_filter_that_leaves_nothing_names_what_there_is(option, value, has, run_command, example):
    outcome = run_command("plan", example, "--budget", "2M", option, value)
    assert outcome.code == FAILURE
    assert has in outcome.error_line()


def test_an_infeasible_budget_has_its_own_exit_code(run_command, example):
    title = pq.read_table(example)["title"][0].as_py()
    outcome = run_command("plan", example, "--budget", "1k", "--title", title, "--scene", "0")
    assert outcome.code == INFEASIBLE
    assert "a budget of 1 kbps is below the cheapest pair" in outcome.error_line("infeasible")


# Models.


def test_an_unknown_model_is_refused(run_command, example):
    outcome = run_command("plan", example, "--budget", "2M", "--model", "no-such-model")
    assert outcome.code == FAILURE
    assert "no model 'no-such-model'" in outcome.error_line()


def shipped_weights() -> Path:
    import abr_alloc.models.checkpoint as checkpoint

    return Path(checkpoint.__file__).parent / "weights" / defaults.MODEL


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    return Path(shutil.copytree(shipped_weights(), tmp_path / "mine"))


def rewrite_card(folder: Path, **changes) -> None:
    path = folder / "model.json"
    card = json.loads(path.read_text())
    card.update(changes)
    path.write_text(json.dumps({key: value for key, value in card.items() if value is not None}))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def replace_weights(folder: Path) -> None:
    """Weights that match their hash but are another network's."""
    import hashlib

    from safetensors.numpy import save

    content = save({"layer.weight": np.zeros((2, 2), np.float32)})
    (folder / "model.safetensors").write_bytes(content)
    rewrite_card(folder, weights_sha256=hashlib.sha256(content).hexdigest())


CHECKPOINT_FAULTS = {
    "truncated weights": lambda folder: truncate(folder / "model.safetensors"),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "a truncated card": lambda folder: truncate(folder / "model.json"),
    "no card": lambda folder: (folder / "model.json").unlink(),
    "a binary card": lambda folder: (folder / "model.json").write_bytes(b"\xff\xfe\x00"),
    "a card that is a list": lambda folder: (folder / "model.json").write_text("[]"),
    "a foreign card": lambda folder: (folder / "model.json").write_text('{"architecture": "resnet"}'),
    "another format version": lambda folder: rewrite_card(folder, format_version=99),
    "a card without features": lambda folder: rewrite_card(folder, video_features=None),
    "a card without interval": lambda folder: rewrite_card(folder, interval_mos=None),
    "a card without ranges": lambda folder: rewrite_card(folder, relevance_ranges={}),
    "a card without hash": lambda folder: rewrite_card(folder, weights_sha256=None),
    "a card without labels": lambda folder: rewrite_card(folder, labels=None),
    "features that no table has": lambda folder: rewrite_card(folder, video_features=["colourfulness"]),
    "fewer features than weights": lambda folder: rewrite_card(folder, video_features=["adm2"]),
    "another network's weights": replace_weights,
    "pickled weights": lambda folder: (folder / "model.safetensors").write_bytes(b"\x80\x04."),
}


@pytest.mark.parametrize("fault", CHECKPOINT_FAULTS)
def test_a_checkpoint_is_refused_with(fault, run_command, example, checkpoint, tmp_path):
    CHECKPOINT_FAULTS[fault](checkpoint)
    outcome = run_command(
        "plan", example, "--budget", "2M", "--model", checkpoint, "--json", "-o", tmp_path / "plan.json"
    )
    assert outcome.code == FAILURE
    outcome.error_line()
    assert not (tmp_path / "plan.json").exists()


def test_an_empty_folder_is_no_checkpoint(run_command, example, tmp_path):
    outcome = run_command("plan", example, "--budget", "2M", "--model", tmp_path)
    assert outcome.code == FAILURE
    assert "no checkpoint" in outcome.error_line()


# Sources.


@pytest.fixture
def refuse_source(run_command, tmp_path, tiny_grid):
    """Extract a source that must be refused before any work, and return the line."""

    def refuse(*sources: Path, more: tuple[str, ...] = ()) -> str:
        output, cache = tmp_path / "features.parquet", tmp_path / "cache"
        outcome = run_command("extract", *sources, "-o", output, "--grid", tiny_grid, "--cache", cache, *more)
        assert outcome.code == FAILURE
        assert outcome.stdout == ""
        assert not output.exists()
        assert [path for path in cache.rglob("*") if path.is_file()] == []
        return outcome.error_line()

    return refuse


def test_a_source_that_is_a_folder_is_refused(refuse_source, tmp_path):
    assert "is a directory" in refuse_source(tmp_path)


def test_a_source_that_is_not_there_is_refused(refuse_source, tmp_path):
    assert "does not exist" in refuse_source(tmp_path / "none.mp4")


def test_an_empty_source_is_refused(refuse_source, tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    assert "is empty" in refuse_source(path)


@pytest.mark.parametrize(
    "text", ["hello\n", "é" * 3000, "xé" * 3000, "v=0\r\nm=video 5004 RTP/AVP 96\r\n", "<MPD></MPD>"]
)
def test_text_is_refused(text, refuse_source, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_text(text, encoding="utf-8")
    assert "is text" in refuse_source(path)


def test_random_bytes_are_refused(refuse_source, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(np.random.default_rng(3).bytes(20_000))
    assert "clip.mp4" in refuse_source(path)


def test_an_mp4_cut_before_its_index_is_refused(refuse_source, clip, tmp_path):
    whole = clip.read_bytes()
    assert whole.index(b"mdat") < whole.index(b"moov")
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    assert "cannot be opened as media" in refuse_source(path)


def test_an_mp4_cut_after_its_index_is_refused(run_command, make_media, tiny_grid, tmp_path):
    whole = make_media(
        *("indexed.mp4", "lavfi:testsrc2=size=96x64:rate=12:duration=6", "lavfi:sine=d=6"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-movflags", "+faststart"),
    ).read_bytes()
    assert whole.index(b"moov") < whole.index(b"mdat")
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: whole.index(b"mdat") + (len(whole) - whole.index(b"mdat")) // 2])
    output = tmp_path / "features.parquet"
    outcome = run_command(
        "extract", path, "-o", output, "--grid", tiny_grid, "--cache", tmp_path / "cache", "--jobs", "1"
    )
    assert outcome.code == FAILURE
    assert "truncated" in outcome.error_line()
    assert not output.exists()


def test_a_source_without_audio_is_refused(refuse_source, make_media):
    path = make_media("mute.mp4", "lavfi:testsrc2=size=96x64:rate=12:duration=1")
    assert "has no audio track" in refuse_source(path)


def test_a_source_without_video_is_refused(refuse_source, make_media):
    assert "has no video track" in refuse_source(make_media("sound.wav", "lavfi:sine=d=1"))


def test_a_source_that_is_not_there_stops_all_before_any_work(refuse_source, clip, tmp_path):
    assert "none.mp4 does not exist" in refuse_source(clip, tmp_path / "none.mp4")


def test_a_source_under_a_second_is_refused(run_command, make_media, tiny_grid, tmp_path):
    path = make_media("blink.mkv", "lavfi:testsrc2=size=96x64:rate=12:duration=0.5", "lavfi:sine=d=0.5")
    outcome = run_command("extract", path, "-o", tmp_path / "f.parquet", "--grid", tiny_grid, "--cache", tmp_path / "c")
    assert outcome.code == FAILURE
    assert "at least 1 s" in outcome.error_line()


REFERENCES = {
    "playlist.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n",
    "playlist.mp4": "\ufeff#EXTM3U\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n",
    "list.mp4": "ffconcat version 1.0\nfile '{target}'\n",
    "binary-list.mp4": "ffconcat version 1.0\nfile '{target}'\n# \0\n",
    "manifest.mp4": '<?xml version="1.0"?><MPD type="static"><Period><BaseURL>{target}</BaseURL></Period></MPD>\0',
    "session.mp4": "v=0\r\nc=IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\na={target}\0\r\n",
}


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("target", ["file", "url"])
def test_what_a_source_points_to_is_never_opened(name, target, refuse_source, tmp_path):
    """The file that is pointed to would block for ever if it was opened; the host that is pointed to counts calls."""
    pipe = tmp_path / "target.ts"
    os.mkfifo(pipe)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/target.ts"
        path = tmp_path / name
        path.write_bytes(REFERENCES[name].format(target=pipe if target == "file" else url).encode())
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.append(refuse_source(path)), daemon=True)
        reader.start()
        reader.join(20)
        blocked = reader.is_alive()
        if blocked:  # let it go on
            os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))
        assert not blocked
        assert len(lines) == 1 and name in lines[0]
        with pytest.raises(BlockingIOError):
            server.accept()


# Grids and tools.


@pytest.mark.parametrize(
    ("text", "message"),
    [("[video", "grid"), ("[audio]\naac = ['48k']\n", "needs video targets"), ("[vidio]\n", "unknown table")],
)
def test_a_bad_grid_is_refused(text, message, run_command, clip, tmp_path):
    grid = tmp_path / "grid.toml"
    grid.write_text(text)
    outcome = run_command("extract", clip, "-o", tmp_path / "f.parquet", "--grid", grid, "--cache", tmp_path / "cache")
    assert outcome.code == FAILURE
    assert message in outcome.error_line()


def test_an_unknown_grid_is_refused_with_the_names_of_those_there_are(run_command, clip, tmp_path):
    outcome = run_command(
        "extract", clip, "-o", tmp_path / "f.parquet", "--grid", "qick", "--cache", tmp_path / "cache"
    )
    assert outcome.code == FAILURE
    assert "quick" in outcome.error_line()


@pytest.mark.parametrize("program", ["/no/such/ffmpeg", "true", "false"])
def test_a_program_that_is_not_ffmpeg_is_refused(program, run_command, clip, tiny_grid, tmp_path):
    outcome = run_command(
        *("extract", clip, "-o", tmp_path / "f.parquet", "--grid", tiny_grid, "--cache", tmp_path / "cache"),
        *("--ffmpeg", program),
    )
    assert outcome.code == FAILURE
    assert program in outcome.error_line()


# Outputs.


def test_an_output_that_is_the_input_is_a_usage_error_and_stays_whole(run_command, example, clip, tmp_path):
    table = tmp_path / "table.parquet"
    shutil.copy(example, table)
    link = tmp_path / "link.parquet"
    link.symlink_to(table)
    picture = tmp_path / "table.png"
    shutil.copy(example, picture)
    source = tmp_path / "source.mp4"
    shutil.copy(clip, source)
    for words in (
        ["plan", table, "--budget", "2M", "-o", table],
        ["plan", table, "--budget", "2M", "-o", link],
        ["relevance", picture, "-o", picture],
        ["extract", source, "-o", source],
    ):
        outcome = run_command(*words)
        assert outcome.code == USAGE
        assert "is also an input" in outcome.error_line()
    assert table.read_bytes() == picture.read_bytes() == example.read_bytes()
    assert source.read_bytes() == clip.read_bytes()


@pytest.mark.parametrize("command", [["plan", "TABLE", "--budget", "2M"], ["relevance", "TABLE"], ["extract", "CLIP"]])
def test_an_output_in_no_folder_is_refused_before_any_work(command, run_command, example, clip, tmp_path):
    words = [{"TABLE": example, "CLIP": clip}.get(word, word) for word in command]
    outcome = run_command(*words, "-o", tmp_path / "none" / "out.png")
    assert outcome.code == FAILURE
    assert "there is no folder" in outcome.error_line()
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_is_a_folder_is_refused(run_command, example, tmp_path):
    outcome = run_command("plan", example, "--budget", "2M", "-o", tmp_path)
    assert outcome.code == FAILURE
    assert "is a folder" in outcome.error_line()


def test_an_output_that_cannot_be_written_is_refused(run_command, example, clip, tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir()
    # Permission bits mean nothing to root, so the answer of the system is given here.
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed and may(path, mode))
    for words in (["plan", example, "--budget", "2M"], ["extract", clip]):
        outcome = run_command(*words, "-o", closed / "out.parquet")
        assert outcome.code == FAILURE
        assert "permission denied" in outcome.error_line()
    assert list(closed.iterdir()) == []


def test_an_output_on_a_full_disk_leaves_the_old_file(run_command, example, tmp_path, monkeypatch):
    old = tmp_path / "plan.txt"
    old.write_text("the old plan\n")

    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    outcome = run_command("plan", example, "--budget", "2M", "-o", old)
    assert outcome.code == FAILURE
    assert "No space left on device" in outcome.error_line()
    assert [path.name for path in tmp_path.iterdir()] == ["plan.txt"]
    assert old.read_text() == "the old plan\n"


def test_a_cache_that_cannot_be_made_is_refused(run_command, clip, tiny_grid, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way\n")
    outcome = run_command(
        "extract", clip, "-o", tmp_path / "f.parquet", "--grid", tiny_grid, "--cache", blocked / "cache"
    )
    assert outcome.code == FAILURE
    assert "choose another with --cache" in outcome.error_line()
