# make try   a virtual environment, the default model, and one problem solved plainly and by self-consistency
# make test  everything that CI checks (REAL=1 fails when the real-model tests could not run)
# make bench the timings of benchmarks/ (a quiet machine, some minutes)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OUTTHINK_MODEL_SOURCES ?= $(CURDIR)/model-sources.toml
QUESTION := A cinema sold 45 tickets at 8 dollars and 30 tickets at 5 dollars. How many dollars did it take in?

.PHONY: try test lint docs bench

$(VENV)/.installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[local]'
	@touch $@

$(VENV)/.developing: $(VENV)/.installed requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

try: $(VENV)/.installed
	@$(BIN)/outthink models path >/dev/null 2>&1 || $(BIN)/outthink models pull >/dev/null
	@printf '\n%s\n\n' '$(QUESTION)'
	@printf 'Plainly, one sample:\n  '
	@$(BIN)/outthink solve '$(QUESTION)' --strategy direct --answer number
	@printf '\nSelf-consistency, eight chains of thought and a vote:\n  '
	@$(BIN)/outthink solve '$(QUESTION)' --strategy 'self-consistency(n=8)' --answer number

lint: $(VENV)/.developing
	@$(BIN)/ruff format --check src tests benchmarks
	@$(BIN)/ruff check src tests benchmarks
	@$(BIN)/pyright
	@$(BIN)/lint-imports

test: lint
	@$(BIN)/outthink models path smollm2-135m >/dev/null 2>&1 || $(BIN)/outthink models pull smollm2-135m >/dev/null \
		|| test -z "$(REAL)"
	@OUTTHINK_REAL=$(REAL) OUTTHINK_TEST_MODEL="$$($(BIN)/outthink models path smollm2-135m 2>/dev/null)" \
		$(BIN)/python -m pytest -q

bench: $(VENV)/.developing
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'its_hub[lm]==1.2.0'
	@$(BIN)/python benchmarks/overhead.py
	@$(BIN)/python benchmarks/startup.py
