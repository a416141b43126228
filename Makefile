# Every command makes the virtual environment that it uses. PYTHON chooses the interpreter: make test PYTHON=python3.12
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/ready

.DEFAULT_GOAL := help
.PHONY: help compare figures evidence test lint bench bench-strategies mutants torture annotate-load dist gpu wheels theory clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 20

$(READY): setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $(READY)

compare: $(READY)  ## compare strategies on real images: results/*/curves.png
	$(BIN)/labelbench-direct compare

figures: $(READY)  ## the twins of the paper's figures 4, 5 and 6, on real images, in minutes: results/fig*_twin/
	for figure in 09 13 15 18 23 06; do \
		$(BIN)/labelbench-direct compare --experiment configs/experiments/fig$${figure}_twin.json || exit; \
	done

evidence: $(READY)  ## run the evidence at the paper's size, two to three hours on two cores, and write docs/evidence.md; needs data: docs/features.md
	$(BIN)/labelbench-direct evidence

test: $(READY)  ## run the tests
	$(BIN)/python -m pytest -n auto

lint: $(READY)  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)  ## time one selection at the sizes of FMoW, iWildCam, ImageNet-LT and ImageNet: 20 minutes, 16 GB, 5 GB of disk; with LABELBENCH_HOME, LabelBench's too, longer
	$(BIN)/python tests/benchmarks/selection.py fmow iwildcam imagenet_lt imagenet

bench-strategies: $(READY)  ## time every strategy; with LABELBENCH_HOME, LabelBench's too
	$(BIN)/python tests/benchmarks/strategies.py

theory: $(READY)  ## the paper's lemma and theorem, tried: docs/theory.md and its pictures, in two minutes
	$(BIN)/python tests/benchmarks/theory.py docs

mutants: $(READY)  ## break the core on purpose, once for each law, and see the tests fail
	$(BIN)/python tests/benchmarks/mutants.py

torture: $(READY)  ## kill a sweep 100 times, at random moments, and see that no byte of its results changes
	$(BIN)/python tests/torture.py

annotate-load: $(READY)  ## fifty annotators on one job, and kill -9 among them
	$(BIN)/python tests/benchmarks/annotate_load.py

dist: $(READY)  ## build the source archive and, from it, the wheel: dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist

# On the machine with the GPU, whose own Python holds torch: no environment is made, nothing is fetched.
GPU_OUTPUT ?= gpu-results

gpu:  ## on a GPU: right, fast, LabelBench itself, the paper's loop; one table, six minutes, no network (docs/gpu.md)
	$(PYTHON) tests/gpu --output $(GPU_OUTPUT)

WHEELS ?= wheels
MANYLINUX = $(foreach minor,39 35 34 31 28 27 26 24 17 12 5,--platform manylinux_2_$(minor)_x86_64) \
	--platform manylinux2014_x86_64 --platform manylinux2010_x86_64 --platform manylinux1_x86_64

wheels:  ## collect what the GPU checks need beside torch, for Python 3.12 on Linux: wheels/, 33 MB
	$(PYTHON) -m pip download --no-deps --only-binary=:all: --python-version 3.12 --implementation cp $(MANYLINUX) \
		-r tests/gpu/wheels.txt -d $(WHEELS)

clean:  ## remove the virtual environment, what was built, and caches
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
