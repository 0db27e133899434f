# syntax=docker/dockerfile:1
# The worker and the enqueue command, as two static programs and nothing else.
#
#   docker build --build-arg COMMIT="$(git describe --always --abbrev=12 --exclude '*' --dirty)" -t schemacast .

FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# What --version tells; .git stays outside.
ARG COMMIT
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath \
    -ldflags "-s -w -X github.com/schemacast/schemacast/internal/buildinfo.commit=$COMMIT" \
    -o /out/ ./cmd/...

# No shell, no C library, no time zones: logs are in UTC, and times of records keep the zone that they have.
FROM scratch
# For a language model, a Redis or a Pusher server over TLS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/worker /out/enqueue /
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/worker", "-healthcheck"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/worker"]
