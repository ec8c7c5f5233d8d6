# The project's Airflow: the official image with the locked requirements, helm and git. Code is mounted, not copied.
FROM docker.io/alpine/helm:4.3.1 AS helm

FROM docker.io/apache/airflow:3.3.2-python3.12
USER root
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*
COPY --from=helm /usr/bin/helm /usr/local/bin/helm
USER airflow
COPY requirements.txt constraints.txt /opt/airflow/
RUN uv pip install --no-cache --require-hashes --requirement /opt/airflow/requirements.txt --constraint /opt/airflow/constraints.txt
