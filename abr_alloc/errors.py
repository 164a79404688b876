"""The whole error tree.

AbrAllocError
├── ArgumentError             an argument of a function that is out of its range
├── UnitError                 a bitrate, duration or target that cannot be read
├── MediaError                a source or an encode
│   ├── ToolMissingError      a program or an encoder is not there
│   ├── ToolFailedError       a program ran and failed (command, exit code, tail of stderr)
│   ├── UnsupportedMediaError a source that is no single, decodable audio-visual file
│   ├── PackageError          an HLS or DASH package on disk that cannot be read, or not exactly
│   └── VmafLogError          a log of VMAF that cannot be taken for scores of a rendition
├── FailedTitlesError         some titles of several could not be measured
├── GridError                 a probing grid
├── FeatureTableError         a feature table or a table of ratings
├── CheckpointError           a model, or a model that does not fit the table
├── UnknownSystemError        a system to train or compare that does not exist
├── OwnSystemError            a system of one's own that fails
├── TuningError               a search for settings that cannot start or go on
├── ExtraMissingError         a library that only an extra installs
├── OutputError               a place that cannot be written
├── LocationError             a URL that nothing here can open
├── ClusterError              a cluster that cannot be reached or used
├── DeliveryError             a delivered folder, or a ladder that a source cannot be encoded as
├── InfeasibleBudgetError     nothing fits the budget and the limits
├── InfeasibleLadderError     no ladder keeps the constraints
├── AudienceError             a distribution of bandwidth
├── LadderFormatError         a ladder file, or a reference ladder
└── ExportError               a ladder that another program's format cannot take

Every error names the thing, the value and the next move in one line, and carries them as attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = [
    "AbrAllocError",
    "ArgumentError",
    "AudienceError",
    "CheckpointError",
    "ClusterError",
    "DeliveryError",
    "ExportError",
    "ExtraMissingError",
    "FailedTitlesError",
    "FeatureTableError",
    "GridError",
    "InfeasibleBudgetError",
    "InfeasibleLadderError",
    "InfeasibleLimits",
    "InfeasibleScene",
    "LadderFormatError",
    "LocationError",
    "MediaError",
    "OutputError",
    "OwnSystemError",
    "PackageError",
    "ToolFailedError",
    "ToolMissingError",
    "TuningError",
    "UnitError",
    "UnknownSystemError",
    "UnsupportedMediaError",
    "VmafLogError",
]


class AbrAllocError(Exception):
    """Base of every error that a user can cause or meet."""

    def __reduce__(self) -> tuple[Callable[..., AbrAllocError], tuple[object, ...]]:
        # Raised in worker processes: pickle would call `__init__` with the message alone.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[AbrAllocError], args: tuple[object, ...], attributes: dict[str, object]) -> AbrAllocError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


class ArgumentError(AbrAllocError, ValueError):
    """An argument of a function that is none of its choices, or out of its range."""


class UnitError(AbrAllocError, ValueError):
    """A bitrate, a duration or a target that cannot be read."""

    def __init__(self, message: str, *, value: str) -> None:
        super().__init__(message)
        self.value = value


class MediaError(AbrAllocError):
    """A source or an encode that cannot be used."""

    def __init__(self, message: str, *, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path


class ToolMissingError(MediaError):
    """A program, or an encoder inside it, that is not there."""

    def __init__(self, message: str, *, tool: str) -> None:
        super().__init__(message)
        self.tool = tool


class ToolFailedError(MediaError):
    """A program that ran and failed."""

    def __init__(self, command: Sequence[str], exit_code: int, stderr_tail: str) -> None:
        # ffmpeg says what went wrong first and what followed from it last.
        first = next((line.strip() for line in stderr_tail.splitlines() if line.strip()), "no message")
        program = command[0].replace("\\", "/").rpartition("/")[2]
        super().__init__(f"{program} failed with exit code {exit_code}: {first}")
        self.command = tuple(command)
        self.exit_code = exit_code
        self.stderr_tail = stderr_tail


class UnsupportedMediaError(MediaError):
    """A source that is not one decodable audio-visual file."""


class PackageError(MediaError):
    """An HLS or DASH package on disk that cannot be read, or whose streams cannot be joined exactly."""


class VmafLogError(MediaError):
    """A log of VMAF that cannot be read, or is not of this rendition, source and model."""


class FailedTitlesError(AbrAllocError):
    """Some titles of several, or renditions of a title, could not be measured; the others were."""

    def __init__(self, failures: Sequence[tuple[str, str]], num_titles: int, noun: str = "titles") -> None:
        names = ", ".join(name for name, _ in failures[:5]) + (", ..." if len(failures) > 5 else "")
        super().__init__(
            f"{len(failures)} of {num_titles} {noun} failed ({names}); "
            + ("the others are measured: " if len(failures) < num_titles else "")
            + "correct these and run the same command again"
        )
        self.failures = tuple(failures)
        self.num_titles = num_titles
        self.noun = noun

    def __reduce__(self) -> tuple[type[FailedTitlesError], tuple[tuple[tuple[str, str], ...], int, str]]:
        return type(self), (self.failures, self.num_titles, self.noun)


class GridError(AbrAllocError):
    """A probing grid that cannot be read or used."""


class FeatureTableError(AbrAllocError):
    """A feature table or a table of ratings that breaks its schema."""

    def __init__(
        self, message: str, *, path: str | None = None, column: str | None = None, row: int | None = None
    ) -> None:
        super().__init__(message)
        self.path = path
        self.column = column
        self.row = row


class CheckpointError(AbrAllocError):
    """A model that cannot be loaded, or that does not fit the table at hand."""


class UnknownSystemError(AbrAllocError):
    """A system to train or compare that does not exist, or a file that defines none."""

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class OwnSystemError(AbrAllocError):
    """A system of one's own that raises, or predicts what is no prediction."""

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class TuningError(AbrAllocError):
    """A search for settings that cannot start or go on."""


