# Each target does its own set-up, from a fresh clone and again whenever pyproject.toml changes.
PYTHON ?= python3
FUZZ_SECONDS ?= 60
PREFIX ?= /opt/mphttp
BENCH_RESULTS ?= build/benchmarks
venv := .venv
runs := $(venv)/.runs
develops := $(venv)/.develops
other_report := $(venv)/other.xml
lab_tests := $(venv)/bin/pytest --labs 3 --junit-xml=$(venv)/lab.xml
quick_marks := not lab and not guest and not slow

# Debian keeps nginx and ip where an ordinary user's PATH doesn't look.
export PATH := $(PATH):/usr/sbin:/sbin

# Tests start Python hundreds of times, which shouldn't compile everything each time.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: changes deb dist docs install demo test test-all test-deb test-systemd test-pythons test-lowest quick check fuzz bpf bench bench-full \
	kernel test-kernel test-kernels

demo: $(runs)
	$(venv)/bin/mphttp demo

# Each behaviour once: tests that show the same for several clients run for one of them.
test: $(develops)
	scripts/packages
	$(venv)/bin/pytest -n 3 -m "not lab and not guest and not more" --junit-xml=$(other_report)
	$(lab_tests) -m "lab and not more"

test-all: $(develops)
	scripts/packages
	$(LOOK) $(venv)/bin/pytest -n 3 -m "not lab and not guest" --junit-xml=$(other_report) \
		-o cache_dir=$(venv)/other.cache
	$(LOOK) $(lab_tests) -m lab -o cache_dir=$(venv)/lab.cache

# All but the tests that need a laboratory, or more than a moment; more of them wait than compute.
quick: $(develops)
	$(venv)/bin/pytest -n 4 --hypothesis-profile=quick -m "$(quick_marks)"

# The quick tests by other Pythons, which Debian's newer suites have.
test-pythons: $(develops)
	MARKS="$(quick_marks)" scripts/test_pythons $(venv) this trixie:3.13 forky:3.14

# The quick tests with the lowest versions that pyproject.toml declares.
test-lowest: $(develops)
	MARKS="$(quick_marks)" scripts/test_pythons $(venv) lowest

check: $(develops)
	$(venv)/bin/ruff check
	$(venv)/bin/ruff format --check
	$(venv)/bin/mypy -p mphttp

# The manual, as pages for a browser: build/docs/index.html
docs: $(develops)
	$(venv)/bin/pip install --quiet --group docs
	$(venv)/bin/python -m sphinx --fail-on-warning --keep-going --quiet -E docs build/docs

# The sdist and the wheel, the same byte for byte from the same commit; and Debian's package.
dist: $(develops)
	scripts/package $(venv)/bin/python dist

deb: $(develops)
	scripts/deb $(venv)/bin/python dist

# As root: in new chroots of Debian 12 and 13.
test-deb: deb
	scripts/test_deb dist

# As root: in a virtual machine that systemd has booted.
test-systemd: deb
	scripts/test_systemd dist

# What the changelog will say of the next version; scripts/release makes one.
changes: $(develops)
	$(venv)/bin/pip install --quiet --group release
	$(venv)/bin/towncrier build --draft --version next

# The command for all users of this machine, with all clients, in a place of its own.
install:
	$(PYTHON) -m venv $(PREFIX)
	$(PREFIX)/bin/pip install --quiet '.[curl,requests,http2,socks,completion,metered]'
	mkdir -p $(PREFIX)/share/man/man1 $(PREFIX)/share/bash-completion/completions
	$(PREFIX)/bin/mphttp manual --into $(PREFIX)/share/man/man1
	$(PREFIX)/bin/mphttp completion bash >$(PREFIX)/share/bash-completion/completions/mphttp
	@echo "$(PREFIX)/bin/mphttp is there. To have it by its name:"
	@echo "    ln -s $(PREFIX)/bin/mphttp /usr/local/bin/mphttp"
	@echo "and to let ordinary users control subflows: sudo $(PREFIX)/bin/mphttp setup"

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

# Kernels that distributions ship, each in a virtual machine; writes docs/compatibility.md.
test-kernels: $(develops)
	scripts/test_kernels $(venv)

$(runs): pyproject.toml scripts/environment
	scripts/environment $(PYTHON) $(venv)
	$(venv)/bin/pip install --quiet --editable '.[lab]'
	touch $@

$(develops): $(runs)
	$(venv)/bin/pip install --quiet --editable '.[lab,curl,requests,httpx2,http2,socks,completion,metered]'
	$(venv)/bin/pip install --quiet --group test --group check --group package
	$(venv)/bin/python -m compileall -q mphttp strategies kernel  # for those who may not write here
	touch $@
