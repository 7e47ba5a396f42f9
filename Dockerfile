# Renders the reports on a machine that has nothing else: docs/scheduling.md.
FROM python:3.12-slim AS build
RUN python -m venv /opt/deficits
WORKDIR /build
# The packages first: they change less often than the code.
COPY requirements.lock ./
RUN /opt/deficits/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY data/raw data/raw
COPY data/assumptions data/assumptions
COPY data/recommendations.yaml data/recommendations.yaml
COPY notebooks notebooks
# What builds the wheel (hatchling) is the one thing that no lock file pins. It does not stay.
RUN /opt/deficits/bin/pip install --no-cache-dir --no-deps .

FROM python:3.12-slim
COPY --from=build /opt/deficits /opt/deficits
RUN useradd --system --uid 10001 --no-create-home --home-dir /srv deficits \
    && install --directory --owner=10001 --group=10001 /reports
# A home that is there for any user that `docker run --user` names.
ENV PATH="/opt/deficits/bin:$PATH" HOME=/srv MPLCONFIGDIR=/tmp PYTHONUNBUFFERED=1
WORKDIR /srv
USER 10001
VOLUME /reports
ENTRYPOINT ["deficits"]
CMD ["report", "--only-stale", "--out", "/reports"]
