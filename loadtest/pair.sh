#!/usr/bin/env bash
# What one build of the server costs beside another: both at the same time on one core, each with half of the load, so that whatever
# the machine does meanwhile, it does to both. To see differences of a few percent on a machine whose speed changes by more.
#
#   loadtest/pair.sh ONE OTHER [CONSULTS [SECONDS]]
#
# ONE and OTHER are two `consilium` binaries; each gets 45,000 forwarded packets a second over CONSULTS consults (1000), and is
# looked at for SECONDS (12). A load that did not come about as it should fails it. Printed is the CPU time of their media threads, and the second's over the first's: the median of the
# seconds, with quartiles. Who stands first may have one percent of advantage: run it both ways.
# Environment: SERVER_CORE (0), HARNESS_CORE (1), LOADTEST_BIN.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,5p' "$0" >&2; exit 64; }
here=$(dirname "$0")
export ONE=$1 OTHER=$2 CONSULTS=${3:-1000} SECONDS_MEASURED=${4:-12} HERE=$here
export CONSILIUM_BIN=$ONE CONSILIUM_CORE=${SERVER_CORE:-0} HARNESS_CORE=${HARNESS_CORE:-1}
# shellcheck source=loadtest/binaries.sh
. "$here/binaries.sh"
SCENARIO=$(mktemp)
export SCENARIO
trap 'rm -f "$SCENARIO"' EXIT
sed 's/^consults_per_second = .*/consults_per_second = 20.0/
     s/^forwarded_packets_per_second = .*/forwarded_packets_per_second = 45000.0/' "$here/scenarios/spread.toml" >"$SCENARIO"
ulimit -n "$(ulimit -Hn)"

# Nanoseconds that the media thread of a process has run (/proc/PID/task/TID/schedstat).
media_ns() {
  for task in /proc/"$1"/task/*; do
    # Threads come and go.
    if [ "$(cat "$task/comm" 2>/dev/null)" = media-0 ]; then cut -d' ' -f1 "$task/schedstat"; fi
  done
}

load() {
  local report
  if ! report=$(taskset -c "$HARNESS_CORE" "$LOADTEST_BIN" run "$SCENARIO" --target "$1" --server-pid "$2" --api-key-file "$3" \
    --cores "$HARNESS_CORE" --consults "$CONSULTS" --duration $((SECONDS_MEASURED + 6)) --keep-awake 2>&1); then
    echo "$report" >&2
    return 1
  fi
  grep '^forwarded' <<<"$report"
}

measure() {
  load "$ONE_URL" "$ONE_PID" "$ONE_KEY" &
  local one_load=$!
  load "$CONSILIUM_URL" "$CONSILIUM_PID" "$CONSILIUM_API_KEY_FILE" &
  local other_load=$!
  # Everybody has joined, and the harness has warmed up.
  sleep $((CONSULTS / 20 + 7))
  local one other one_before other_before
  one_before=$(media_ns "$ONE_PID") other_before=$(media_ns "$CONSILIUM_PID")
  for _ in $(seq "$SECONDS_MEASURED"); do
    sleep 1
    one=$(media_ns "$ONE_PID") other=$(media_ns "$CONSILIUM_PID")
    echo "$((one - one_before)) $((other - other_before))"
    one_before=$one other_before=$other
  done | awk '{ printf "%.1f %.1f %.4f\n", $1 / 1e6, $2 / 1e6, $2 / $1 }' | sort -k3 -g | awk '
    { all[NR] = $0; ratio[NR] = $3 }
    END {
      split(all[int((NR + 1) / 2)], median)
      printf "ms of CPU a second: %s and %s, ratio %s (quartiles %s to %s)\n", median[1], median[2], median[3],
        ratio[int((NR + 3) / 4)], ratio[int((3 * NR + 3) / 4)]
    }'
  wait "$one_load" && wait "$other_load"
}
export -f media_ns load measure

"$here/start-node.sh" bash -c '
  export ONE_URL=$CONSILIUM_URL ONE_PID=$CONSILIUM_PID ONE_KEY=$CONSILIUM_API_KEY_FILE
  CONSILIUM_BIN=$OTHER "$HERE/start-node.sh" bash -c measure' 2> >(grep -v client_id >&2)
