#!/usr/bin/env bash
# Makes the image without Docker and without a registry, by buildah, from scratch: a static binary, the certificates of
# public authorities, and what it is made of. `make image` calls it.
#
#   bin/image/penstock.tar          an OCI archive of all architectures: skopeo copy, buildah push, podman load
#   bin/image/penstock-ARCH.tar     one architecture, for kind load image-archive and ctr images import
#   bin/image/sbom-ARCH.cdx.json    the modules that it is made of
#
# IMAGE names it (localhost/penstock:dev), ARCHS the architectures (amd64 arm64), OUT the folder (bin/image).
set -euo pipefail
cd "$(dirname "$0")/.."
image=${IMAGE:-localhost/penstock:dev} archs=${ARCHS:-amd64 arm64} out=${OUT:-bin/image}
version=${image##*:}
certificates=${CERTIFICATES:-/etc/ssl/certs/ca-certificates.crt}

command -v buildah > /dev/null || {
  echo "image: buildah is not installed: on Debian, apt-get install buildah; or use the Dockerfile" >&2
  exit 1
}
[ -r "$certificates" ] || {
  echo "image: $certificates is not there: install ca-certificates, or set CERTIFICATES to a PEM file" >&2
  exit 1
}

mkdir -p "$out"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
store() { buildah --root "$scratch/root" --runroot "$scratch/run" "$@"; }

store manifest create "$image" > /dev/null
for arch in $archs; do
  binary=$scratch/penstock-$arch sbom=$out/sbom-$arch.cdx.json
  CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -buildvcs=false -tags timetzdata -ldflags "-s -w -X main.versionText=$version" \
    -o "$binary" ./cmd/penstock
  go run ./internal/manifests/cmd/sbom "$binary" > "$sbom"
  container=$(store from --arch "$arch" scratch)
  store copy --quiet --chmod 0555 "$container" "$binary" /penstock > /dev/null
  store copy --quiet --chmod 0444 "$container" "$certificates" /etc/ssl/certs/ca-certificates.crt > /dev/null
  store copy --quiet --chmod 0444 "$container" "$sbom" /sbom.cdx.json > /dev/null
  store config --os linux --arch "$arch" --user 65532:65532 --entrypoint '["/penstock"]' --cmd '' \
    --label org.opencontainers.image.title=penstock \
    --label "org.opencontainers.image.description=Loads files from object storage into Apache Cassandra" \
    --label org.opencontainers.image.source=https://github.com/penstock-io/penstock \
    --label org.opencontainers.image.licenses=Apache-2.0 \
    --label "org.opencontainers.image.version=$version" "$container"
  store commit --quiet --timestamp 0 "$container" "$image-$arch" > /dev/null
  rm -f "$out/penstock-$arch.tar"
  store push --quiet "$image-$arch" "oci-archive:$out/penstock-$arch.tar:$image"
  store manifest add --os linux --arch "$arch" "$image" "$image-$arch" > /dev/null
done
rm -f "$out/penstock.tar"
store manifest push --quiet --all "$image" "oci-archive:$out/penstock.tar:$image"
echo "$out/penstock.tar: $image for $archs"
