# Two commands: make demo, make test. Both use .venv, made on the first call.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# A strict editable install links the files that were there when it was made, so it is made again
# when a file comes or goes: then its directory changes.
PACKAGES := commands explorer explorer/static geometry geometry/audit geometry/comparing geometry/concepts geometry/demos geometry/evaluation geometry/examining geometry/explaining geometry/exporting geometry/formats geometry/heads geometry/lens geometry/model geometry/projection geometry/records geometry/remote geometry/runs geometry/tokens geometry/views indexes indexes/winning

.PHONY: demo test clean

demo: $(VENV)/installed
	$(BIN)/unembed near demo 'king - man + woman'
	$(BIN)/unembed near demo 'sea + horse' --region emoji

test: $(VENV)/tested
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p unembed
	$(BIN)/python -m pytest
	$(BIN)/python -m pytest --doctest-modules --pyargs unembed

$(VENV)/installed: pyproject.toml constraints.txt $(PACKAGES) | $(BIN)/python
	$(PIP) install -c constraints.txt --config-settings editable_mode=strict -e '.[demo]'
	touch $@

$(VENV)/tested: $(VENV)/installed
	$(PIP) install -c constraints.txt --config-settings editable_mode=strict -e '.[demo,dev,figures,tables]'
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build dist *.egg-info
