# `make run` starts the engine on the embedded paper market; `make test` runs every test.
# Both prepare what they need in .venv, from requirements.txt, whose every line is pinned by hash.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
ARGS   ?=

.PHONY: run test lint prove prove-live bench docs clean

run: $(READY)
	@$(BIN)/dirigent trade $(ARGS)

test: $(READY)
	@$(BIN)/python -m pytest -n 3 $(ARGS)

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# The three proofs of docs/reliability.md in full; about a quarter of an hour on one core.
prove: $(READY)
	@$(BIN)/dirigent explore
	@$(BIN)/dirigent simulate --seeds 10000 --ops 100
	@$(BIN)/dirigent crashtest --kills 200

# The real path through ccxt, over the rehearsal exchange: fifty kills, a thousand orders, a soak; about 35 minutes.
prove-live: $(READY)
	@$(BIN)/dirigent crashtest --exchange rehearsal

bench: $(READY)
	@$(BIN)/python -m benchmarks $(ARGS)

docs: $(READY)
	@$(BIN)/dirigent diagram --write
	@$(BIN)/python docs/generate_api.py

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Dirigent needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $(READY)

clean:
	rm -rf $(VENV)
