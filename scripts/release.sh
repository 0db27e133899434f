#!/usr/bin/env bash
# Makes a release in dist/, the same bytes from the same commit by the same Go release:
#
#   scripts/release.sh v0.8.0
#
# For each platform an archive of both static programs, a list of what they are made of
# (SBOM, CycloneDX), and SHA256SUMS over all of it. DIST names another folder, PLATFORMS
# other platforms. It refuses a tree with changes that are not committed, unless
# DIRTY=ok; the programs then say -dirty.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sbom_tool=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
buildinfo=github.com/schemacast/schemacast/internal/buildinfo
platforms=${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}
dist=${DIST:-$root/dist}
work=''

main() {
  version=${1:-}
  [[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || die "\"$version\" is no version; write v1.2.3: make release VERSION=v1.2.3"
  cd "$root"
  commit=$(git describe --always --abbrev=12 --exclude '*' --dirty)
  [[ $commit != *-dirty || ${DIRTY:-} == ok ]] || die "the tree has changes that are not committed; commit or stash them, since nobody could build this again"
  epoch=$(git log -1 --format=%ct)
  tar=$(gnu_tar)
  work=$(mktemp -d "${TMPDIR:-/tmp}/schemacast-release.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  rm -rf "$dist"
  mkdir -p "$dist"
  local platform
  for platform in $platforms; do
    package "${platform%/*}" "${platform#*/}"
  done
  (cd "$dist" && LC_ALL=C sha256 ./*.tar.gz ./*.cdx.json | sed 's|\./||' >"$work/sums" && mv "$work/sums" SHA256SUMS)
  say "Done: ${dist#"$root"/}/"
  cat "$dist/SHA256SUMS"
}

# package OS ARCH builds both programs and packs them.
package() {
  local name=schemacast_${version#v}_$1_$2
  local folder=$work/$name
  say "$name"
  mkdir "$folder"
  # Without what the toolchain finds out about the checkout: commit says it.
  CGO_ENABLED=0 GOOS=$1 GOARCH=$2 GOAMD64=v1 GOARM64=v8.0 GOFLAGS='' GOEXPERIMENT='' go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X $buildinfo.version=${version#v} -X $buildinfo.commit=$commit" -o "$folder/" ./cmd/worker ./cmd/enqueue
  sbom "$folder/worker" "$dist/$name.worker.cdx.json"
  sbom "$folder/enqueue" "$dist/$name.enqueue.cdx.json"
  cp LICENSE README.md CHANGELOG.md .env.example docs/upgrading.md docs/configuration.md "$folder/"
  chmod 755 "$folder" "$folder/worker" "$folder/enqueue"
  chmod 644 "$folder"/{LICENSE,README.md,CHANGELOG.md,.env.example,upgrading.md,configuration.md}
  "$tar" --create --directory "$work" --sort=name --format=ustar --mtime="@$epoch" --owner=0 --group=0 --numeric-owner "$name" |
    gzip -n -9 >"$dist/$name.tar.gz"
  rm -rf "$folder"
}

# sbom PROGRAM FILE lists the modules that a program was linked from, as it says itself.
sbom() {
  GOFLAGS='' go run "$sbom_tool" bin -json -std -noserial -version "$version" -output "$work/sbom.json" "$1" 2>"$work/sbom.log" || {
    cat "$work/sbom.log" >&2
    die "the list of ${1##*/} could not be made; the tool said the above"
  }
  # The time at which the list was made, and the build of the tool, are nobody's business.
  local stamp
  stamp=$(TZ=UTC0 printf '%(%Y-%m-%dT%H:%M:%SZ)T' "$epoch")
  sed -e "s|\"timestamp\": \"[^\"]*\"|\"timestamp\": \"$stamp\"|" \
    -e '/"tools": \[/,/"component": {/{' -e '/"hashes": \[/,/\],/d' -e '}' "$work/sbom.json" >"$2"
}

gnu_tar() {
  local candidate
  for candidate in tar gtar; do
    if has "$candidate" && "$candidate" --version 2>/dev/null | grep -q 'GNU tar'; then
      echo "$candidate"
      return
    fi
  done
  die "GNU tar is not installed, and others can not make the same archive twice: apt-get install tar, or brew install gnu-tar"
}

sha256() {
  if has sha256sum; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}

main "$@"