class ExtraMissingError(AbrAllocError, ImportError):
    """A library that only an extra of the package installs."""

    def __init__(self, message: str, *, library: str, extra: str) -> None:
        super().__init__(message)
        self.library = library
        self.extra = extra


class OutputError(AbrAllocError):
    """A place that cannot be written to."""


class LocationError(AbrAllocError):
    """A URL that nothing here can open."""

    def __init__(self, message: str, *, location: str) -> None:
        super().__init__(message)
        self.location = location


class ClusterError(AbrAllocError):
    """A cluster that cannot be reached, or whose workers cannot do the work."""

    def __init__(self, message: str, *, address: str, worker: str | None = None) -> None:
        super().__init__(message)
        self.address = address
        self.worker = worker


class AudienceError(AbrAllocError):
    """A distribution of bandwidth that cannot be read or used."""


class DeliveryError(AbrAllocError):
    """A ladder that a source cannot be encoded as, or a delivered folder that cannot be used."""


class InfeasibleLadderError(AbrAllocError):
    """No ladder keeps the constraints together; the message names the conflict."""

    def __init__(self, message: str, *, missing: float | None = None) -> None:
        super().__init__(message)
        self.missing = missing
        """Money, or MOS, that is missing for one; None where it is neither."""


class LadderFormatError(AbrAllocError):
    """A ladder file, or a reference ladder, that breaks its format."""


class ExportError(AbrAllocError):
    """A ladder that another program's format cannot take, or of which it needs to know more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfeasibleScene:
    """A scene no pair of which fits the budget, and the cheapest pair it has."""

    title: str
    """Title of the scene."""
    scene: int
    """Index of the scene in its title."""
    budget_kbps: float
    """The budget asked for, kbps."""
    video_kbps: float
    """Measured rate of the cheapest video rendition, kbps."""
    audio_kbps: float
    """Measured rate of the cheapest audio rendition, kbps."""
    total_kbps: float
    """Rate of the cheapest pair with container overhead, kbps."""

    hint = "raise `budget_kbps` or add a cheaper rendition to the grid"

    def __str__(self) -> str:
        return (
            f"{self.title!r} scene {self.scene}: a budget of {self.budget_kbps:g} kbps is below the cheapest pair, "
            f"{self.total_kbps:.1f} kbps (video {self.video_kbps:.1f} + audio {self.audio_kbps:.1f} + overhead)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InfeasibleLimits:
    """A title, or a scene of it, that cannot keep a budget, a largest rate and a least AVQ together."""

    title: str
    """Title."""
    scene: int | None
    """The scene to blame; None where no single one is."""
    budget_kbps: float
    """The budget asked for, kbps."""
    needed_kbps: float | None
    """The rate that would do, kbps: of the title's mean, or of the scene; None where no rate would."""
    reason: str
    """What cannot be had, and what it would cost."""
    hint: str
    """What to change."""

    def __str__(self) -> str:
        scene = "" if self.scene is None else f" scene {self.scene}"
        return f"{self.title!r}{scene}: {self.reason}"


class InfeasibleBudgetError(AbrAllocError):
    """Some scene or title has no choice within its budget and limits."""

    def __init__(self, scenes: Sequence[InfeasibleScene | InfeasibleLimits], *, number: int | None = None) -> None:
        """Tell of some scenes or titles.

        Args:
            scenes: all of them, or the first.
            number: how many there are; as many as are given when absent.
        """
        first = scenes[0]
        number = len(scenes) if number is None else number
        more = f" (and {number - 1} more)" if number > 1 else ""
        super().__init__(f"{first}{more}; {first.hint}")
        self.scenes = tuple(scenes)
        self.number = number
