"""The house: floors import downwards only, and each outside library has its door."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import abr_alloc

PACKAGE = Path(abr_alloc.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# What every floor may import.
GROUND = (
    *(
        "allowed_options",
        "allowed_parameters",
        "arguments",
        "audio_families",
        "codecs",
        "defaults",
        "delimited",
        "disk",
        "documents",
        "encoder_settings",
        "encoders",
        "errors",
        "extras",
        "languages",
        "location",
        "markup",
        "parameters",
        "partial",
        "shipped",
    ),
    *("software_encoders", "targets", "units", "writing"),
)
# Floor -> what it may import of the package, besides itself and these.
FLOORS: dict[str, set[str]] = {
    "visqol": set(),
    "listener": {"visqol", "models.stored"},
    "media": set(),
    "table": set(),
    "models": {"table"},
    "allocation": {"table", "models"},
    "learning": {"table", "models", "listener"},
    "workers": {"media"},
    "measure": {"visqol", "listener", "media", "table", "workers"},
    "formats": {"table", "models", "allocation"},
    "exporting": {"media", "allocation", "formats"},
    "delivery": {"visqol", "media", "table", "models", "allocation", "workers", "measure", "formats", "exporting"},
    "linting": {"media", "exporting"},
    "packages": {"media", "exporting", "linting"},
    "reporting": {"media", "table", "models", "allocation"},
    "runs": {
        *("learning", "visqol"),
        *(
            "media",
            "table",
            "models",
            "allocation",
            "workers",
            "measure",
            "formats",
            "exporting",
            "delivery",
            "linting",
            "packages",
        ),
        "reporting",
    },
    "cli": {
        *("media", "table", "models", "allocation", "learning", "workers", "measure", "formats", "exporting"),
        *("delivery", "linting", "packages", "reporting", "runs"),
    },
}
# Library -> modules that may import it.
DOORS = {
    "subprocess": {"media.programs"},
    "av": {
        f"media.{name}"
        for name in ("bitstream", "container", "elementary", "lengths", "probe", "remux", "sound", "timeline", "tracks")
    },
    "tomllib": {"documents"},
    "xml": {"exporting.dash", "markup"},
    # Elsewhere only what this program wrote for itself, or ffmpeg did, and what is hashed.
    "json": {"documents", "measure.cache", "measure.video", "media.probe"},
    "imageio_ffmpeg": {"media.ffmpeg"},
    "pyarrow": {"table.arrow_columns", "table.parquet", "table.table", "table.catalogue", "table.row_writer"},
    # What tests hold the audio features to, and nothing that is installed with the package.
    "visqol": set(),
    "numba": set(),
    "multiprocessing": {"workers.local"},
    "distributed": {"workers.cluster"},
    "dask": {"workers.cluster"},
    "upath": {"location"},
    "fsspec": {"location"},
    "s3fs": {"location"},
    "torch": {
        *("learning.fusionnet", "learning.loss", "learning.training", "learning.tuning"),
        *("learning.listener_network", "learning.listener_training"),
    },
    "optuna": {"learning.tuning"},
    "safetensors": {"models.checkpoint", "models.audio_quality", "listener.hearing"},
    "sklearn": {"learning.svr_fit"},
    # Of an extra: only where something is fitted.
    "scipy": {"learning.baseline_fit", "learning.metrics", "learning.teacher_fit"},
    "matplotlib": {"reporting"},
    "altair": {"reporting.charts", "reporting.shot_charts"},
    "vl_convert": {"reporting.page"},
    "jinja2": {"reporting.page"},
    "markupsafe": {"reporting.page"},
    "msgspec": {
        "allocation.ranges",
        "formats.conversion",
        "formats.delivery_record",
        "formats.ladder_file",
        "measure.vmaf_log",
    },
    "langcodes": {"languages"},
    "yaml": {"exporting.shaka_streamer"},
    "click": {"cli"},
    "rich": {"cli"},
}


# Where modules are tested that have no test file of their own name: through what they are for.
TESTED_IN = {
    "formats/test_delivery_record.py": ("formats.orders",),
    "listener/test_network.py": ("learning.listener_network",),
    "allocation/test_audit.py": ("allocation.advice", "allocation.alternatives", "allocation.audit_results"),
    "allocation/test_matching.py": ("allocation.given_ladder",),
    "allocation/test_plan.py": ("allocation.filters", "allocation.validity"),
    "allocation/test_probing.py": ("allocation.estimated_rows", "allocation.probe_curves"),
    "allocation/test_reference.py": ("allocation.fixed",),
    "allocation/test_path.py": ("allocation.kept_audio",),
    "allocation/test_design.py": ("allocation.design_options", "allocation.shot_rules", "allocation.title_ladder"),
    "allocation/test_shot_ladder.py": (
        *("allocation.one_shot", "allocation.shot_gain", "allocation.shot_scenes", "allocation.shots"),
    ),
    "allocation/test_priced_search.py": ("allocation.priced_labels", "allocation.priced_steps"),
    "allocation/test_shot_allocation.py": ("allocation.shot_case",),
    "allocation/test_shot_chain.py": ("allocation.shot_labels",),
    "allocation/test_shot_search.py": ("allocation.shot_problem", "allocation.shot_steps"),
    "allocation/test_title_plan.py": ("allocation.title_case",),
    "allocation/test_interpolation.py": ("allocation.size_curves", "allocation.surface", "allocation.surface_rows"),
    "robustness/test_examples.py": (
        "allocation.prediction",
        "models.card",
        "models.stored",
        "models.trial",
        "documents",
    ),
    "cli/test_terminal.py": ("cli.layout", "cli.main", "cli.printing", "cli.progress", "cli.tables", "cli.verbosity"),
    "cli/test_audit.py": (
        *("cli.audit_table", "formats.audit_document", "runs.audit_catalogue", "runs.audit_media", "runs.audit_run"),
        *("runs.new_master", "runs.shipped_ladders"),
    ),
    "cli/test_catalogue.py": ("cli.streaming", "cli.summaries", "runs.catalogue_run", "runs.ladder_catalogue"),
    "cli/test_bad_input.py": ("cli.places", "cli.training_data"),
    "cli/test_compare.py": ("cli.agreement_table", "runs.comparison_files"),
    "cli/test_evaluate.py": ("learning.agreement",),
    "cli/test_encode_tracks.py": (
        *("delivery.chosen_subtitles", "delivery.chosen_tracks", "delivery.subtitles", "runs.encode_tracks"),
    ),
    "cli/test_verify.py": ("cli.delivery_table", "cli.listening"),
    "cli/test_doctor.py": ("cli.doctor_table", "runs.examine"),
    "cli/test_ladder.py": ("cli.ladder_table", "formats.ladder_basis", "formats.result_rows"),
    "cli/test_ladder_shots.py": ("cli.shot_options", "cli.shot_table"),
    "cli/test_ladder_cost.py": ("allocation.priced_ladder", "cli.cost_options", "cli.cost_table"),
    "cli/test_lint.py": ("cli.lint_table",),
    "cli/test_plan.py": ("formats.plan_document",),
    "cli/test_report.py": ("cli.figure", "runs.figure_run", "runs.shown_ladders"),
    "cli/test_train.py": ("cli.tune", "learning.build", "learning.decisions", "runs.study_files"),
    "measure/test_whole_titles.py": ("measure.steps",),
    "robustness/test_surroundings.py": ("cli.signals",),
    "robustness/test_outputs.py": ("disk", "partial", "writing", "table.spreadsheet"),
    "robustness/test_confinement.py": ("media.confinement", "media.container", "media.programs"),
    "robustness/test_sharing.py": ("measure.entry", "runs.shared_model"),
    "formats/test_conversion.py": ("allocation.ranges",),
    "formats/test_ladder_file.py": ("formats.ladder_fields",),
    "allocation/test_two_layouts.py": ("allocation.layout_bounds",),
    "allocation/test_surround_ladder.py": ("allocation.layouts", "table.audio_layouts"),
    "delivery/test_delivered_audio.py": ("cli.surround_table", "measure.loud_tracks"),
    "delivery/test_encode.py": ("delivery.rendition_tasks",),
    "delivery/test_shot_work.py": ("delivery.shot_tasks", "delivery.source_scan", "runs.encode_result"),
    "learning/test_cross_validation.py": ("learning.dataset", "learning.registry", "learning.systems"),
    "learning/test_ratings.py": ("learning.rated_columns",),
    "learning/test_fusionnet.py": ("models.activations", "models.folded", "models.predictor", "models.standardizer"),
    "learning/test_conformal.py": ("models.intervals",),
    "linting/test_playlist.py": ("linting.attributes", "linting.constraints", "linting.tags", "linting.values"),
    "linting/test_findings.py": (
        *("linting.authoring_rules", "linting.master_rules", "linting.protocol_rules", "linting.reading"),
        *("linting.rules", "linting.stream"),
    ),
    "linting/test_rendition_rules.py": ("linting.text_reading",),
    "linting/test_hdr.py": ("linting.hdr_rules",),
    "measure/test_extract.py": (
        *("measure.audio", "measure.looks", "measure.probe_chooser", "measure.rows", "measure.title"),
    ),
    "measure/test_renditions.py": (
        *("measure.audio_finding", "measure.existing_tasks", "measure.parts", "measure.picture_check"),
        *("measure.rendition_rows", "measure.rendition_score", "measure.small_frames", "measure.video_finding"),
    ),
    "cli/test_measure.py": ("cli.rendition_table", "runs.measure_run", "runs.rendition_list"),
    "measure/test_cache.py": ("measure.cache_size",),
    "test_encoder_settings.py": ("allowed_options", "allowed_parameters", "encoders"),
    "test_codecs.py": ("software_encoders",),
    "media/test_command_encoder.py": ("media.elementary",),
    "media/test_encoding.py": ("media.encoder_arguments",),
    "media/test_movie_fragments.py": ("media.boxes", "media.sample_entries"),
    "media/test_grid.py": ("media.grid_encoders",),
    "media/test_bitstream.py": ("media.codecs_parameters",),
    "delivery/test_order.py": ("delivery.chosen_ladder", "delivery.ordered_encoders"),
    "media/test_part.py": ("media.coding", "media.normalise"),
    "media/test_colour.py": ("media.frames",),
    "media/test_webvtt.py": ("exporting.text_stream",),
    "media/test_probe.py": ("media.lengths", "media.packets", "media.timeline"),
    "packages/test_dash_reader.py": ("packages.dash_addressing", "packages.single_file"),
    "packages/test_hls_reader.py": ("packages.local_files", "packages.stream_facts"),
    "packages/test_joining.py": ("media.remux", "packages.extents"),
    "packages/test_reader.py": ("packages.package",),
    "reporting/test_page.py": ("reporting.about", "reporting.charts", "reporting.page_data"),
    "reporting/test_figures.py": ("reporting.scatter", "reporting.style"),
    "reporting/test_shot_section.py": ("reporting.shot_charts", "reporting.shot_data"),
    "reporting/test_ladder_figure.py": ("reporting.shot_figure",),
    "exporting/test_planned.py": ("exporting.planned_shots",),
    "runs/test_results.py": (
        *("runs.encode_run", "runs.export_run", "runs.extract_run", "runs.feedback", "runs.ladder_run"),
        *(
            "runs.lint_run",
            "runs.notebook",
            "runs.plan_run",
            "runs.relevance_run",
            "runs.report_run",
            "runs.verify_run",
        ),
    ),
    "table/test_table.py": ("table.arrow_columns", "table.parquet", "table.row_checks"),
    "table/test_row_writer.py": ("table.typed_rows",),
    "visqol/test_patches.py": ("visqol.lag",),
    "visqol/test_nsim.py": ("visqol.search",),
    "visqol/test_score.py": ("visqol.realignment",),
    "workers/test_cluster.py": ("workers.environment", "workers.open", "workers.remote", "workers.task"),
    "workers/test_tls.py": ("workers.certificates",),
}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            # `from abr_alloc.floor import module` imports the module; a public name of the package is no module's.
            inside = PACKAGE.parent.joinpath(*(node.module or "").split("."))
            modules = [a.name for a in node.names if (inside / a.name).is_dir() or (inside / f"{a.name}.py").is_file()]
            found |= {f"{node.module}.{name}" for name in modules} if inside.is_relative_to(PACKAGE) else set()
            if node.module == "abr_alloc":
                assert {a.name for a in node.names} <= {*modules, "__version__"}, f"{path}: a public name"
    return found


def lies_in(module: str, places: set[str]) -> bool:
    return any(module == place or module.startswith(f"{place}.") for place in places)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    floor = name_of(path).partition(".")[0]
    for imported in imports_of(path):
        if not imported.startswith("abr_alloc."):
            continue
        target = imported.removeprefix("abr_alloc.")
        if target in GROUND or floor in ("", "__init__"):
            continue
        assert lies_in(target, FLOORS.get(floor, set()) | {floor}), f"{name_of(path)} imports {target}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_library_enters_by_its_door(path: Path) -> None:
    for imported in imports_of(path):
        doors = DOORS.get(imported.partition(".")[0])
        assert doors is None or lies_in(name_of(path), doors), f"{name_of(path)} imports {imported}"


def test_no_import_goes_round_in_a_circle() -> None:
    graph = {
        name_of(path): {i.removeprefix("abr_alloc.") for i in imports_of(path) if i.startswith("abr_alloc.")}
        for path in MODULES
    }
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail, module])
        if module not in done:
            for target in graph.get(module, ()):
                visit(target, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_modules_fit_in_the_head() -> None:
    for path in MODULES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 320, path


def test_every_module_has_its_tests() -> None:
    """A test file of its name, or one that says what it is for; and no entry for what is not there any more."""
    tests = Path(__file__).parent
    elsewhere = {module: file for file, modules in TESTED_IN.items() for module in modules}
    names = {name_of(path) for path in MODULES if path.stem != "__init__"}
    mirrors = {name: tests.joinpath(*name.split(".")[:-1], f"test_{name.rpartition('.')[2]}.py") for name in names}
    without = {name for name, mirror in mirrors.items() if not mirror.is_file()}
    assert without == elsewhere.keys()
    assert all((tests / file).is_file() for file in TESTED_IN)


def test_there_is_no_drawer() -> None:
    drawers = {"utils", "util", "common", "helpers", "core", "base", "manager", "misc"}
    assert not [path for path in MODULES if path.stem.strip("_") in drawers]


def test_a_name_is_one_module() -> None:
    """Of two modules of one name nobody knows which is meant; a command is named as it is on the command line."""
    seen: dict[str, str] = {}
    for path in MODULES:
        if path.stem == "__init__" or path.parent.name == "cli":
            continue
        assert path.stem not in seen, f"{name_of(path)} and {seen[path.stem]}"
        seen[path.stem] = name_of(path)


def test_no_package_hides_a_function() -> None:
    """Importing `abr_alloc.x` sets the attribute `x`, whatever was there."""
    packages = {path.name for path in PACKAGE.iterdir() if path.is_dir()} | {path.stem for path in PACKAGE.glob("*.py")}
    assert not packages & set(abr_alloc.__all__)


@pytest.mark.parametrize(
    "name",
    [
        "extract",
        "plan",
        "ladder",
        "relevance",
        "audit",
        "encode",
        "verify",
        "lint",
        "report",
        "export",
        "read_features",
        "load_model",
    ],
)
def test_the_promised_names_are_there(name: str) -> None:
    assert callable(getattr(abr_alloc, name))
    assert name in abr_alloc.__all__


def test_every_public_name_resolves() -> None:
    for name in abr_alloc.__all__:
        assert getattr(abr_alloc, name) is not None


@pytest.mark.parametrize(
    "module",
    [
        "abr_alloc.cli.main",
        "abr_alloc.allocation.plan",
        "abr_alloc.allocation.design",
        "abr_alloc.cli.relevance",
        "abr_alloc.runs.audit_run",
        "abr_alloc.cli.ladder",
        "abr_alloc.cli.export",
        "abr_alloc.exporting.shaka_streamer",
        "abr_alloc.cli.report",
        "abr_alloc.cli.figure",
        "abr_alloc.models.checkpoint",
    ],
)
def test_planning_never_needs_torch_or_ffmpeg(module: str) -> None:
    heavy = ["torch", "av", "numba", "visqol", "sklearn", "scipy", "matplotlib"]
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_no_function_prints_outside_the_shell() -> None:
    for path in MODULES:
        calls = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
        assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"], path
