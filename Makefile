# The work is in Python; this only names it. Options are variables: make drill DRILL=annual FAULT=one-wei SIGN_OFF=manual
PYTHON ?= python3
DRILL ?= quarterly
FAULT ?=
SIGN_OFF ?= auto
SURFACES ?=
ROUTE_SWITCH ?=

BOOTSTRAP := $(PYTHON) include/dalp_dr_lab/bootstrap.py
PY = $(shell $(BOOTSTRAP) venv)/bin/python
# The lab makes network namespaces and mounts: without root, its commands go through sudo.
ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E env "PATH=$$PATH" "HOME=$$HOME" "PYTHONPATH=$(CURDIR)/include:$(CURDIR)/plugins")
LAB = $(ROOT) $(PY) -m dalp_dr_lab
export PYTHONPATH := $(CURDIR)/include:$(CURDIR)/plugins
TESTS = tests --ignore=tests/benchmarks
FAST = -m "not lab and not drill"

.PHONY: help setup drill test test-fast faults crashes bench lint lock lab-up lab-down down

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: ## make this machine ready: packages, programs, images (about 15 minutes the first time)
	@$(BOOTSTRAP) setup

drill: ## run a whole drill on the lab, from set-up to the decision
	@start=$$(date +%s); $(BOOTSTRAP) setup && \
	$(LAB) drill --drill "$(DRILL)" --fault "$(FAULT)" --sign-off "$(SIGN_OFF)" --surfaces "$(SURFACES)" $(if $(ROUTE_SWITCH),--route-switch) --started-at $$start

test: setup lint ## run lint and every test, whole drills on the lab included
	$(ROOT) $(PY) -m pytest $(TESTS)

test-fast: ## run the tests that need no root and no cluster
	@$(BOOTSTRAP) setup --fast
	$(PY) -m pytest $(TESTS) $(FAST)

faults: setup ## run the whole fault matrix
	$(LAB) matrix

crashes: setup ## good drills with crashes in their middle
	$(LAB) crashes

bench: setup ## run the benchmarks
	$(ROOT) $(PY) -m pytest tests/benchmarks

lint: ## check style, types and import rules
	@$(BOOTSTRAP) setup --fast
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(dir $(PY))lint-imports

lock: ## compile requirements*.txt into constraints.txt
	@$(BOOTSTRAP) lock

lab-up: setup ## start the lab
	@$(LAB) up

lab-down down: ## stop everything; only evidence stays
	@$(BOOTSTRAP) setup --fast && $(LAB) down
