#!/usr/bin/env bash
# Checks the source, all of it even after a first finding, and fails if any check did:
# formatting, go vet, modules, a build without cgo, golangci-lint, shellcheck, the
# dashboard, lock files.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

golangci_version=v2.15.0
failed=()

main() {
  cd "$root"
  check "gofmt" formatted
  check "go vet" go vet ./...
  check "go mod verify" go mod verify
  check "go mod tidy" go mod tidy -diff
  check "build without cgo" env CGO_ENABLED=0 go build ./...
  check "golangci-lint $golangci_version" lint_go
  check "shellcheck" lint_shell
  check "web" "$root/scripts/web.sh" check
  check "internal/admin/dist" "$root/scripts/web.sh" fresh
  check "lock files" lock_files_name_no_registry
  [[ ${#failed[@]} -eq 0 ]] || die "failed: $(printf '%s, ' "${failed[@]}" | sed 's/, $//')"
  say "No findings"
}

# check NAME COMMAND... runs one check and remembers whether it failed.
check() {
  local name=$1
  shift
  say "$name"
  "$@" || failed+=("$name")
}

# sources PATTERN: the files of the tree, those not yet added to git too.
sources() { git ls-files -z --cached --others --exclude-standard --deduplicate -- "$@"; }

formatted() {
  local bad
  bad=$(sources '*.go' | xargs -0 -r ls -d 2>/dev/null | xargs -r -d '\n' gofmt -l)
  [[ -z $bad ]] && return
  printf '%s\n' "not formatted; run: make tidy" "$bad" >&2
  return 1
}

lint_go() {
  local linter
  linter=$(golangci) && "$linter" run ./...
}

# golangci prints the path of the right golangci-lint, and builds it first when the
# machine has none: minutes, once.
golangci() {
  local candidate
  for candidate in "$cache/bin/golangci-lint" "$(go env GOPATH)/bin/golangci-lint" golangci-lint; do
    if has "$candidate" && [[ $("$candidate" version --short 2>/dev/null) == "${golangci_version#v}" ]]; then
      echo "$candidate"
      return
    fi
  done
  say "Building golangci-lint $golangci_version into .cache/bin, once; this takes a few minutes" >&2
  GOBIN=$cache/bin go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$golangci_version" >&2 || return
  echo "$cache/bin/golangci-lint"
}

lint_shell() {
  if ! has shellcheck && apt_usable; then
    apt_install shellcheck
  fi
  if ! has shellcheck; then
    warn "shellcheck is not installed: apt-get install shellcheck, or brew install shellcheck"
    [[ ${CI:-} != true ]]
    return
  fi
  sources 'scripts/*.sh' .ci/run | xargs -0 shellcheck -x
}

# A lock file that names a registry binds everybody to it.
lock_files_name_no_registry() {
  local bad
  bad=$(sources '*package-lock.json' | xargs -0 -r grep -l '"resolved": "http') || return 0
  printf '%s\n' "with \"resolved\" addresses; run npm install --package-lock-only in their folders," \
    "with omit-lockfile-registry-resolved=true in .npmrc" "$bad" >&2
  return 1
}

main "$@"
