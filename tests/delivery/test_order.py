"""From a ladder file and a source to what is encoded, with every reason against it told before any work."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest

from abr_alloc.allocation.rendition import Probe, VideoRendition
from abr_alloc.delivery.chosen_ladder import choose_ladder
from abr_alloc.delivery.order import check_source, make_order
from abr_alloc.delivery.ordered_encoders import check_gops, probed_values, refuse_strange_commands, video_encoder
from abr_alloc.delivery.rendition_tasks import delivery_ask
from abr_alloc.encoder_settings import encoders_of, video_encoder_of
from abr_alloc.encoders import default_encoder
from abr_alloc.errors import DeliveryError, LadderFormatError, ToolMissingError
from abr_alloc.formats.delivery_record import VideoOrder
from abr_alloc.formats.ladder_file import read_ladders
from abr_alloc.measure.cache import open_cache
from abr_alloc.measure.tasks import command_key
from abr_alloc.media.encoder_arguments import Ask
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.programs import program_sha256


def info(**changes) -> MediaInfo:
    about = {"path": Path("film.mp4"), "duration_s": 10.0, "width_px": 1280, "height_px": 720, "fps": Fraction(25)}
    sound = {"bit_depth": 8, "interlaced": False, "channels": 2, "sample_rate_hz": 48000}
    return MediaInfo(**(about | sound | changes))


def checked(ladder: Path, **changes) -> None:
    check_source(info(**changes), read_ladders(ladder)[0])


# Which ladder.


def test_a_ladder_of_its_name_serves_a_source_of_any_hash(write_ladder, caplog):
    path = write_ladder(titles={"film": ("64x36 40 + aac 32",), "other": ("64x36 50 + aac 32",)})
    found = choose_ladder(path, Path("film.mp4"), "hash")
    assert (found.ladder.title, found.model, found.facts) == ("film", "attentive", None)
    assert not caplog.records


@pytest.mark.parametrize(
    ("screen", "phones"), [({}, 0.0), ({"screen": "phone"}, 1.0), ({"screen": "both", "phones": 0.6}, 0.6)]
)
def test_who_watches_on_what_comes_from_the_ladder_file(write_ladder, tmp_path, screen, phones):
    document = json.loads(write_ladder("64x36 40 + aac 32", title="film").read_text())
    document["options"] = document.get("options", {}) | screen
    (tmp_path / "ladder.json").write_text(json.dumps(document))
    assert choose_ladder(tmp_path / "ladder.json", Path("film.mp4"), "hash").phones == phones


def test_the_only_ladder_serves_any_source(write_ladder):
    path = write_ladder("64x36 40 + aac 32", title="film")
    assert choose_ladder(path, Path("some other.mkv"), "hash").ladder.title == "film"


def test_the_sources_hash_says_which_title_it_is_whatever_its_name(write_ladder, caplog):
    titles = {"film": ("64x36 40 + aac 32",), "other": ("64x36 50 + aac 32",)}
    path = write_ladder(titles=titles, hashes={"film": "a", "other": "b"})
    assert choose_ladder(path, Path("film.mp4"), "b").ladder.title == "other"
    assert not caplog.records


def test_a_shared_ladder_is_encoded_in_a_titles_own_sizes_with_its_own_avq(write_ladder):
    path = write_ladder("128x72 40 + aac 32", title="2 titles", hashes={"film": "a", "other": "b"})
    document = json.loads(path.read_text())
    (rung,) = document["ladders"][0]["rungs"]
    rung["titles"] = [
        {"title": "film", "width_px": 128, "height_px": 72, "avq_mos": 2.5, "note": ""},
        {"title": "other", "width_px": 96, "height_px": 72, "avq_mos": 3.5, "note": ""},
    ]
    path.write_text(json.dumps(document))
    found = {hash_: choose_ladder(path, Path("x.mp4"), hash_).ladder.rungs[0] for hash_ in ("a", "b", "c")}
    sizes = {hash_: (rung.video.width_px, rung.video.height_px, rung.avq_mos) for hash_, rung in found.items()}
    assert sizes == {"a": (128, 72, 2.5), "b": (96, 72, 3.5), "c": (128, 72, 3.0)}, "c is nobody's: the mean"


def test_scenes_are_those_of_the_sources_own_title_even_where_another_ladder_is_asked_for(write_ladder):
    titles = {"film": ("64x36 40 + aac 32",), "other": ("64x36 50 + aac 32",)}
    path = write_ladder(titles=titles, hashes={"film": "a", "other": "b"})
    document = json.loads(path.read_text())
    document["features"]["titles"] = {
        "film": {"fps": 23.976023976023978, "scenes_s": [[0.0, 4.0], [4.0, 9.0]]},
        "other": {"fps": 25.0, "scenes_s": [[0.0, 5.0]]},
    }
    path.write_text(json.dumps(document))
    found = choose_ladder(path, Path("x.mp4"), "a", title="other")
    assert found.ladder.title == "other"
    assert found.facts.scenes_s == ((0.0, 4.0), (4.0, 9.0))
    assert found.facts.fps == Fraction(24000, 1001)


def test_a_ladder_of_another_file_serves_with_a_warning(write_ladder, caplog):
    path = write_ladder("64x36 40 + aac 32", hashes={"film": "a"})
    assert choose_ladder(path, Path("film.mp4"), "b").facts is None
    assert "was designed from another file than film.mp4" in caplog.text


def test_a_source_without_a_ladder_is_told_which_there_are(write_ladder):
    path = write_ladder(titles={"a": ("64x36 40 + aac 32",), "b": ("64x36 40 + aac 32",)})
    with pytest.raises(DeliveryError, match=r"has no ladder for film\.mp4; choose one with `titles`: a, b$"):
        choose_ladder(path, Path("film.mp4"), "hash")


# Whether it fits.


@pytest.mark.parametrize(
    ("size", "own"),
    [
        ("1280x720", {}),
        ("426x240", {}),  # 1.775, not 1.778
        ("64x36", {}),
        ("32x18", {}),
        ("28x16", {}),  # 28.4
        ("720x1280", {"width_px": 720, "height_px": 1280}),
        ("64x96", {"width_px": 64, "height_px": 96}),
    ],
)
def test_a_size_that_rounding_explains_fits(size, own, write_ladder):
    checked(write_ladder(f"{size} 500 + aac 64"), **own)


@pytest.mark.parametrize("size", ["640x480", "640x400", "320x240", "720x1280", "32x24"])
def test_another_shape_is_refused(size, write_ladder):
    with pytest.raises(DeliveryError, match=r"of another shape|larger than"):
        checked(write_ladder(f"{size} 500 + aac 64"))


@pytest.mark.parametrize("size", ["1282x720", "1280x722", "1920x1080"])
def test_nothing_is_scaled_up(size, write_ladder):
    with pytest.raises(DeliveryError, match=f"is {size}, larger than film.mp4 .1280x720."):
        checked(write_ladder(f"{size} 500 + aac 64"))


def test_channels_are_mixed_down_to_stereo_but_never_to_mono(write_ladder):
    stereo, mono = write_ladder("1280x720 500 + aac 64"), write_ladder("1280x720 500 + aac mono 64")
    for channels in (1, 2, 6):
        checked(stereo, channels=channels)
    checked(mono, channels=1)
    for channels in (2, 6):
        with pytest.raises(DeliveryError, match="has mono audio, but"):
            checked(mono, channels=channels)


@pytest.mark.parametrize(("changes", "kind"), [({"width_px": 0}, "video"), ({"channels": 0}, "audio")])
def test_both_tracks_must_be_there(changes, kind, write_ladder):
    with pytest.raises(DeliveryError, match=f"has no {kind} track"):
        checked(write_ladder("1280x720 500 + aac 64"), **changes)


# The order.


def ordered(ladder: Path, ffmpeg, **words):
    chosen = choose_ladder(ladder, Path("film.mp4"), "hash")
    about = {"source_hash": "hash", "num_frames": 250, "scenes_s": [(0.0, 10.0)], "root": Path("out")}
    return make_order(info(), chosen, ffmpeg=ffmpeg, **(about | words))


def test_a_rendition_that_several_rungs_share_is_ordered_once(write_ladder, ffmpeg):
    ladder = write_ladder(
        "320x180 300 + aac 32", "640x360 600 + aac 32", "640x360 600 + aac 96", "hevc 640x360 900 + opus 96"
    )
    found = ordered(ladder, ffmpeg)
    assert found.stream_names == [
        *("video/320x180-300k", "video/640x360-600k", "video/hevc-640x360-900k"),
        *("audio/aac-32k", "audio/aac-96k", "audio/opus-96k"),
    ]
    assert [(rung.video, rung.audio) for rung in found.rungs] == [
        ("video/320x180-300k", "audio/aac-32k"),
        ("video/640x360-600k", "audio/aac-32k"),
        ("video/640x360-600k", "audio/aac-96k"),
        ("video/hevc-640x360-900k", "audio/opus-96k"),
    ]
    assert [video.asked_kbps for video in found.videos] == [300.0, 600.0, 900.0]
    assert [audio.target for audio in found.audios] == ["b=32k", "b=96k", "b=96k"]


def test_presets_are_those_of_extraction_or_as_asked_for(write_ladder, ffmpeg):
    ladder = write_ladder("320x180 300 + aac 32", "av1 640x360 600 + aac 32")
    assert [video.preset for video in ordered(ladder, ffmpeg).videos] == ["fast", "8"]
    assert {video.preset for video in ordered(ladder, ffmpeg, preset="6").videos} == {"6"}


def test_the_source_is_told_from_the_folder(write_ladder, ffmpeg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = ordered(write_ladder("320x180 300 + aac 32"), ffmpeg, root=Path("a/b"))
    assert found.source == "../../film.mp4"


def test_a_missing_encoder_is_told_before_any_work(write_ladder, ffmpeg):
    without = dataclasses.replace(ffmpeg, encoders=ffmpeg.encoders - {"libx265"})
    ordered(write_ladder("320x180 300 + aac 32"), without)
    with pytest.raises(ToolMissingError, match="libx265"):
        ordered(write_ladder("hevc 320x180 300 + aac 32"), without)


def test_a_codec_that_is_in_no_ladder_is_refused(write_ladder, ffmpeg):
    with pytest.raises(LadderFormatError, match="mpeg2"):
        ordered(write_ladder("mpeg2 320x180 300 + aac 32"), ffmpeg)


def rendition(target: str, kbps: float, *probes: tuple[str, float]) -> VideoRendition:
    around = tuple(Probe(target=text, bitrate_kbps=rate) for text, rate in probes)
    return VideoRendition(
        codec="h264", width_px=320, height_px=180, target=target, bitrate_kbps=kbps, nearest_probes=around
    )


def test_a_value_is_taken_from_between_the_probes_by_the_logarithm_of_the_rate() -> None:
    command = ["enc", "{y4m}", "{value}", "{out}"]
    mine = video_encoder_of("mine", {"codec": "h264", "command": command})
    video = rendition("b=200k@mine", 200.0, ("value=38@mine", 100.0), ("value=28@mine", 400.0))
    order = VideoOrder(
        name="video/a", codec="h264", width_px=320, height_px=180, preset="", planned_kbps=200, asked_kbps=200,
        encoder="mine", probes=probed_values(video, mine),
    )  # fmt: skip
    assert delivery_ask(mine, order).number == pytest.approx(33)  # halfway in octaves
    assert delivery_ask(mine, dataclasses.replace(order, asked_kbps=400)).number == pytest.approx(28)
    assert probed_values(rendition("value=38@mine", 100.0), mine)[0].value == 38
    assert probed_values(video, default_encoder("h264")) == ()


def test_vp9_is_asked_for_the_quality_that_was_probed_and_for_a_rate_where_rates_were() -> None:
    vp9 = default_encoder("vp9")
    order = VideoOrder(
        name="video/a", codec="vp9", width_px=320, height_px=180, preset="4", planned_kbps=200, asked_kbps=200
    )
    crfs = probed_values(rendition("b=200k", 200.0, ("crf=45", 100.0), ("crf=36", 400.0)), vp9)
    assert delivery_ask(vp9, dataclasses.replace(order, probes=crfs)) == Ask(mode="crf", number=40)  # whole numbers
    assert probed_values(rendition("b=200k", 200.0), vp9) == ()
    assert probed_values(rendition("b=200k", 200.0, ("crf=45", 100.0), ("b=400k", 400.0)), vp9) == ()
    assert delivery_ask(vp9, order) == Ask(mode="vbr-2pass", number=200)
    told = dataclasses.replace(vp9, delivery="crf")
    with pytest.raises(DeliveryError, match="nothing says which crf comes to 200 kbps"):
        probed_values(rendition("b=200k", 200.0), told)


def test_an_encoder_that_the_file_does_not_hold_and_a_label_are_refused() -> None:
    with pytest.raises(DeliveryError, match="of the encoder 'film', whose settings its file does not hold"):
        video_encoder(rendition("crf=28@film", 100.0), {})
    with pytest.raises(DeliveryError, match="'shipped' is a rendition that was measured as it is"):
        video_encoder(rendition("shipped", 100.0), {})
    film = video_encoder_of("film", {"codec": "h264", "preset": "slow", "gop_s": 4})
    assert video_encoder(rendition("crf=28@film", 100.0), {"film": film}) is film
    assert video_encoder(rendition("crf=28@film", 100.0), {"film": film}, "fast").preset == "fast"
    with pytest.raises(DeliveryError, match="h264 has a key frame every 2 s and film every 4 s"):
        check_gops([film, default_encoder("h264")])


@pytest.mark.parametrize("codec", ["h264", "opus"])
def test_a_command_runs_only_where_this_very_program_ran_from_a_grid(codec, tmp_path) -> None:
    program, cache = tmp_path / "enc", open_cache(tmp_path / "cache")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    command = [str(program), "{y4m}" if codec == "h264" else "{wav}", "{value}", "{out}"]

    def refused(**changes) -> bool:
        settings = {"codec": codec, "command": command} | changes
        try:
            refuse_strange_commands(SimpleNamespace(encoders={"mine": settings}), cache)
        except DeliveryError as error:
            assert "nothing here has run before" in str(error) and "`allow_commands`" in str(error)
            return True
        return False

    assert refused()
    (mine,) = encoders_of({"mine": {"codec": codec, "command": command}}).values()
    ran = dataclasses.replace(mine, program_sha256=program_sha256(str(program)))
    cache.put(command_key(ran), {})  # as extract does
    assert not refused() and not refused(program_sha256="0" * 64)  # what a file says of itself does not count
    assert refused(command=[*command, "--more"])
    program.write_text("#!/bin/sh\n# another version\n")
    assert refused() and refused(program_sha256=ran.program_sha256)
    program.unlink()
    assert refused() and refused(program_sha256=ran.program_sha256)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert not refused()
    with pytest.raises(DeliveryError, match="allow_commands"):
        order = SimpleNamespace(encoders={"mine": {"codec": codec, "command": command}})
        refuse_strange_commands(order, open_cache(tmp_path / "other"))
