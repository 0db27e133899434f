#!/usr/bin/env bash
# Prints the events of a tenant's public channel, one JSON document a line, until Ctrl-C:
#
#   scripts/listen.sh TENANT_ID
#
# It reads PUSHER_HOST, PUSHER_PORT, PUSHER_SCHEME and PUSHER_APP_KEY, and uses the
# libraries of the app's dashboard, which it installs when they are missing.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ -n ${1:-} ]] || die "which tenant? Use: make listen TENANT=ID, with the id that enqueue printed"
[[ -n ${PUSHER_APP_KEY:-} && -n ${PUSHER_HOST:-} ]] ||
  die "PUSHER_APP_KEY and PUSHER_HOST are not set; paste the lines that make services printed"
"$root/scripts/install.sh" >&2
tls=()
[[ ${PUSHER_SCHEME:-https} != https ]] || tls=(--tls)
exec node "$receiver_dir/receiver.mjs" --host "$PUSHER_HOST" --port "${PUSHER_PORT:-443}" \
  --key "$PUSHER_APP_KEY" --tenant "$1" --watchdog "${tls[@]}"
