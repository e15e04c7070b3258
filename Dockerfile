# Out of one file: `--target operator`, `--target sidecar`, `--target engines` (simulated engines) and, for a test that
# asks from within the cluster, `--target clients`.
# Nothing is installed that the locks in requirements/ do not name with its hash.

# What the programs run on: any image with python3 and CA certificates.
ARG BASE=python:3.13-slim-bookworm
# What they are built and installed with: the same python3 with pip, gcc and Python's headers.
ARG BUILDER=python:3.13-bookworm

FROM ${BUILDER} AS builder
# A mirror of the package index, for builds behind a wall.
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all: PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

FROM builder AS wheel
COPY requirements/build.lock requirements/
RUN python3 -m venv --without-pip /build \
 && python3 -m pip --python /build/bin/python3 install --require-hashes -r requirements/build.lock
COPY . .
RUN /build/bin/python3 -m hatchling build -t wheel -d /dist

# The gateway's own wheel, compiled. It sees nothing but the gateway, so that it is compiled anew when that changes.
FROM builder AS sidecar-wheel
COPY requirements/compile.lock requirements/
RUN python3 -m venv --without-pip /build \
 && python3 -m pip --python /build/bin/python3 install --require-hashes -r requirements/compile.lock
COPY LICENSE README.md pyproject.toml ./
COPY tools tools
COPY sidecar sidecar
# 0 leaves it interpreted, and needs no compiler in BUILDER.
ARG COMPILED=1
RUN HATCH_BUILD_HOOK_ENABLE_CUSTOM=${COMPILED} /build/bin/python3 -m hatchling build -t wheel -d /dist

# /opt/venv, not /opt/modelpool: the operator mounts its start script there, over whatever an engine's image has.
FROM builder AS operator-venv
COPY requirements/operator.lock requirements/
RUN python3 -m venv --without-pip /opt/venv \
 && python3 -m pip --python /opt/venv/bin/python3 install --require-hashes -r requirements/operator.lock
COPY --from=wheel /dist /dist
RUN python3 -m pip --python /opt/venv/bin/python3 install --no-deps --no-index /dist/*.whl

FROM builder AS sidecar-venv
COPY requirements/sidecar.lock requirements/
RUN python3 -m venv --without-pip /opt/venv \
 && python3 -m pip --python /opt/venv/bin/python3 install --require-hashes -r requirements/sidecar.lock
COPY --from=sidecar-wheel /dist /dist
RUN python3 -m pip --python /opt/venv/bin/python3 install --no-deps --no-index /dist/*.whl

FROM builder AS engines-venv
COPY requirements/engines.lock requirements/
RUN python3 -m venv --without-pip /opt/venv \
 && python3 -m pip --python /opt/venv/bin/python3 install --require-hashes -r requirements/engines.lock
COPY --from=wheel /dist /dist
RUN python3 -m pip --python /opt/venv/bin/python3 install --no-deps --no-index /dist/*.whl \
 && ln -s modelpool-fake-vllm /opt/venv/bin/vllm \
 && ln -s modelpool-fake-ollama /opt/venv/bin/ollama

FROM builder AS clients-venv
COPY requirements/clients.lock requirements/
RUN python3 -m venv --without-pip /opt/venv \
 && python3 -m pip --python /opt/venv/bin/python3 install --require-hashes -r requirements/clients.lock

# No pip, no shell profile, no writable path is needed: the chart runs it with a read-only root filesystem.
FROM ${BASE} AS runtime
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/* /usr/local/lib/python3*/ensurepip
# PYTHONSAFEPATH: a working folder that holds `operator/` must never shadow the standard library's module.
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
LABEL org.opencontainers.image.licenses=Apache-2.0 org.opencontainers.image.vendor=ModelPool
WORKDIR /
# A number, so that `runAsNonRoot` can be checked without the image's list of users.
USER 65532:65532

FROM runtime AS sidecar
LABEL org.opencontainers.image.title="ModelPool gateway"
COPY --from=sidecar-venv /opt/venv /opt/venv
EXPOSE 8100 11434
ENTRYPOINT ["modelpool-sidecar"]

# Answers to `vllm serve` and `ollama serve` as the real images do, without a GPU or weights.
FROM runtime AS engines
LABEL org.opencontainers.image.title="ModelPool simulated engines"
COPY --from=engines-venv /opt/venv /opt/venv
EXPOSE 8000 11434
# As root, as the real engines' images: their volumes belong to it. The operator drops what root could do beyond that.
USER 0:0

FROM runtime AS clients
LABEL org.opencontainers.image.title="Clients of ModelPool"
COPY --from=clients-venv /opt/venv /opt/venv

FROM runtime AS operator
LABEL org.opencontainers.image.title="ModelPool operator"
COPY --from=operator-venv /opt/venv /opt/venv
ENTRYPOINT ["modelpool-operator"]
