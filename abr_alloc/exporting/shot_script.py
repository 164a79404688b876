"""A POSIX shell script that encodes a ladder whose rungs give every scene its own parameters.

Every scene is encoded by itself, in all sizes from one decode of it; then the scenes of a rendition are joined without
another encode, and cut for HLS beside the audio. Frames are chosen by their place on the title's clock, so a scene has
the same frames however much of the film is skipped on the way to it.

Asked for a quality, x264 and x265 find the quantiser of a key frame from the frames before it: a scene is led in by a
still second, as `media.shot_encoding` does it, which ffmpeg's segment muxer cuts off.
"""

from __future__ import annotations

from abr_alloc.allocation.rendition import VideoRendition
from abr_alloc.errors import ExportError, LadderFormatError
from abr_alloc.exporting.ffmpeg_script import (
    AUDIO,
    CLOSED_GOPS,
    audio_words,
    hls_words,
    master_lines,
    quoted,
    script_head,
    software_of,
)
from abr_alloc.exporting.planned import (
    LadderPlan,
    distinct_renditions,
    rendition_names,
    require_codecs,
)
from abr_alloc.exporting.planned_shots import planned_level
from abr_alloc.exporting.presentation import PLAYLIST_NAME
from abr_alloc.targets import Target

__all__ = ["shot_script"]

_LEAD_FRAMES = 24
_SKIPPED_S = 1.0
"""Reading begins so long before a scene, at a key frame of the source or earlier."""

_KINDS = ("crf", "qp")

_ABOUT = """\
# Every scene is encoded by itself in the folder "scenes", which is removed in the end; then they are joined.
"""

_SHOT = """
# NUMBER FIRST_FRAME END_FRAME SEEK_S LEAD_FRAMES QUALITY...: one scene, with the quality of every video.
scene() {{
    number=$1 first=$2 end=$3 seek=$4 lead=$5
    shift 5
    echo "scene $number of {count}" >&2
    part=1 split=$lead
    if [ "$lead" -eq 0 ]; then part=0 split=999999999; fi
    {command}
    for video in {numbers}; do
        mv "scenes/$video/$number-$part.mp4" "scenes/$video/$number.mp4"
        echo "file '$video/$number.mp4'" >> "scenes/$video.txt"
    done
    rm -f scenes/*/"$number"-*.mp4
}}
"""

_CHECK = """
for name in {names}; do
    counted=$("$ffmpeg" -nostdin -v error -i "$name/{playlist}" -map 0:v:0 -c copy -progress pipe:1 -f null - |
        sed -n 's/^frame=//p' | tail -n 1)
    if [ "$counted" != {frames} ]; then
        echo "$name has $counted frames, not {frames}: give the source that the ladder was designed from" >&2
        exit 1
    fi
done
rm -r scenes
"""


def shot_script(plan: LadderPlan) -> str:
    """The script as text: `sh encode.sh SOURCE DIR`.

    Raises:
        ExportError: the ladder has a codec or encoder that the script does not encode, scenes of a rung differ in size,
            or are asked for rates.
        LadderFormatError: scenes have no frames, or targets that cannot be read.
    """
    require_codecs(plan.rungs, "the ffmpeg script", tuple(CLOSED_GOPS), AUDIO)
    names = rendition_names(plan.rungs)
    videos, audios = distinct_renditions(plan.rungs)
    spans = _spans(videos, plan)
    commands = ['"$ffmpeg" -nostdin -y -v warning -protocol_whitelist file,pipe -noaccurate_seek -copyts'
                ' -start_at_zero -ss "$seek" -i "$source"']  # fmt: skip
    commands += [_video(n, video, plan) for n, video in enumerate(videos, start=1)]
    numbers = " ".join(str(n) for n, _ in enumerate(videos, start=1))
    lines = [
        script_head(plan, about=_ABOUT),
        f"rm -rf scenes\nmkdir -p {' '.join(f'scenes/{n}' for n in numbers.split())}\n",
    ]
    lines.append(_SHOT.format(count=len(spans), command=" \\\n        ".join(commands), numbers=numbers))
    for index, (first, end) in enumerate(spans):
        seek_s = max(0.0, float(first / plan.fps) - _SKIPPED_S)
        values = " ".join(f"{Target(video.shots[index].target).number:g}" for video in videos)
        lead = _LEAD_FRAMES if index else 0
        lines.append(f"scene {index + 1:05d} {first} {end} {seek_s:.3f} {lead} {values}\n")
    groups = [["-nostdin", "-y", "-v", "warning", "-protocol_whitelist", "file,pipe"]]
    groups += [["-f", "concat", "-safe", "0", "-i", f"scenes/{n}.txt"] for n in numbers.split()]
    groups += [["-i", "$source"]]
    groups += [_copied(n, plan) for n, _ in enumerate(videos)]
    groups += [audio_words(n, audio, source=len(videos)) for n, audio in enumerate(audios)]
    # Cut at the first key frame from there on: no segment is longer than a segment and no GOP is divided.
    groups += hls_words(
        plan,
        names,
        videos,
        audios,
        segment_s=max(plan.segment_s - plan.gop_frames / plan.fps, plan.gop_frames / plan.fps),
    )
    words = [" ".join(map(quoted, group)) for group in groups]
    lines.append("\n" + " \\\n    ".join(['"$ffmpeg"', *words, f"%v/{PLAYLIST_NAME}"]) + "\n")
    checked = " ".join(quoted(names[video]) for video in videos)
    lines.append(_CHECK.format(names=checked, playlist=PLAYLIST_NAME, frames=spans[-1][1]))
    return "".join([*lines, master_lines(plan)])


