# `make demo` and `make test` work in a fresh checkout, in either order; each does its own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_DIR ?= demo-work
export YOLO_OFFLINE := 1
export YOLO_AUTOINSTALL := 0

.PHONY: install demo check test coverage soak metrics constraints clean

install: $(VENV)/.installed models/yolov8n.pt

# opencv-python needs these two libraries of the system; a bare Debian has neither, nor venv.
SYSTEM_LIBRARIES := libGL.so.1 libgthread-2.0.so.0
SYSTEM_PACKAGES := libgl1 libglib2.0-0 python3-venv

.PHONY: system
system:
	@missing=; for library in $(SYSTEM_LIBRARIES); do ldconfig -p | grep -q $$library || missing=1; done; \
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || missing=1; \
	test -z "$$missing" || { test "$$(id -u)" = 0 && apt-get update -q && apt-get install -qy $(SYSTEM_PACKAGES); } || \
	{ echo "install these system packages first: $(SYSTEM_PACKAGES)"; exit 1; }

$(VENV)/.installed: pyproject.toml constraints.txt | system
	$(PYTHON) -c 'import sys; sys.exit("kerbwatch needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade -c constraints.txt pip setuptools wheel
	$(BIN)/python -m pip install -q -c constraints.txt --no-build-isolation -e '.[dev]'
	touch $@

models/yolov8n.pt: | $(VENV)/.installed
	$(BIN)/kerbwatch models fetch yolov8n

demo: install
	$(BIN)/kerbwatch demo run $(DEMO_DIR)

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@collected=$$($(BIN)/python -m pytest -qqq --collect-only 2>&1) || { echo "$$collected"; exit 1; }
	$(BIN)/python -m pytest -q tests/database/test_revisions.py

# The browser's tests drive a real Chromium, and their screenshots need a Chinese font.
BROWSER_PACKAGES := chromium fonts-noto-cjk

.PHONY: browser
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	{ test "$$(id -u)" = 0 && apt-get update -q && apt-get install -qy --no-install-recommends $(BROWSER_PACKAGES); } || \
	{ echo "the tests of the browser app need Chromium; install these packages first: $(BROWSER_PACKAGES)"; exit 1; }

# A file's tests stay together, for what they share is made once a process.
TEST_PROCESSES ?= 2

test: install browser
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --durations=25 $(MORE)

# Tracing every branch makes the tests a third slower.
coverage: MORE := --cov --cov-report=term:skip-covered
coverage: test

soak: install browser
	KERBWATCH_SOAK=1 $(BIN)/python -m pytest -m "slow or soak" --timeout 7200

# Size, nesting, duplicate names and prose of the code, and how long the command takes to start.
metrics: $(VENV)/.installed
	$(BIN)/python tools/code_metrics.py

constraints: $(VENV)/.installed
	{ echo "# Pinned versions of everything that 'make install' may bring; made by 'make constraints'."; \
	  $(BIN)/python -m pip freeze --all --exclude-editable | sort -f; } > constraints.tmp
	mv constraints.tmp constraints.txt

clean:
	rm -rf $(VENV) $(DEMO_DIR) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
