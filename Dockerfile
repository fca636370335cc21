# The engine in one image: worker (`docustack worker`) and webhook server (`docustack serve`) differ only in command.

ARG PYTHON_VERSION=3.12
ARG GO_VERSION=1.26
ARG TERRAFORM_VERSION=1.11.4

FROM golang:${GO_VERSION}-bookworm AS terragrunt
WORKDIR /build
COPY tools/go.mod tools/go.sum ./
RUN go mod download
RUN version=$(go list -m -f '{{.Version}}' github.com/gruntwork-io/terragrunt) \
 && CGO_ENABLED=0 go build -trimpath -o /terragrunt \
    -ldflags "-s -w -X github.com/gruntwork-io/terragrunt/internal/version.Version=${version}" \
    github.com/gruntwork-io/terragrunt

FROM hashicorp/terraform:${TERRAFORM_VERSION} AS terraform

FROM python:${PYTHON_VERSION}-slim-bookworm AS packages
RUN python -m venv /opt/docustack
ENV PATH=/opt/docustack/bin:$PATH
WORKDIR /build
COPY requirements-build.lock requirements-runtime.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements-runtime.lock
# What builds our wheel doesn't go into the image.
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements-build.lock
COPY pyproject.toml ./
COPY docustack docustack
COPY activities activities
COPY workflows workflows
COPY worker worker
COPY starter starter
COPY local local
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && pip install --no-cache-dir --no-deps --no-index dist/*.whl

FROM python:${PYTHON_VERSION}-slim-bookworm
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git openssh-client ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 docustack \
 && install --directory --owner docustack --group docustack /var/lib/docustack /var/lib/docustack-artifacts
COPY --from=terragrunt /terragrunt /usr/local/bin/terragrunt
COPY --from=terraform /bin/terraform /usr/local/bin/terraform
COPY --from=packages /opt/docustack /opt/docustack
ENV PATH=/opt/docustack/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CHECKPOINT_DISABLE=1 \
    DOCUSTACK_DATA_DIR=/var/lib/docustack \
    DOCUSTACK_LOG_FORMAT=json
USER docustack
WORKDIR /var/lib/docustack
ENTRYPOINT ["docustack"]
CMD ["worker"]
