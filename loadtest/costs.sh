#!/usr/bin/env bash
# Measures what `consilium-loadtest plan` reckons with: what a packet, a participant and a join cost a node.
#   loadtest/costs.sh [SECONDS]       10 s a window; needs a machine with nothing else to do
# Server on core 0, harness on core 1. Environment: CONSILIUM_BIN, LOADTEST_BIN (default: built here, optimised), and WRAP, a
# command put before each run of the harness.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if [ -z "${CONSILIUM_URL:-}" ]; then
    # shellcheck source=loadtest/binaries.sh
    . "$here/binaries.sh"
    exec "$here/start-node.sh" "$0" "$@"
fi

seconds=${1:-10}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
resident_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$CONSILIUM_PID/status"; }
# User and system time of the server so far, in milliseconds.
cpu_ms() { awk -v tick="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / tick }' "/proc/$CONSILIUM_PID/stat"; }
# The first figure of that name in a report.
figure() { sed -n "s/.*\"$2\": \([0-9.e-]*\),*/\1/p" "$folder/$1.json" | head -1; }

# measure NAME CONSULTS, the [media] of the scenario on standard input
measure() {
    { printf '[consults]\ncount = %s\nparticipants = 3\n[run]\nwarm_up_s = 2.0\nmeasure_s = %s\n[media]\n' "$2" "$seconds"; cat; } >"$folder/$1.toml"
    ${WRAP:-} taskset -c 1 "$LOADTEST_BIN" run "$folder/$1.toml" --target "$CONSILIUM_URL" --api-key-file "$CONSILIUM_API_KEY_FILE" \
        --server-pid "$CONSILIUM_PID" --cores 1 --json "$folder/$1.json" >"$folder/$1.txt" 2>&1 || true
    [ -s "$folder/$1.json" ] || { cat "$folder/$1.txt" >&2; exit 1; }
    grep 'NOT GOOD' "$folder/$1.txt" >&2 || true
    printf '%-6s %5s consults %8.0f packets/s %7.3f us a packet %6.1f %% of a core %8.1f MiB\n' "$1" "$2" "$(figure "$1" received_per_second)" \
        "$(figure "$1" us_per_packet)" "$(figure "$1" cpu_percent)" "$(awk -v b="$(figure "$1" resident_bytes)" 'BEGIN { print b / 1048576 }')"
}

empty_kib=$(resident_kib)
before_ms=$(cpu_ms)
measure idle 300 <<<'silent = true
report_interval_ms = 5000'
after_ms=$(cpu_ms)
measure dtx 300 <<<'audio_packets_per_second = 2.5
video_frames_per_second = 0.0
report_interval_ms = 5000'
measure audio 150 <<<'video_frames_per_second = 0.0'
measure low 100 <<<'video_frames_per_second = 15.0
video_packets_per_frame = 2'
measure full 60 <<<''

awk -v empty="$empty_kib" -v joins_ms="$(awk -v a="$after_ms" -v b="$before_ms" 'BEGIN { print a - b }')" -v seconds="$seconds" \
    -v idle="$(figure idle cpu_percent)" -v idle_bytes="$(figure idle resident_bytes)" -v dtx="$(figure dtx cpu_percent)" \
    -v dtx_rate="$(figure dtx received_per_second)" -v full_bytes="$(figure full resident_bytes)" -v full_sent="$(figure full sent_per_second)" 'BEGIN {
    participants = 900
    print ""
    printf "participant_us_per_s    %.1f\n", idle * 1e4 / participants
    printf "dtx packet_us           %.2f\n", (dtx - idle) * 1e4 / dtx_rate
    printf "join_ms                 %.2f\n", (joins_ms - idle * 10 * (seconds + 2)) / participants
    printf "node_bytes              %.1f MiB\n", empty / 1024
    printf "participant_bytes       %.1f KiB\n", (idle_bytes / 1024 - empty) / participants
    printf "cached_bytes_per_packet %.0f (an upper bound: memory of the runs before is not given back at once)\n", (full_bytes - empty * 1024) / full_sent
}'
