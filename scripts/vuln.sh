#!/usr/bin/env bash
# Looks for known vulnerabilities in what the programs are made of, by govulncheck. It asks
# the Go team's database; GOVULNDB names a copy of it, https:// or file://. Exit codes: 3 for a
# finding, 75 when the database can not be reached, so that nobody takes silence for an answer.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

govulncheck=golang.org/x/vuln/cmd/govulncheck@v1.9.0
database=${GOVULNDB:-https://vuln.go.dev}
unreachable=75

cd "$root"
if [[ $database == https://* ]] && ! curl -fsS --max-time 20 -o /dev/null "$database/index/db.json"; then
  warn "NOT CHECKED: the database of vulnerabilities at $database can not be reached from here. Run it where it can, or set GOVULNDB to a copy."
  exit "$unreachable"
fi
say "govulncheck, by $database"
# By package, not by call: the command line parser calls our commands by reflection, so that
# to a graph of calls the programs seem to do nothing.
GOBIN=$cache/bin go install "$govulncheck"
"$cache/bin/govulncheck" -db "$database" -scan package ./cmd/...
