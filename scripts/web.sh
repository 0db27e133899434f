#!/usr/bin/env bash
# What is done with the dashboard in web/, once its packages are installed:
#
#   scripts/web.sh install   only that, when they are missing or the lock file has changed
#   scripts/web.sh check     format, style, types, and the examples of its README
#   scripts/web.sh test      its tests without a browser
#   scripts/web.sh build     the page, into internal/admin/dist, which is committed
#   scripts/web.sh fresh     whether that is what the sources make
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dist=$root/internal/admin/dist

main() {
  cd "$root/web"
  local what=${1:-}
  case $what in
    install | check | test | build | fresh) ;;
    *) die "\"$what\" is none of install, check, test, build and fresh" ;;
  esac
  install_packages
  case $what in
    check)
      npx --no-install biome ci .
      npx --no-install tsc --noEmit
      node scripts/readme.mjs
      ;;
    test) npx --no-install vitest run ;;
    build) npm run --silent build ;;
    fresh) is_fresh ;;
  esac
}

install_packages() {
  has npm || die "npm is not in PATH; install Node.js 20.19 or newer"
  # npm writes that file last.
  [[ node_modules/.package-lock.json -nt package-lock.json && node_modules/.package-lock.json -nt package.json ]] && return
  say "Installing the packages of web/"
  npm ci --ignore-scripts --no-progress --loglevel=error
}

is_fresh() {
  local made
  made=$(mktemp -d "${TMPDIR:-/tmp}/schemacast-web.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$made'" EXIT
  npx --no-install vite build --logLevel warn --outDir "$made" --emptyOutDir
  diff -rq "$dist" "$made" && return
  warn "internal/admin/dist is not what web/ makes; run: make web, and commit the result"
  return 1
}

main "$@"
