# Each target does its own set-up, from a fresh clone and again whenever pyproject.toml changes.
PYTHON ?= python3
FUZZ_SECONDS ?= 60
BENCH_RESULTS ?= build/benchmarks
venv := .venv
runs := $(venv)/.runs
develops := $(venv)/.develops
other_report := $(venv)/other.xml

# Debian keeps nginx and ip where an ordinary user's PATH doesn't look.
export PATH := $(PATH):/usr/sbin:/sbin

# Tests start Python hundreds of times, which shouldn't compile everything each time.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: docs demo test quick check fuzz bpf bench bench-full kernel test-kernel

demo: $(runs)
	$(venv)/bin/mphttp demo

test: $(develops)
	scripts/packages
	scripts/second_look $(venv)/other.cache \
		$(venv)/bin/pytest -n 2 -m "not lab and not guest" --junit-xml=$(other_report)
	scripts/lab_tests $(venv)

# All but the tests that need a laboratory, or more than a few seconds.
quick: $(develops)
	$(venv)/bin/pytest -n 2 -m "not lab and not guest and not slow"

check: $(develops)
	$(venv)/bin/ruff check
	$(venv)/bin/ruff format --check
	$(venv)/bin/mypy -p mphttp

# The manual, as pages for a browser: build/docs/index.html
docs: $(develops)
	$(venv)/bin/pip install --quiet --group docs
	$(venv)/bin/python -m sphinx --fail-on-warning --keep-going --quiet -E docs build/docs

fuzz: $(develops)
	$(venv)/bin/pytest tests/fuzz --fuzz-seconds=$(FUZZ_SECONDS)

# Results as JSON go to BENCH_RESULTS. The rivals are Debian's: the script names what is missing.
bench: $(develops)
	scripts/bench $(venv) $(BENCH_RESULTS)

bench-full: $(develops)
	scripts/bench $(venv) $(BENCH_RESULTS) --full

# The object is committed; this is for who changes its source.
bpf:
	scripts/packages
	scripts/bpf

# The paper's socket options in Linux 6.12, kept in the user's cache.
kernel:
	scripts/packages kernel
	scripts/kernel

test-kernel: $(develops)
	scripts/test_kernel $(venv)

$(runs): pyproject.toml scripts/environment
	scripts/environment $(PYTHON) $(venv)
	$(venv)/bin/pip install --quiet --editable '.[lab]'
	touch $@

$(develops): $(runs)
	$(venv)/bin/pip install --quiet --editable '.[lab,curl,requests,httpx2,http2,socks]'
	$(venv)/bin/pip install --quiet --group test --group check --group package
	touch $@
