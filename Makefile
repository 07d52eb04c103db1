.PHONY: help setup run demo test check bench pictures health floors torture bare lock FORCE
.DEFAULT_GOAL := help

python := .venv/bin/python

# After an upgrade of the system's Python the packages in .venv are out of reach: install again.
ifeq ($(wildcard .venv/lib/$(notdir $(realpath $(python)))/.),)
.venv/.installed: FORCE
endif

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

setup: .venv/.installed ## install what the product needs into .venv
	@:

run: setup ## start Camera Monitor on http://localhost:5000
	@$(python) app.py

demo: setup ## start it with a simulated fleet, on copies of the live files
	@$(python) -m simulators.demo

test: .venv/.installed-dev ## run the tests (ARGS="-k words" picks some)
	@tests/run.sh $(ARGS)

check: .venv/.installed-dev ## format, lint, types, security, the layout, deploy files
	$(python) -m ruff format --check
	$(python) -m ruff check
	$(python) -m mypy
	$(python) -m bandit --quiet --configfile pyproject.toml --recursive .
	$(python) -m pytest --quiet tests/test_layout.py
	deploy/check.sh

bench: .venv/.installed-dev ## measure it, beside a peer where there is one
	@$(python) -m bench

pictures: .venv/.installed-dev ## take the screenshots of the README again
	@$(python) -m docs.pictures

health: .venv/.installed-dev ## judge picture health on generated pictures, for docs/picture-health.md
	@$(python) -m docs.health

floors: .venv/.installed-dev ## draw the packages in docs/architecture.md from the imports
	@$(python) -m docs.floors

torture: .venv/.installed-dev ## the long proofs: crashes, full disks, big fleets
	@tests/run.sh -m torture $(ARGS)
	@deploy/bare.sh
	@PAGE=pi64 deploy/bare.sh
	@PAGE=pi32 deploy/bare.sh

bare: ## build a bare Debian and run only README.md's commands there
	@deploy/bare.sh

# In this order: each file is held to the versions of those before it. UPGRADE=--upgrade lifts them.
lock: setup ## write the locked requirement files again
	echo uv | $(compile) --no-annotate - --output-file requirements-uv.txt
	$(compile) requirements.in --output-file requirements.txt
	$(compile) requirements-scale.in --output-file requirements-scale.txt
	$(compile) requirements-dev.in --output-file requirements-dev.txt
	$(compile) requirements-pi.in --output-file requirements-pi.txt
	$(compile) --no-deps requirements-apt.in --output-file requirements-apt.txt
	@echo "Checking that each package has a wheel for a Raspberry Pi with 64 bits ..."
	$(python) -m uv pip install --quiet --dry-run --target .venv/pi --only-binary :all: --require-hashes \
		--python-platform aarch64-manylinux_2_36 --python-version 3.11 --requirement requirements.txt

compile = $(python) -m uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(UPGRADE)

.venv/.installed: requirements.txt requirements-uv.txt
	@deploy/setup.sh run

.venv/.installed-dev: .venv/.installed requirements-scale.txt requirements-dev.txt
	@deploy/setup.sh test
