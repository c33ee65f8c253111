# One image for migrate, api, worker, beat and push; docker-compose.yml has the command of each.

FROM node:24-slim AS web
WORKDIR /web
COPY web/package.json web/package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY web ./
RUN npm run build

FROM python:3.12-slim AS packages
COPY requirements/runtime.txt .
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes -r runtime.txt

FROM python:3.12-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin belfry
COPY --from=packages /venv /venv
WORKDIR /belfry
COPY settings.py alembic.ini ./
COPY lib lib/
COPY telemetry telemetry/
COPY auth auth/
COPY migrations migrations/
COPY models models/
COPY push push/
COPY workers workers/
COPY api api/
COPY cli cli/
COPY web/demo web/demo/
COPY --from=web /web/dist web/dist/
USER belfry
CMD ["python", "-m", "api"]
