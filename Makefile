# Two commands do everything on a fresh machine: `make demo` and `make test`. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Material for MkDocs tells of its successor at every build, in colour codes.
export NO_MKDOCS_2_WARNING := 1
# Where Python may keep no bytecode, each process compiles pandas and the rest anew: a command takes three times as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check docs pictures bench bench-quick bench-baseline measure-quick build clean check-code check-types check-outputs check-site

demo: $(READY)
	$(BIN)/abr-alloc plan examples/clip_features.parquet --budget 2000k --budget 300k
	$(BIN)/abr-alloc plan examples/clip_features.parquet --budget 300k --per title
	$(BIN)/abr-alloc ladder examples/clip_features.parquet --rungs auto
	$(BIN)/abr-alloc relevance examples/clip_features.parquet -o relevance.png
	$(BIN)/abr-alloc report examples/clip_features.parquet --budget 300k -o report.html
	@echo "drawn: relevance.png; open report.html in a browser"

# Each process begins with a stretch of the tests that is its own, so that few of them make the same fixtures; who is done
# first takes from the other's.
test: $(READY)
	$(BIN)/python -m pytest -n auto --dist worksteal

# Of parts that know nothing of each other: `make -j2 check` does two at a time.
check: check-code check-types check-outputs check-site

check-code: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check-types: $(READY)
	$(BIN)/mypy

check-outputs: $(READY)
	$(BIN)/python docs/generate_cli.py --check
	$(BIN)/python docs/generate_models.py --check
	$(BIN)/python docs/generate_columns.py --check
	$(BIN)/python docs/refresh_outputs.py --check

check-site: $(READY)
	$(BIN)/mkdocs build --strict --quiet --site-dir build/site

# docs/cli.md is generated from the commands themselves, a table of docs/model.md from the models' cards, that of the
# columns in docs/formats.md from their declaration; the outputs that the README and the pages show are what comes out.
docs: $(READY)
	$(BIN)/python docs/generate_cli.py
	$(BIN)/python docs/generate_models.py
	$(BIN)/python docs/generate_columns.py
	$(BIN)/python docs/refresh_outputs.py
	$(BIN)/mkdocs build --strict --site-dir build/site

# The pictures of the README and the pages. The report's needs a Chromium.
pictures: $(READY)
	$(BIN)/python docs/draw_pictures.py

# Every figure of docs/performance.md that needs no material of one's own, as JSON too: compare two runs with
# `python benchmarks/compare.py OLD NEW`. Half an hour; the machine should have nothing else to do.
RESULTS := build/bench
bench: $(READY)
	$(BIN)/python benchmarks/startup.py --json $(RESULTS)/startup.json
	$(BIN)/python benchmarks/allocation.py --scenes 5 20 100 --dp-limit 0 --json $(RESULTS)/allocation.json
	$(BIN)/python benchmarks/audio.py --json $(RESULTS)/audio.json
	$(BIN)/python benchmarks/extraction.py --json $(RESULTS)/extraction.json
	OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/catalogue.py --json $(RESULTS)/catalogue.json
	$(BIN)/python benchmarks/schedule.py simulate benchmarks/task_seconds.csv --titles 10000 --json $(RESULTS)/schedule.json
	$(BIN)/python benchmarks/report.py --json $(RESULTS)/report.json

# The quick part, about a minute and a half, beside the ratios that are kept in the project. What looks slower is marked
# and fails nothing; a benchmark that crashes does, and so does a row that is gone.
QUICK := build/bench-quick
bench-quick: $(READY)
	rm -rf $(QUICK)
	$(MAKE) measure-quick
	$(BIN)/python benchmarks/compare.py benchmarks/baseline $(QUICK)

# Keep the ratios of this machine, now, as those to compare with.
bench-baseline: $(READY)
	$(MAKE) measure-quick QUICK=benchmarks/baseline

measure-quick: $(READY)
	$(BIN)/python benchmarks/startup.py --runs 2 --json $(QUICK)/startup.json
	$(BIN)/python benchmarks/allocation.py --scenes 20 --dp-limit 0 --json $(QUICK)/allocation.json
	$(BIN)/python benchmarks/audio.py --seconds 2 --renditions 1 --no-plain --json $(QUICK)/audio.json
	$(BIN)/python benchmarks/extraction.py --seconds 1 --grid quick --json $(QUICK)/extraction.json
	OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/catalogue.py --scenes 500 --json $(QUICK)/catalogue.json
	$(BIN)/python benchmarks/probing.py examples/clip_features.parquet --json $(QUICK)/probing.json

build: $(READY)
	$(BIN)/python -m build --outdir build/dist

# The venv is rebuilt when what it is made from changes. To compile all modules takes longer than all else, and most are
# never imported; Python compiles those that are.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) build dist relevance.png report.html
