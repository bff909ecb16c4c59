# `make` explains itself.
.DEFAULT_GOAL := help
.PHONY: help run demo test chaos fuzz oracle bench-admin bench-fleet bench-ingest bench-mapping bench-pages bench-query bench-trace soak check format lock image-steps secrets clean

PYTHON ?= python3
BIN := .venv/bin

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: .venv/embedded ## start everything and show one log; Ctrl-C stops it
	@$(BIN)/python manage.py up

demo: .venv/embedded ## send the traffic of a small GPU fleet to a running server for a minute
	@$(BIN)/python manage.py demo $(ARGS)

test: .venv/dev ## run all tests, on the real engines, in random order
	@$(BIN)/python -m pytest $(ARGS)

chaos: .venv/dev ## kill, stop and fill up everything under load, and show that no acknowledged span is lost; 7 minutes
	@$(BIN)/python -m bench.chaos $(ARGS)

fuzz: .venv/dev ## try 100,000 odd inputs on every door, in ten minutes; SEED=… tries the same ones again
	@seed=$${SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}; echo "SEED=$$seed"; \
		$(BIN)/python -m pytest tests/fuzz --fuzz 12 --hypothesis-seed $$seed $(ARGS)

oracle: .venv/dev ## hold 30,000 answers of the API against a naive model, in a quarter of an hour; SEED=… asks the same ones again
	@seed=$${SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}; echo "SEED=$$seed"; \
		$(BIN)/python -m pytest tests/oracle --fuzz 30 --hypothesis-seed $$seed $(ARGS)

bench-query: .venv/dev ## how fast the API answers with ten million spans stored and 10,000 a second arriving; 20 minutes
	@$(BIN)/python -m bench.query $(ARGS)

bench-ingest: .venv/dev ## how many spans a second are stored, what each takes, how soon it is acknowledged and seen; 8 minutes
	@$(BIN)/python -m bench.ingest $(ARGS)

soak: .venv/dev ## an hour of 20,000 spans a second, then too many; ARGS="--minutes 5" is shorter
	@$(BIN)/python -m bench.ingest.soak $(ARGS)

bench-trace: .venv/dev ## how fast a trace is answered, small, of 10,000 spans and 5,000 levels deep; 2 minutes
	@$(BIN)/python -m bench.trace $(ARGS)

bench-admin: .venv/dev ## how fast the admin's pages are with 10,000 cards; 2 minutes
	@$(BIN)/python -m bench.admin $(ARGS)

bench-pages: .venv/dev ## how soon the pages are there with ten million spans stored; 5 minutes
	@$(BIN)/python -m bench.pages $(ARGS)

bench-fleet: .venv/dev ## how fast the pages of the GPUs are with 10,000 cards; 2 minutes
	@$(BIN)/python -m bench.fleet $(ARGS)

bench-mapping: .venv/embedded ## what one batch costs in ClickHouse, in half a minute
	@cd $${TMPDIR:-/tmp} && PYTHONPATH=$(CURDIR) $(CURDIR)/$(BIN)/python -m bench.mapping $(ARGS)

# What holds docs, settings, the files of the deployment and the monitoring's against the code, without an engine.
AGREEMENT := tests/docs/test_links.py tests/docs/test_commands.py tests/test_docs.py tests/test_configuration.py \
	tests/deploy/test_compose.py tests/deploy/test_image.py tests/metrics/test_documents.py

check: .venv/dev ## style, types, direction of imports, OpenAPI, the production profile; docs, Compose, dashboards and code agree
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))') ALLOWED_HOSTS=axonize.example \
		AXONIZE_HTTPS=true AXONIZE_TRUST_PROXY=true $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/python -m pytest --quiet $(AGREEMENT)

format: .venv/dev ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: .venv/dev ## write the lock files anew from requirements/*.in
	@for name in base embedded dev; do \
		$(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
			--no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
			--output-file requirements/$$name.txt requirements/$$name.in; \
	done

secrets: ## make what docker-compose.yml keeps secret, in ./secrets; what is there already stays as it is
	@install -d -m 700 secrets
	@for name in secret_key database_password redis_password clickhouse_password; do \
		test -e secrets/$$name || $(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(48))' >secrets/$$name; \
	done
# A container reads them as a user who is nobody here, so the directory is what keeps others out.
	@chmod 444 secrets/secret_key secrets/*_password

image-steps: .venv/dev ## go through the Dockerfile's steps in an empty directory, without Docker, and ask the result; 2 minutes
	@$(BIN)/python -m tests.deploy.image_steps

clean: ## remove the virtual environment; the data in .axonize stays
	rm -rf .venv

# A virtual environment that holds what the lock file of that name says.
.venv/embedded .venv/dev: .venv/%: requirements/%.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; name one, as in: make run PYTHON=python3.11"; exit 1; }
	@echo "Installing $< into .venv; the first time this takes a minute or two."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@ $(if $(findstring dev,$*),.venv/embedded)
