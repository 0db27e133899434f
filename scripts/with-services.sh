#!/usr/bin/env bash
# Runs a command with a private PostgreSQL, Redis and Soketi on free ports of 127.0.0.1,
# and stops them however it ends:
#
#   scripts/with-services.sh go test ./...
#
# Without a command it prints the addresses, as lines for a shell, and waits for Ctrl-C.
# POSTGRES_PORT, REDIS_PORT and SOKETI_PORT choose ports instead of free ones. Data and
# logs are in a temporary folder, which is removed at the end. What is missing on the
# machine is installed first, see install.sh. The exit code is the command's.
set -euo pipefail
# Every child leads a process group: Ctrl-C reaches this script alone, which then
# ends its children in order.
set -m
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The app that internal/testenv knows. The id is no number, as the existing app's.
app_id=ai-data-lake app_key=app-key app_secret=app-secret
ready_seconds=60
names=() pids=() work='' command_pid=''

main() {
  "$root/scripts/install.sh"
  trap stop_all EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  work=$(mktemp -d "${TMPDIR:-/tmp}/schemacast.XXXXXX")
  chmod 755 "$work" # PostgreSQL runs as another user
  start_postgres
  start_redis
  start_soketi
  await PostgreSQL "$postgres_port"
  await Redis "$redis_port"
  await Soketi "$soketi_port"
  export_addresses
  if [[ $# -eq 0 ]]; then
    say "Running until Ctrl-C. For another shell:"
    print_addresses
    wait -n "${pids[@]}" # until one dies
    exit 1
  fi
  say "$*"
  # In the background, since a trap has to wait for a command in the foreground.
  "$@" </dev/null &
  command_pid=$!
  wait "$command_pid"
}

start_postgres() {
  local bin data=$work/postgres as=()
  bin=$(postgres_bin)
  postgres_port=$(port_for POSTGRES_PORT)
  mkdir "$data"
  if [[ $(id -u) == 0 ]]; then
    # It refuses to run as root.
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    chown postgres "$data"
  fi
  "${as[@]}" "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C -N >"$work/PostgreSQL.log" 2>&1 || {
    cat "$work/PostgreSQL.log" >&2
    die "initdb in $data has failed; it said the above"
  }
  # Nothing has to survive a power cut. 400 connections: every package has its own pools.
  launch PostgreSQL INT "${as[@]}" -- "$bin/postgres" -D "$data" -h 127.0.0.1 -p "$postgres_port" \
    -c unix_socket_directories= -c max_connections=400 -c log_min_messages=fatal \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off
}

start_redis() {
  redis_port=$(port_for REDIS_PORT)
  launch Redis KILL -- redis-server --bind 127.0.0.1 --port "$redis_port" --dir "$work" --save '' --appendonly no
}

start_soketi() {
  soketi_port=$(port_for SOKETI_PORT)
  # KILL, since it takes three seconds to leave otherwise.
  SOKETI_HOST=127.0.0.1 SOKETI_PORT=$soketi_port \
    SOKETI_METRICS_HOST=127.0.0.1 SOKETI_METRICS_SERVER_PORT=$(free_port) \
    SOKETI_DEFAULT_APP_ID=$app_id SOKETI_DEFAULT_APP_KEY=$app_key SOKETI_DEFAULT_APP_SECRET=$app_secret \
    launch Soketi KILL -- "$(soketi_home)/soketi"
}

# launch NAME SIGNAL [PREFIX...] -- COMMAND...: starts a service whose log is $work/NAME.log
# and which SIGNAL stops. PREFIX is a setpriv command that changes the user.
launch() {
  local name=$1 signal=$2 prefix=()
  shift 2
  while [[ $1 != -- ]]; do
    prefix+=("$1")
    shift
  done
  shift
  if has setpriv; then
    # The kernel stops it when this script is killed and can not.
    [[ ${#prefix[@]} -gt 0 ]] || prefix=(setpriv)
    prefix+=(--pdeathsig "$signal")
  fi
  "${prefix[@]}" "$@" >>"$work/$name.log" 2>&1 </dev/null &
  names+=("$name:$signal")
  pids+=("$!")
}

# await NAME PORT waits until the service that was launched under this name serves.
await() {
  local name=$1 port=$2 i pid
  for i in "${!names[@]}"; do
    [[ ${names[i]} == "$name":* ]] && pid=${pids[i]}
  done
  local deadline=$((SECONDS + ready_seconds))
  until serves "$name" "$port"; do
    if ! kill -0 "$pid" 2>/dev/null || ((SECONDS > deadline)); then
      tail -n 30 "$work/$name.log" >&2
      die "$name did not get ready on 127.0.0.1:$port; the end of its log is above. Is the port taken?"
    fi
    sleep 0.1
  done
  say "$name on 127.0.0.1:$port, pid $pid"
}

serves() {
  case $1 in
    PostgreSQL) "$(postgres_bin)/pg_isready" -q -h 127.0.0.1 -p "$2" ;;
    *) in_use "$2" ;; # these open their port when they are ready
  esac
}

in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port_for VARIABLE: the port that the variable asks for, or a free one.
port_for() {
  local port=${!1:-}
  if [[ -z $port ]]; then
    free_port
  elif in_use "$port"; then
    die "$1=$port: somebody listens on 127.0.0.1:$port already. Choose another port, or none to get a free one."
  else
    echo "$port"
  fi
}

# free_port picks a port on which nobody listens. It lies below those that the system
# gives to outgoing connections and beside those that internal/testenv takes.
free_port() {
  local port
  while true; do
    port=$((15000 + RANDOM % 5000))
    in_use "$port" || break
  done
  echo "$port"
}

export_addresses() {
  local redis_server
  redis_server=$(command -v redis-server)
  export SCHEMACAST_TEST_POSTGRES="postgres://postgres@127.0.0.1:$postgres_port/postgres?sslmode=disable"
  export SCHEMACAST_TEST_REDIS_SERVER=$redis_server
  export SCHEMACAST_TEST_SOKETI=127.0.0.1:$soketi_port
  SCHEMACAST_TEST_SOKETI_CMD=$(soketi_home)/soketi
  export SCHEMACAST_TEST_SOKETI_CMD
}

# print_addresses prints what the tests read, and what the worker reads.
print_addresses() {
  cat <<END
export SCHEMACAST_TEST_POSTGRES='$SCHEMACAST_TEST_POSTGRES'
export SCHEMACAST_TEST_REDIS_SERVER='$SCHEMACAST_TEST_REDIS_SERVER'
export SCHEMACAST_TEST_SOKETI='$SCHEMACAST_TEST_SOKETI'
export SCHEMACAST_TEST_SOKETI_CMD='$SCHEMACAST_TEST_SOKETI_CMD'
export DB_CONNECTION=pgsql DB_URL='$SCHEMACAST_TEST_POSTGRES'
export REDIS_URL=redis://127.0.0.1:$redis_port
export BROADCAST_CONNECTION=pusher PUSHER_SCHEME=http PUSHER_HOST=127.0.0.1 PUSHER_PORT=$soketi_port
export PUSHER_APP_ID=$app_id PUSHER_APP_KEY=$app_key PUSHER_APP_SECRET=$app_secret
END
}

# stop_all ends the command, then the services, each by its pid, and waits for them.
stop_all() {
  trap '' INT TERM HUP
  set +m # no notes about jobs
  if [[ -n $command_pid ]] && kill -INT -- "-$command_pid" 2>/dev/null; then
    local deadline=$((SECONDS + 5))
    while kill -0 -- "-$command_pid" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.1; done
    kill -KILL -- "-$command_pid" 2>/dev/null || true
  fi
  local i
  for i in "${!pids[@]}"; do
    if ! kill "-${names[i]#*:}" "${pids[i]}" 2>/dev/null; then
      warn "${names[i]%:*} had died before it was stopped; the end of its log:"
      tail -n 30 "$work/${names[i]%:*}.log" >&2
    fi
  done
  for i in "${!pids[@]}"; do
    wait "${pids[i]}" 2>/dev/null || true
  done
  [[ ${#pids[@]} -eq 0 ]] || say "Stopped PostgreSQL, Redis and Soketi"
  [[ -z $work ]] || rm -rf "$work"
}

main "$@"
