"""Trials of encoders: what runs, what does not and why, each by itself."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from abr_alloc.media.encoder_trial import (
    ABSENT,
    FAILS,
    FDKAAC,
    RUNS,
    Trial,
    look_at_encoders,
    short_reason,
    try_encoders,
)


def test_each_encoder_is_tried_by_itself(ffmpeg) -> None:
    """`libx264rgb` is in no table here and takes other samples; a name that ffmpeg has not is absent."""
    found = try_encoders(ffmpeg, ["libx264", "flac", "libx264rgb", "no-such-encoder"])
    assert [*found] == ["libx264", "flac", "libx264rgb", "no-such-encoder"]
    assert [trial.state for trial in found.values()] == [RUNS, RUNS, RUNS, ABSENT]
    listed_only = replace(ffmpeg, encoders=ffmpeg.encoders | {"no-such-encoder"})
    assert try_encoders(listed_only, ["no-such-encoder"])["no-such-encoder"].state == FAILS


def test_one_that_hangs_is_given_up_and_others_are_not_held_up(ffmpeg, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("abr_alloc.media.encoder_trial._PATIENCE_S", 0.3)
    program = tmp_path / "ffmpeg"
    program.write_text('#!/bin/sh\ncase "$*" in *libx264*) exec sleep 60;; esac\n')
    program.chmod(0o755)
    began = time.monotonic()
    found = try_encoders(replace(ffmpeg, path=str(program)), ["libx264", "libx265"])
    assert time.monotonic() - began < 5
    assert found["libx265"] == Trial(state=RUNS) and found["libx264"].reason == "no answer within 0.3 s"


def test_without_an_ffmpeg_only_the_program_can_run(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert {encoder.trial.state for encoder in look_at_encoders(None)} == {ABSENT}
    (tmp_path / FDKAAC).write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    (tmp_path / FDKAAC).chmod(0o755)
    (program,) = (encoder for encoder in look_at_encoders(None) if encoder.name == FDKAAC)
    assert program.trial == Trial(state=FAILS, reason="broken")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("[h264_nvenc @ 0x5581] Cannot load libcuda.so.1\n[enc:h264_nvenc @ 0x55] Error\n", "Cannot load libcuda.so.1"),
        ("\n[vost#0:0/x @ 0x1] [enc:x @ 0x2] No device.\n", "No device"),
        (
            "implib-gen: libva-drm.so.2: failed to load library 'libva-drm.so.2' via dlopen: libva-drm.so.2: "
            "cannot open shared object file: No such file or directory\n",
            "cannot load libva-drm.so.2",
        ),
        ("x" * 300, "x" * 107 + "..."),
        ("a\x1b[31mb\tc", "a [31mb c"),
        ("", ""),
    ],
)
def test_a_reason_is_the_first_thing_said_without_who_says_it(said: str, reason: str) -> None:
    assert short_reason(said) == reason
