# What a person types. Needs make and Python 3.11 or newer; everything else goes into .venv/.

PYTHON ?= python3
N ?= 3
KILLS ?= 200
JOURNAL ?= file
VENV := .venv
IN_VENV := $(VENV)/bin/python
# Of the tests with servers and browsers twice as many as two cores: they wait as much as they work. The others work, and
# each process first looks for every test.
AT_ONCE := --dist loadgroup --no-loadscope-reorder --numprocesses
PIP_INSTALL := $(IN_VENV) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --retries 2
# Without a network, pip says that there is no such package.
NOT_FETCHED := The packages could not be fetched: is there a network? Behind a proxy, set HTTPS_PROXY.
install = $(PIP_INSTALL) -r $(1) 2>$(VENV)/said || \
  { grep -q 'after connection broken' $(VENV)/said && echo "$(NOT_FETCHED)" >&2 || cat $(VENV)/said >&2; exit 1; }

# What Python has compiled is kept, also on a machine that says no to that: else each of hundreds of starts compiles anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run demo-insights test test-browsers check lint audit icons bench lighthouse torture cluster drill screenshots clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/installed ## install, print the people's passwords and invite links, and serve
	@$(IN_VENV) -m runtime.assets || echo "Going on without them: the page then needs its CDN." >&2
	@$(IN_VENV) users.py
	@exec $(IN_VENV) app.py

demo-insights: $(VENV)/installed ## a party with a made-up fortnight, for a look at its owner's page (ARGS="--fortnight dying")
	@$(IN_VENV) -m runtime.assets || echo "Going on without them: the page then needs its CDN." >&2
	@PYTHONPATH=. exec $(IN_VENV) tests/demo_insights.py $(ARGS)

test: lint ## install, make sure of a browser, and run every test (ARGS="-k queue" for some)
	$(IN_VENV) -m runtime.assets
	sh deploy/install_packages.sh
	sh tests/install_promtool.sh $(VENV)/bin
	sh benchmarks/install_peer.sh
	BROWSER_PATH=$$(sh tests/install_browser.sh $(IN_VENV)) && export BROWSER_PATH && \
	  $(IN_VENV) -m pytest $(AT_ONCE) 4 -m "not engines" $(ARGS)

test-browsers: $(VENV)/installed-tests ## the same page in Firefox and in WebKit, the engine of every iPhone (ARGS="-k webkit" for one)
	$(IN_VENV) -m runtime.assets
	sh tests/install_engines.sh
	$(IN_VENV) -m pytest tests/engines $(ARGS)

check: lint audit ## an answer in a minute: form, types, known vulnerabilities, and every test without browser or server
	$(IN_VENV) -m pytest $(AT_ONCE) 3 -m "not server and not page" $(ARGS)

lint: $(VENV)/installed-tests ## check the code's form with ruff, and the types of party/ with mypy
	$(IN_VENV) -m ruff check
	$(IN_VENV) -m mypy

audit: $(VENV)/installed-tests ## ask whether a release that we name has a known vulnerability; goes on where nobody answers
	$(IN_VENV) tests/audit.py

icons: $(VENV)/installed-tests ## draw the app icons of static/icons/ anew from their SVGs
	BROWSER_PATH=$$(sh tests/install_browser.sh $(IN_VENV)) && export BROWSER_PATH && $(IN_VENV) tests/icons.py

bench: $(VENV)/installed-tests ## measure everything against a minimal Node server; half an hour (ARGS="--only fanout,memory")
	sh deploy/install_packages.sh || echo "Going on without Redis." >&2
	sh benchmarks/install_peer.sh || echo "Going on without the peer." >&2
	$(IN_VENV) -m benchmarks $(ARGS)

lighthouse: $(VENV)/installed-tests ## what Lighthouse says of the sign-in page and the lobby on a phone; needs Node
	$(IN_VENV) -m runtime.assets
	BROWSER_PATH=$$(sh tests/install_browser.sh $(IN_VENV)) && export BROWSER_PATH && $(IN_VENV) benchmarks/lighthouse.py

torture: $(VENV)/installed-tests ## kill servers under load and compare what everybody saw (KILLS=200 JOURNAL=file|redis SERVICE=hooks|publisher|moments)
	sh deploy/install_packages.sh
	$(if $(filter hooks,$(SERVICE)),sh benchmarks/install_peer.sh)
	$(IN_VENV) tests/torture.py --kills $(KILLS) $(if $(SERVICE),--service $(SERVICE),--journal $(JOURNAL)) $(ARGS)

cluster: $(VENV)/installed ## serve with N processes, one Redis and nginx in front, on http://127.0.0.1:5000/
	sh deploy/install_packages.sh
	@$(IN_VENV) -m runtime.assets || echo "Going on without them: the page then needs its CDN." >&2
	@exec $(IN_VENV) deploy/cluster.py --processes $(N)

drill: $(VENV)/installed-tests ## a server from nothing in an empty Debian root: install, update, go back, move, uninstall; as root
	$(IN_VENV) tests/drill $(ARGS)

screenshots: $(VENV)/installed-tests ## draw every state of the page, on a desk and a phone, light and dark, into tests/screenshots/
	$(IN_VENV) -m runtime.assets
	BROWSER_PATH=$$(sh tests/install_browser.sh $(IN_VENV)) && export BROWSER_PATH && PYTHONPATH=. $(IN_VENV) tests/screenshots.py

clean: ## remove what make made; instance/, with the rooms and the secret key, stays
	rm -rf $(VENV) static/vendor tests/screenshots .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# The stamps are touched last, so what broke half-way is made again. `--no-deps` and `pip check` together hold
# the lists to being complete: nothing is installed that they do not name. `--require-hashes`: nor any other file.
$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is not Python 3.11 or newer; name one that is: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make a .venv; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@test ! -L $(VENV) || rm $(VENV) # else what that leads to is emptied
	$(PYTHON) -m venv --clear $(VENV)
	@echo "Installing the packages into $(VENV)/, which takes about half a minute."
	@$(call install,requirements.txt)
	$(IN_VENV) -m pip check
	@touch $@

$(VENV)/installed-tests: $(VENV)/installed tests/requirements.txt
	@$(call install,tests/requirements.txt)
	$(IN_VENV) -m pip check
	@touch $@

# The Python that .venv/ was made with may be gone: an upgrade of the system, a folder moved elsewhere.
ifneq ($(shell test -x $(IN_VENV) && echo there),there)
.PHONY: $(VENV)/installed
endif
