# shellcheck shell=bash
# Shared by the scripts of this folder: where things are, and how to say something.
# It changes nothing when it is sourced.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Everything that is installed lies here, keyed by what it was made from.
cache=$root/.cache
# Used by the scripts that source this file.
# shellcheck disable=SC2034
receiver_dir=$root/e2e/receiver

say() { printf '==> %s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  warn "$*"
  exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# key FILE...: a short name for the content of files.
key() { cat "$@" | git hash-object --stdin | cut -c1-12; }

# apt_usable: packages can be installed here without asking anybody.
apt_usable() { has apt-get && [[ $(id -u) == 0 ]]; }

apt_install() {
  local options=(-q -y --no-install-recommends -o Dpkg::Use-Pty=0)
  DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install "$@" </dev/null && return
  # A fresh machine has no package lists, an old one outdated ones.
  apt-get -q update </dev/null
  DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install "$@" </dev/null
}

# postgres_bin: the folder with initdb and postgres of the newest PostgreSQL, 13 or later.
postgres_bin() {
  local dir
  dir=$(find /usr/lib/postgresql -maxdepth 1 -mindepth 1 -name '[1-9][0-9]' 2>/dev/null | sort -V | tail -n 1)
  if [[ -n $dir && -x $dir/bin/initdb && ${dir##*/} -ge 13 ]]; then
    echo "$dir/bin"
  elif has initdb && has postgres; then
    dirname "$(command -v initdb)"
  else
    return 1
  fi
}

node_major() { node --version | sed 's/^v\([0-9]*\).*/\1/'; }

# soketi_home: where the Soketi of this tree is, or will be.
soketi_home() {
  echo "$cache/soketi-$(key "$root/scripts/soketi/package.json" "$root/scripts/soketi/package-lock.json")-$(uname -m)"
}
