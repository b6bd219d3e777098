#!/usr/bin/env bash
# What one server costs beside another: both at the same time on one core, each with the same load, so that whatever the machine
# does meanwhile, it does to both. To see differences of a few percent on a machine whose speed changes by more.
#
#   loadtest/pair.sh ONE OTHER [CONSULTS [SECONDS]]
#
# ONE and OTHER are `consilium` binaries, `floor` or `plain-floor` (benches/floor, as line-rate.sh has them). Each gets RATE forwarded
# packets a second over CONSULTS consults (1000), and is looked at for SECONDS (12). A load that did not come about as it should fails
# it. Printed is the CPU time of their processes, and the second's over the first's: the median of the seconds, with quartiles. Who
# stands first may have one percent of advantage: run it both ways.
# Environment: RATE (45000), SERVER_CORE (0), HARNESS_CORE (1), LOADTEST_BIN, FLOOR_BIN.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,7p' "$0" >&2; exit 64; }
here=$(dirname "$0")
consults=${3:-1000} seconds=${4:-12} server_core=${SERVER_CORE:-0} harness_core=${HARNESS_CORE:-1}
if [ -z "${LOADTEST_BIN:-}" ] || [ -z "${FLOOR_BIN:-}" ]; then
  (cd "$here/.." && cargo build --release --quiet --workspace --bin consilium-loadtest --bin media-floor)
  built=$(cd "$here/.." && cargo metadata --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release
fi
loadtest=${LOADTEST_BIN:-$built/consilium-loadtest} floor=${FLOOR_BIN:-$built/media-floor}

folder=$(mktemp -d)
pids=()
stop() {
  [ ${#pids[@]} -eq 0 ] || { kill "${pids[@]}" 2>/dev/null || true; wait "${pids[@]}" 2>/dev/null || true; }
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM
ulimit -n "$(ulimit -Hn)"
sed "s/^consults_per_second = .*/consults_per_second = 20.0/
     s/^forwarded_packets_per_second = .*/forwarded_packets_per_second = ${RATE:-45000}.0/" "$here/scenarios/spread.toml" >"$folder/scenario"

# start NAME WHAT: leaves NAME.pid, NAME.target and, of a node, NAME.key in the folder.
start() {
  local at=$folder/$1 what=$2 scheme=
  : >"$at.key"
  case $what in
    floor) set -- "$floor" --port 0 --core "$server_core" ;;
    plain-floor) set -- "$floor" --port 0 --core "$server_core" --gro 0 --gather-us 0 --whole 0 ;;
    *)
      mkdir "$at.data"
      printf '%s\n' 'listen = "127.0.0.1:0"' "data = \"$at.data\"" 'shards = 1' '[media]' 'port = 0' 'bind_v4 = "127.0.0.1"' \
        'advertise = ["127.0.0.1"]' >"$at.toml"
      "$what" tenant create --config "$at.toml" load-test >/dev/null
      "$what" client create --config "$at.toml" --tenant load-test --name harness >"$at.key" 2>/dev/null
      set -- "$what" serve --config "$at.toml"
      ;;
  esac
  [[ $what == *floor ]] && scheme=floor:
  RUST_LOG=warn setpriv --pdeathsig TERM taskset -c "$server_core" "$@" >"$at.out" 2>"$at.log" </dev/null &
  pids+=($!)
  echo $! >"$at.pid"
  for attempt in $(seq 100); do
    grep -q '^listening on' "$at.out" && break
    [ "$attempt" -lt 100 ] || { echo "$what does not start:" >&2; tail -n 20 "$at.log" >&2; exit 69; }
    sleep 0.1
  done
  sed -n "s|^listening on \(.*\)|$scheme\1|p" "$at.out" | head -n 1 >"$at.target"
}

# Nanoseconds that a process has run, by its threads (/proc/PID/task/TID/schedstat); some come and go.
cpu_ns() { cat /proc/"$1"/task/*/schedstat 2>/dev/null | awk '{ sum += $1 } END { printf "%.0f\n", sum }'; }

load() {
  local at=$folder/$1
  if ! taskset -c "$harness_core" "$loadtest" run "$folder/scenario" --target "$(cat "$at.target")" --server-pid "$(cat "$at.pid")" \
    --api-key-file "$at.key" --cores "$harness_core" --consults "$consults" --duration $((seconds + 6)) --keep-awake >"$at.report" 2>&1; then
    cat "$at.report" >&2
    return 1
  fi
  grep '^forwarded' "$at.report"
}

start one "$1"
start other "$2"
load one &
one_load=$!
load other &
other_load=$!
# Everybody has joined, and the harness has warmed up.
sleep $((consults / 20 + 7))
one=$(cat "$folder/one.pid") other=$(cat "$folder/other.pid")
one_before=$(cpu_ns "$one") other_before=$(cpu_ns "$other")
for _ in $(seq "$seconds"); do
  sleep 1
  one_ns=$(cpu_ns "$one") other_ns=$(cpu_ns "$other")
  echo "$((one_ns - one_before)) $((other_ns - other_before))"
  one_before=$one_ns other_before=$other_ns
done | awk '{ printf "%.1f %.1f %.4f\n", $1 / 1e6, $2 / 1e6, $2 / $1 }' | sort -k3 -g | awk '
  { all[NR] = $0; ratio[NR] = $3 }
  END {
    split(all[int((NR + 1) / 2)], median)
    printf "ms of CPU a second: %s and %s, ratio %s (quartiles %s to %s)\n", median[1], median[2], median[3],
      ratio[int((NR + 3) / 4)], ratio[int((3 * NR + 3) / 4)]
  }'
wait "$one_load" && wait "$other_load"
