"""Programs that are no ffmpeg: what they are given, and how far what they write is believed."""

from __future__ import annotations

import dataclasses
import threading
import time
from fractions import Fraction
from pathlib import Path

import pytest

from abr_alloc.encoder_settings import video_encoder_of
from abr_alloc.errors import MediaError, OutputError, ToolFailedError, ToolMissingError
from abr_alloc.media.command_encoder import Frames, encode_by_command
from abr_alloc.media.encoder_arguments import Ask
from abr_alloc.media.packets import read_packets
from abr_alloc.media.programs import stop_children

SOURCE = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=24:duration=2")
NUM_FRAMES = 48


def frames(**changes) -> Frames:
    facts = {"width_px": 96, "height_px": 64, "num_frames": NUM_FRAMES, "samples": "yuv420p"}
    return Frames(source=SOURCE, chain="scale=96:64", fps=Fraction(24), **(facts | changes))


@pytest.fixture
def program(ffmpeg, tmp_path):
    """A program that encodes as `body` says, with `$FF` for an ffmpeg; its command takes y4m, value and out."""

    def write(body: str) -> Path:
        path = tmp_path / "myenc"
        path.write_text(f'#!/bin/sh\nFF="{ffmpeg.path} -v error -nostdin -y"\n{body}\n')
        path.chmod(0o755)
        return path

    return write


def encoded(ffmpeg, tmp_path, path: Path, *, out: str = "{out}", source: Frames | None = None, **settings) -> Path:
    command = [str(path), "{y4m}", "{value}", out, "{gop}"]
    encoder = video_encoder_of("mine", {"codec": "h264", "command": command, **settings})
    made = tmp_path / "made.mp4"
    encode_by_command(ffmpeg, encoder, Ask(mode="value", number=30.0), source or frames(), made, threads=1)
    assert {p.name for p in tmp_path.iterdir()} == {"made.mp4", "myenc"}  # nothing else is left
    return made


X264 = '$FF -i "$1" -c:v libx264 -preset veryfast -crf "$2" -g "$4" -keyint_min "$4" -sc_threshold 0'


@pytest.mark.parametrize("y4m", ["file", "pipe"])
@pytest.mark.parametrize(
    ("out", "form"), [("{out}", "-f h264"), ("{out}.h264", ""), ("{out}.mkv", ""), ("{out}.mp4", "")]
)
def test_any_container_or_elementary_stream_becomes_mp4_with_every_frame_in_its_place(
    ffmpeg, program, tmp_path, y4m: str, out: str, form: str
) -> None:
    made = encoded(ffmpeg, tmp_path, program(f'{X264} {form} "$3"'), out=out, y4m=y4m)
    packets = read_packets(made)
    assert [round(24 * at) for at in packets.start_s] == list(range(NUM_FRAMES))


def test_an_elementary_stream_has_the_pictures_that_its_encoder_was_given_in_order(ffmpeg, program, tmp_path) -> None:
    made = encoded(ffmpeg, tmp_path, program(f'{X264} -bf 3 -f h264 "$3"'))
    chain = "[0:v][1:v]psnr=stats_file=-"
    said = ffmpeg.run(["-i", made, *SOURCE, "-lavfi", chain, "-f", "null", "-"]).decode()
    psnr = [float(line.split("psnr_y:")[1].split()[0]) for line in said.splitlines() if "psnr_y" in line]
    assert len(psnr) == NUM_FRAMES and min(psnr) > 25


def test_a_shell_never_sees_a_command(ffmpeg, program, tmp_path) -> None:
    path = program(f'[ "$5" = \'| touch x; $(id)\' ] || exit 9\n{X264} -f h264 "$3"')
    command = [str(path), "{y4m}", "{value}", "{out}", "{gop}", "| touch x; $(id)"]
    encoder = video_encoder_of("mine", {"codec": "h264", "command": command})
    encode_by_command(ffmpeg, encoder, Ask(mode="value", number=30), frames(), tmp_path / "made.mp4", threads=1)


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ('echo "no licence" >&2; exit 3', ToolFailedError, "myenc failed with exit code 3: no licence"),
        ("exit 0", MediaError, r"the encoder 'mine' \(myenc\) ended well and wrote nothing to \{out\}"),
        (f'{X264} -frames:v 40 -f h264 "$3"', MediaError, "wrote 40 frames for 48; leave out what drops"),
        (f'{X264} -vf scale=48:32 -f h264 "$3"', MediaError, "wrote 48x32 pixels for frames of 96x64"),
        ('$FF -i "$1" -c:v libx265 -f hevc "$3"', MediaError, "wrote hevc, not h264; correct the codec in its grid"),
        (f'{X264} -r 30 -vf setpts=N/30/TB -f mp4 "$3"', MediaError, r"wrote \d+\.\d+ frames/s for 24\.000"),
        ('echo "hello, this is no video" > "$3"', MediaError, "wrote what is no video that can be read"),
    ],
)
def test_what_a_program_does_wrong_is_told_by_its_name(ffmpeg, program, tmp_path, body, error, message) -> None:
    with pytest.raises(error, match=message):
        encoded(ffmpeg, tmp_path, program(body))
    assert {p.name for p in tmp_path.iterdir()} <= {"made.mp4", "myenc"}


def test_a_program_that_reads_no_more_of_its_pipe_does_not_stall(ffmpeg, program, tmp_path) -> None:
    with pytest.raises(ToolFailedError, match="exit code 3"):
        encoded(ffmpeg, tmp_path, program("exit 3"), y4m="pipe")
    with pytest.raises(MediaError, match=r"before it had read all frames|wrote nothing"):
        encoded(ffmpeg, tmp_path, program('head -c 9999 "$1" > /dev/null'), y4m="pipe")


def _stop_once_there(pid: Path) -> None:
    while not pid.exists() or not pid.read_text():
        time.sleep(0.05)
    stop_children()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("sleep 300 & echo $! > PID; wait", "did nothing for 1 s and was ended"),
        ("sleep 300 & echo $! > PID", "wrote nothing"),
        ("sleep 300 & echo $! > PID; yes; exit 3", None),
    ],
)
def test_what_a_program_started_ends_with_it(ffmpeg, program, tmp_path_factory, tmp_path, body, message) -> None:
    pid, stalls = tmp_path_factory.mktemp("pid") / "pid", dataclasses.replace(ffmpeg, stall_s=1.0)
    path = program(body.replace("PID", str(pid)))
    if message is None:  # as Ctrl-C does; what it says without end fills no memory
        threading.Thread(target=_stop_once_there, args=[pid], daemon=True).start()
    with pytest.raises(MediaError, match=message):
        encoded(stalls, tmp_path, path)
    assert {p.name for p in tmp_path.iterdir()} == {"myenc"}
    state = Path(f"/proc/{pid.read_text().strip()}/stat")
    deadline = time.monotonic() + 5
    while state.exists() and " Z " not in state.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not state.exists() or " Z " in state.read_text()


def test_a_program_that_is_not_there_is_named_before_any_work(ffmpeg, tmp_path) -> None:
    with pytest.raises(ToolMissingError, match="the program '/no/such/encoder' of the encoder 'mine' is not there"):
        encoded(ffmpeg, tmp_path, Path("/no/such/encoder"))


def test_frames_that_no_disk_holds_are_refused_with_the_way_out(ffmpeg, program, tmp_path) -> None:
    with pytest.raises(OutputError, match='give y4m = "pipe"'):
        encoded(ffmpeg, tmp_path, program("exit 0"), source=frames(num_frames=10**12))
