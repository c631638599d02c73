# syntax=docker/dockerfile:1
# The API with its embedded PostgreSQL, or with the one of DATABASE_URL. /data has the data and the first key.

FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv /opt/agentdata
ENV PATH=/opt/agentdata/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# Before the code is copied, so that a change of code does not install the requirements again.
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY . .
RUN pip install --no-deps --no-build-isolation .

FROM python:3.13-slim
# PostgreSQL refuses to run as root, and initdb needs a user with a name.
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin agentdata \
    && install --directory --owner=agentdata --group=agentdata --mode=0700 /data
COPY --from=build /opt/agentdata /opt/agentdata
ENV PATH=/opt/agentdata/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AGENTDATA_HOST=0.0.0.0 \
    AGENTDATA_PORT=8000 \
    AGENTDATA_DATA_DIR=/data
USER agentdata
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", \
    "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['AGENTDATA_PORT'] + '/health', timeout=4)"]
ENTRYPOINT ["agentdata"]
CMD ["serve"]
