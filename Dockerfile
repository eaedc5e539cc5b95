# Penstock from scratch: a static binary, the certificates of public authorities, and what it is made of. For those who
# have a registry; `make image` makes the same without one.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=0.1.0 -t registry.example.com/penstock:0.1.0 .
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=dev
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
      go build -trimpath -buildvcs=false -tags timetzdata -ldflags "-s -w -X main.versionText=$VERSION" \
      -o /out/penstock ./cmd/penstock && \
    go run ./internal/manifests/cmd/sbom /out/penstock > /out/sbom.cdx.json

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="penstock" \
      org.opencontainers.image.description="Loads files from object storage into Apache Cassandra" \
      org.opencontainers.image.source="https://github.com/penstock-io/penstock" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/sbom.cdx.json /sbom.cdx.json
COPY --from=build /out/penstock /penstock
USER 65532:65532
ENTRYPOINT ["/penstock"]
