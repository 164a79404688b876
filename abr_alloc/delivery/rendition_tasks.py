"""The units of work of an encode: one per video rendition, and one per audio track, which is decoded once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from abr_alloc.delivery.folder import DeliveryFolder
from abr_alloc.disk import disk_errors
from abr_alloc.encoders import AudioEncoder, VideoEncoder
from abr_alloc.errors import MediaError
from abr_alloc.formats.delivery_record import AudioOrder, VideoOrder
from abr_alloc.media.audio_cutting import cut_audio
from abr_alloc.media.audio_encoding import WITH_DIALNORM, encode_audio
from abr_alloc.media.cmaf import encode_rendition, package, read_segments
from abr_alloc.media.coding import SAMPLE_RATE_HZ, gop_frames
from abr_alloc.media.encoder_arguments import Ask, num_passes
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import AudioTarget, VideoTarget
from abr_alloc.media.loudness import pcm_loudness
from abr_alloc.media.mix import MIXED_CHANNELS
from abr_alloc.media.probe import MediaInfo, require_unchanged
from abr_alloc.media.sound import decode_audio
from abr_alloc.targets import Target

__all__ = ["EncodeAudioTask", "EncodeVideoTask", "delivery_ask", "frames_told"]

_SILENT_S = 0.5
"""How much sound a further track may lack without a word, seconds."""
_WITHOUT_SEI = "filter_units=remove_types=39"  # prefix SEI messages: Rec. ITU-T H.265, Table 7-1
_FIRST_PASS_SHARE = 0.35  # of the time of both, x264 and x265 at their faster presets


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeVideoTask:
    """Encode a video rendition, cut it, and put it in its place."""

    ffmpeg: FFmpeg
    info: MediaInfo
    order: VideoOrder
    encoder: VideoEncoder
    num_frames: int
    segment_s: Fraction
    threads: int
    below: Path
    """Where its folder goes."""

    @property
    def label(self) -> str:
        return f"{self.info.path.name}: {self.order.name}"

    @property
    def work(self) -> float:
        """Rough cost, in frames of full HD at a tenth of a bit per pixel; decoding the source takes a part."""
        pixels = self.order.width_px * self.order.height_px
        bits_per_pixel = 1000.0 * self.order.asked_kbps / (float(self.info.fps) * pixels)
        encoding, decoding = pixels * (10.0 * bits_per_pixel) ** 0.25, 0.2 * self.info.width_px * self.info.height_px
        return self.num_frames * (encoding + decoding) / (1920 * 1080)

    def done_share(self, folder: DeliveryFolder) -> float:
        """How much of it is done while it runs, by what its encoder tells."""
        two_passes = num_passes(delivery_ask(self.encoder, self.order)) == 2
        passes = (_FIRST_PASS_SHARE, 1.0 - _FIRST_PASS_SHARE) if two_passes else (1.0,)
        return sum(
            share * min(1.0, frames_told(folder.progress_path(self.order.name, number)) / self.num_frames)
            for number, share in enumerate(passes)
        )

    def run(self, folder: DeliveryFolder) -> None:
        order = self.order
        with disk_errors(folder.root), folder.work_dir() as work_dir:
            encode, cut = work_dir / "video.mp4", work_dir / "cut"
            cut.mkdir()
            target = VideoTarget(
                codec=order.codec,
                width_px=order.width_px,
                height_px=order.height_px,
                target=order.name,
                encoder=self.encoder,
            )
            encode_rendition(
                self.ffmpeg,
                self.info,
                target,
                delivery_ask(self.encoder, order),
                encode,
                threads=self.threads,
                progress=[folder.progress_path(order.name, number) for number in range(2)],
            )
            require_unchanged(self.info)
            package(self.ffmpeg, encode, self.segment_s, cut, bitstream_filter=self._bitstream_filter)
            self._check(cut)
            folder.accept(cut, order.name, below=self.below)

    @property
    def _bitstream_filter(self) -> str:
        """HDR10's static metadata stands in the sample description; x265 repeats it in the first sample, where Apple
        does not want it (1.8). With captions, which are SEI messages too, it stays."""
        is_hdr10 = self.order.codec == "hevc" and self.order.dynamic_range == "PQ"
        return _WITHOUT_SEI if is_hdr10 and not self.info.has_captions else ""

    def _check(self, cut: Path) -> None:
        segments = read_segments(cut)
        count = sum(segment.num_frames for segment in segments)
        closed = all(segment.starts_with_idr for segment in segments)
        if count != self.num_frames or not closed:
            what = (
                f"has {count} frames, not {self.num_frames}" if closed else "has a segment that begins without an IDR"
            )
            raise self._error(f"{what}; please report this source")
        of_range = {"PQ": "smpte2084", "HLG": "arib-std-b67"}.get(order_range := self.order.dynamic_range)
        silent = next((s.transfer for s in segments if of_range is not None and s.transfer != of_range), None)
        if silent is not None:
            raise self._error(
                f"is to be {order_range}, and its encode says {silent or 'nothing'} of its transfer; let the encoder "
                f"{self.encoder.name!r} write {of_range}"
            )
        wanted = round(self.segment_s * self.info.fps)
        unlike = next((segment.num_frames for segment in segments[:-1] if segment.num_frames != wanted), None)
        if unlike is not None:
            gop = gop_frames(self.info.fps, self.encoder.gop_s)
            raise self._error(
                f"has no key frame every {gop} frames, so that a segment is of {unlike} frames, not {wanted}; let the "
                f"encoder {self.encoder.name!r} put them there ({{gop}} in a command), and none at scene cuts"
            )

    def _error(self, text: str) -> MediaError:
        return MediaError(f"{self.info.path}: {self.order.name} {text}", path=str(self.info.path))


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeAudioTask:
    """Decode an audio track once, encode every rendition of it that is missing, and cut them."""

    ffmpeg: FFmpeg
    info: MediaInfo
    orders: tuple[AudioOrder, ...]
    encoders: Mapping[str, AudioEncoder]
    """Those that its targets name."""
    duration_s: float
    segment_s: Fraction
    starts_s: tuple[Fraction, ...] = ()
    """When segments begin, seconds, where those of video are of unequal length."""

    @property
    def label(self) -> str:
        return f"{self.info.path.name}: {self._track}"

    @property
    def _track(self) -> str:
        number, language = self.orders[0].track, self.orders[0].label
        named = f" ({language})" if language else ""
        return "audio" if number is None else f"audio track {number}{named}"

    @property
    def work(self) -> float:
        """Rough cost, in frames of full HD."""
        return len(self.orders) * self.duration_s * 0.2

    def done_share(self, folder: DeliveryFolder) -> float:
        return sum(folder.has(order.name) for order in self.orders) / max(1, len(self.orders))

    def run(self, folder: DeliveryFolder) -> tuple[str, ...]:
        """Returns what a user should be told of the track."""
        with disk_errors(folder.root), folder.work_dir() as work_dir:
            sounds: dict[int, tuple[Path, float | None]] = {}  # by channels: samples, and how loud they are
            for channels in dict.fromkeys(_decoded_channels(order) for order in self.orders):
                pcm = work_dir / f"audio-{channels}.f32"
                facts = decode_audio(self.info, self.duration_s, pcm, channels=channels)
                tells = any(o.codec in WITH_DIALNORM and _decoded_channels(o) == channels for o in self.orders)
                sounds[channels] = pcm, pcm_loudness(self.ffmpeg, pcm, channels).lufs if tells else None
            require_unchanged(self.info)
            for number, order in enumerate(self.orders):
                encode, cut = work_dir / f"audio-{number}.mp4", work_dir / f"cut-{number}"
                cut.mkdir()
                target = AudioTarget(
                    codec=order.codec,
                    channels=order.channels,
                    target=order.target,
                    encoder=self.encoders.get(Target(order.target).encoder),
                )
                pcm, loudness_lufs = sounds[_decoded_channels(order)]
                encode_audio(self.ffmpeg, pcm, target, encode, loudness_lufs=loudness_lufs)
                if self.starts_s:
                    cut_audio(self.ffmpeg, encode, self.starts_s, cut)
                else:
                    package(self.ffmpeg, encode, self.segment_s, cut)
                folder.accept(cut, order.name)
        heard_s = facts.num_samples / SAMPLE_RATE_HZ
        if self.orders[0].track is None or heard_s > self.duration_s - _SILENT_S:  # of the film's own, others tell
            return ()
        return (f"{self._track} has {heard_s:.2f} s of sound in {self.duration_s:.2f} s; the rest is silence",)


def _decoded_channels(order: AudioOrder) -> int:
    """Channels that a source is decoded to for a rendition."""
    return MIXED_CHANNELS[order.channels > 2]


def delivery_ask(encoder: VideoEncoder, order: VideoOrder) -> Ask:
    """What an encoder is asked for, so that a ladder's rate comes of it."""
    mode = encoder.delivery_mode
    if encoder.kind_of(mode) == "b":
        return Ask(mode=mode, number=order.asked_kbps)
    if not order.probes and not encoder.needs_values:  # its probes were asked for rates, so no quality is known
        return Ask(mode=encoder.planned_rate_mode, number=order.asked_kbps)
    return Ask(mode=mode, number=encoder.nearest_value(mode, order.asked_value))


def frames_told(path: Path) -> int:
    """Frames that ffmpeg's progress report says are done; 0 where it says nothing yet."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 1000))
            told = [line for line in file.read().split(b"\n") if line.startswith(b"frame=")]
        return int(told[-1].removeprefix(b"frame=")) if told else 0
    except (OSError, ValueError):
        return 0