def _spans(videos: list[VideoRendition], plan: LadderPlan) -> list[tuple[int, int]]:
    """First frame of every scene and first frame after it, the same in all renditions."""
    found: list[tuple[int, int]] = []
    for video in videos:
        if len({(shot.width_px, shot.height_px) for shot in video.shots}) > 1:
            raise ExportError(
                f"the ffmpeg script cannot join scenes of unlike size, and a rung of {video.bitrate_kbps:.0f} kbps of "
                f"{plan.title!r} has them; encode the ladder with `abr-alloc encode`, or design it without `free_size`"
            )
        kinds = {Target(shot.target).kind for shot in video.shots}
        if len(kinds) != 1 or not kinds <= {*_KINDS}:
            raise ExportError(
                f"the ffmpeg script asks scenes for a CRF or QP, and the ladder of {plan.title!r} for "
                f"{video.shots[0].target}; encode it with `abr-alloc encode`"
                if video.shots
                else f"some rungs of {plan.title!r} have scenes of their own and others none; design the ladder again"
            )
        own = [(round(shot.start_s * plan.fps), round(shot.end_s * plan.fps)) for shot in video.shots]
        ends = [0, *(end for _, end in own)]
        if found not in ([], own) or [first for first, _ in own] != ends[:-1] or any(a >= b for a, b in own):
            raise LadderFormatError(
                f"the scenes of {plan.title!r} are not all frames at {plan.fps} frames per second, one after "
                "the other, in all rungs; design the ladder again, or leave `fps` out"
            )
        found = own
    return found


def _video(n: int, video: VideoRendition, plan: LadderPlan) -> str:
    """Words of the n-th video of a scene; its quality is the n-th of the function's own words."""
    encoder, software = software_of(video, plan)
    kind = Target(video.shots[0].target).kind
    chain = f"fps=fps={plan.fps}:start_time=0,trim=start_frame=$first:end_frame=$end"
    chain += f",scale={int(video.width_px)}:{int(video.height_px)}:flags=bicubic,setsar=1"
    chain += f",tpad=start=$lead:start_mode=clone,settb={1 / plan.fps},setpts=N"
    words = [
        "-map",
        "0:v:0",
        "-an",
        "-sn",
        "-dn",
        "-map_metadata",
        "-1",
        "-vf",
        f'"{chain}"',
        "-fps_mode",
        "passthrough",
    ]
    words += [
        "-pix_fmt",
        encoder.pixel_format or "yuv420p",
        "-c:v",
        software.name,
        software.preset_option,
        encoder.preset,
    ]
    words += [quoted(word) for word in encoder.args]
    words += [f"-{kind}", f'"${{{n}}}"', *software.quality]
    gop = plan.gop_frames
    words += ["-g", str(gop), "-keyint_min", str(gop), "-force_key_frames", '"expr:eq(n,$lead)"', "-forced-idr", "1"]
    closed = [
        word.replace(":v:0", ":v") for word in CLOSED_GOPS[video.codec](0, gop, planned_level(video, plan.fps).name)
    ]
    option = f"{software.params_option}:v"
    own = closed[closed.index(option) + 1] if option in closed else ""
    params = ":".join(filter(None, (encoder.params, own, software.shot_params)))
    if option in closed:
        at = closed.index(option)
        del closed[at : at + 2]
    words += [*map(quoted, closed), *([option, quoted(params)] if params else [])]
    words += ["-f", "segment", "-segment_format", "mp4", "-segment_frames", '"$split"', "-reset_timestamps", "1"]
    return " ".join([*words, f'"scenes/{n}/$number-%d.mp4"'])


def _copied(n: int, plan: LadderPlan) -> list[str]:
    """A joined video; lengths of files are known to the microsecond, so times are put back on the frames' own."""
    pts, dts = (f"round(round({time}*TB*({plan.fps}))/({plan.fps})/TB)" for time in ("PTS", "DTS"))
    snapped = f"setts=pts={pts}:dts={dts}"
    return ["-map", f"{n}:v:0", f"-c:v:{n}", "copy", f"-bsf:v:{n}", snapped]
