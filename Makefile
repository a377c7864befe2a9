# Everything sets itself up: only Python >= 3.11 and make are needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= auto

.PHONY: demo test check lint types bench eval faults soak fuzz sbom audit lock clean

# Stamps make set-up happen once: a second run starts at once.
$(VENV)/run.stamp: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python >= 3.11 is needed; this is $$($(PYTHON) --version). Use: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(VENV)/run.stamp
	$(BIN)/econeura demo $(ARGS)

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n $(JOBS) -m "not faults and not soak" $(ARGS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

check: lint types
	$(MAKE) test

bench: $(VENV)/dev.stamp
	$(BIN)/python -m tests.bench $(ARGS)

# Labelled mail of your own, if any: make eval DATA=../shared/data (ARGS=--leave-out retrains without each source).
eval: $(VENV)/dev.stamp
	$(BIN)/econeura evaluate $(if $(DATA),--data $(DATA)) $(ARGS)

faults: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m faults $(ARGS)

soak: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m soak $(ARGS)

# Ten minutes of made-up requests. Those of test are the same each time: chance does not decide there.
fuzz: $(VENV)/dev.stamp
	$(BIN)/python -m tests.fuzzing $(ARGS)

# What the service is made of (CycloneDX), from the lock; made when it is asked for, so that it is never stale.
sbom: build/sbom.json
build/sbom.json: requirements.lock pyproject.toml deploy/sbom.py
	@mkdir -p build
	$(PYTHON) deploy/sbom.py requirements.lock > $@

# Known vulnerabilities of what is locked. Needs PyPI's JSON API, so it is no part of check.
audit: $(VENV)/dev.stamp
	$(BIN)/pip-audit --disable-pip --require-hashes -r requirements.lock

# After a change of dependencies: needs uv on PATH. No registry address ends up in the files.
LOCK = uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --generate-hashes --no-header pyproject.toml
lock:
	$(LOCK) --extra demo --group build -o requirements.lock
	$(LOCK) --extra demo --extra llm --extra export --group build -c requirements.lock -o requirements-extras.lock
	$(LOCK) --all-extras --group build --group dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) build dist
