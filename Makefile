# Every command does its own set-up, and redoes only what its inputs ask for. `make help` lists them.
#   PYTHON=python3.12   interpreter for the virtual environment      VENV=.venv        where that lies
#   COMPARISON=DIR      where that of torchvision and the peers lies
#   IMAGES=DIR          demo, bench...: a folder of images           GROUP=core        tests without frameworks
#   FUZZ_RUNS=1000000   fuzz: executions of each target              JOBS=8            parallel jobs
#   DATASET_MUTATIONS=20000 DATASET_SEED=0    fuzz-datasets: mutants of each kind, and which
#   STRESS_SECONDS=600  stress: how long each of its two tests runs

PYTHON ?= python3
VENV ?= .venv
COMPARISON ?= .venv-comparison
GROUP ?= test
IMAGES ?=
FUZZ_RUNS ?= 1000000
DATASET_MUTATIONS ?= 20000
DATASET_SEED ?= 0
STRESS_SECONDS ?= 600
JOBS ?= $(shell nproc)
export CMAKE_CXX_COMPILER_LAUNCHER ?= $(shell command -v ccache)
export CMAKE_BUILD_PARALLEL_LEVEL := $(JOBS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BIN := $(VENV)/bin
CORE_SOURCES := $(shell find src_cpp -name '*.cc' -o -name '*.h') src_cpp/CMakeLists.txt CMakeLists.txt
CORE_TESTS := $(shell find tests/cpp -type f)
SANITIZERS := asan tsan
TEST_SECONDS := 4

.PHONY: help setup build test compare demo bench bench-all bench-stages bench-profile lint format sanitize fuzz \
  fuzz-datasets stress clean system pytest ctest fuzz-short pytest-comparison
.DELETE_ON_ERROR:

help:
	@echo "make setup     system packages, virtual environment, test dependencies"
	@echo "make build     the Python extension, installed in $(VENV) in editable form"
	@echo "make test      the whole default suite"
	@echo "make compare   fastinet against torchvision itself, in $(COMPARISON) (PyPI's torch takes 5 GB)"
	@echo "make demo      the main job end to end, on IMAGES=... or on images that it makes"
	@echo "make bench     loaders side by side, on IMAGES=... or on images that it makes"
	@echo "make bench-all likewise with torchvision, FFCV and TurboLoader, in $(COMPARISON)"
	@echo "make bench-stages  what each stage of decoding and resampling costs, beside libjpeg-turbo, on IMAGES=..."
	@echo "make bench-profile where the loader's CPU time goes, by perf, on IMAGES=..."
	@echo "make lint      every static check;  make format  repairs what can be repaired"
	@echo "make sanitize  C++ tests under the address, undefined-behaviour and thread sanitizers"
	@echo "make fuzz      every fuzz target FUZZ_RUNS times, the decoder's two three times as often"
	@echo "make fuzz-datasets  DATASET_MUTATIONS damaged or false datasets of each kind, read in every way"
	@echo "make stress    the loader under everything at once, STRESS_SECONDS under the thread sanitizer, then in Python"
	@echo "make clean     removes what the commands above made"

system:
	@scripts/system_packages.sh "$(PYTHON)" "$(GROUP)"

setup: $(VENV)/.dependencies-$(GROUP)

$(VENV)/.dependencies-$(GROUP): pyproject.toml scripts/venv.sh | system
	@scripts/venv.sh "$(PYTHON)" "$(VENV)" "$(GROUP)"
	@touch $@

build: $(VENV)/.extension

# One build holds the extension and the C++ tests of the same objects.
$(VENV)/.extension: $(CORE_SOURCES) $(CORE_TESTS) pyproject.toml $(VENV)/.dependencies-$(GROUP)
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable . -C build-dir=build/python \
	  -C cmake.define.FASTINET_TESTS=ON -C cmake.define.FASTINET_WERROR=ON
	@touch $@

test: build ctest $(SANITIZERS:%=ctest-%) fuzz-short lint
	@$(MAKE) --no-print-directory pytest

# Last in the suite, so that its summary is the last line. By files, whose tests share costly fixtures.
pytest: build
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

compare:
	@$(MAKE) --no-print-directory pytest-comparison GROUP=comparison VENV="$(COMPARISON)"

pytest-comparison: build
	$(BIN)/python -m pytest -n $(JOBS) tests/comparison

ctest: build
	ctest --test-dir build/python --output-on-failure --parallel $(JOBS)

ctest-%: | system
	@cmake --preset $* >/dev/null
	cmake --build --preset $*
	ctest --preset $* --parallel $(JOBS)

sanitize: ctest-asan ctest-tsan

fuzz-short: | system
	@scripts/fuzz.sh -max_total_time=$(TEST_SECONDS)

fuzz: | system
	@scripts/fuzz.sh -runs=$(FUZZ_RUNS)

fuzz-datasets: build
	$(BIN)/python tests/fuzz/datasets --mutations $(DATASET_MUTATIONS) --seed $(DATASET_SEED) --jobs $(JOBS) \
	  --json build/fuzz-datasets.json
stress: export FASTINET_STRESS_SECONDS := $(STRESS_SECONDS)
stress: build
	@cmake --preset tsan >/dev/null
	cmake --build --preset tsan --target loader_test
	build/tsan/tests/cpp/loader_test --gtest_filter='LoaderStress.*'
	$(BIN)/python -m pytest --timeout 0 tests/python/test_stress.py

lint: build
	@scripts/lint.sh "$(BIN)"

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	git ls-files '*.cc' '*.h' | xargs -r $(BIN)/clang-format -i

demo: build
	$(BIN)/python scripts/demo.py $(if $(IMAGES),--images "$(IMAGES)") --out demo

bench: build
	$(BIN)/python benchmarks/loaders.py $(if $(IMAGES),--images "$(IMAGES)") --json build/loaders.json

bench-all:
	@$(MAKE) --no-print-directory bench GROUP=peers VENV="$(COMPARISON)"

bench-stages: | system
	@test -n "$(IMAGES)" || { echo "make bench-stages needs IMAGES=/path/to/images"; exit 2; }
	@cmake --preset release -DFASTINET_BENCHMARKS=ON >/dev/null
	cmake --build --preset release --target stages
	build/release/benchmarks/stages --json build/stages.json "$(IMAGES)"

bench-profile: build
	@test -n "$(IMAGES)" || { echo "make bench-profile needs IMAGES=/path/to/ImageFolder"; exit 2; }
	@cmake --preset profile -DPython_EXECUTABLE="$(abspath $(BIN)/python)" \
	  -Dpybind11_DIR="$$($(BIN)/python -m pybind11 --cmakedir)" >/dev/null
	cmake --build --preset profile
	$(BIN)/python benchmarks/profile_loader.py --images "$(IMAGES)" --module build/profile/src_cpp

clean:
	rm -rf build demo "$(VENV)" "$(COMPARISON)" .mypy_cache .ruff_cache .pytest_cache .hypothesis
