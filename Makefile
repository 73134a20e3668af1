# Short names for the commands of CONTRIBUTING.md. PYTHON is the interpreter of the environment to use.
PYTHON ?= .venv/bin/python
.PHONY: install test lint types bench golden

install:
	test -x .venv/bin/python || python3 -m venv .venv
	.venv/bin/pip install -e ".[link,test,dev]"

test:
	$(PYTHON) -m pytest -n 2 --dist worksteal

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

# On what ships, since the import names are not the folders' names.
types:
	rm -rf build/typecheck build/lib
	$(PYTHON) -m pip install -q --no-deps --upgrade --target build/typecheck .
	$(PYTHON) -m pyright --pythonpath $(PYTHON)

bench:
	$(PYTHON) -m benchmarks inference --quick
	$(PYTHON) -m benchmarks training --quick

golden:
	$(PYTHON) -m pytest -n 2 --update-golden
