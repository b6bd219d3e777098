#!/usr/bin/env bash
# What a forwarded packet costs beside the bare floor: server on one core, harness on another, everything on loopback.
#   loadtest/line-rate.sh [--janus] [--own] [--no-build] [--nice] [--seconds S] [--rounds R] [N…]      N: consults of three; 10 30 60 120 250
# For each N floor and node are measured in turn R times; medians are printed. --janus adds Janus at 30 consults
# (needs root: a network namespace). --nice gives the script's terminal session
# priority over whatever else runs (root). Environment: SERVER_CORE (0), HARNESS_CORE (1), CONSILIUM (a binary to measure).
set -euo pipefail
cd "$(dirname "$0")/.."

janus=no build=yes sockets=shared seconds=8 rounds=3
counts=()
while [ $# -gt 0 ]; do
  case $1 in
    --janus) janus=yes ;;
    --own) sockets=own ;;
    --no-build) build=no ;;
    --nice) echo -19 >/proc/self/autogroup ;;
    --seconds) seconds=$2; shift ;;
    --rounds) rounds=$2; shift ;;
    *) counts+=("$1") ;;
  esac
  shift
done
[ ${#counts[@]} -gt 0 ] || counts=(10 30 60 120 250)
server_core=${SERVER_CORE:-0} harness_core=${HARNESS_CORE:-1}

target=$(cargo metadata --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
if [ $build = yes ]; then
  cargo build --release --quiet --bin consilium --bin consilium-loadtest --bin media-floor --workspace
fi
consilium=${CONSILIUM:-$target/release/consilium}

folder=$(mktemp -d)
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM

sed "s/^sockets = .*/sockets = \"$sockets\"/" loadtest/scenarios/consult.toml >"$folder/consult.toml"

# Waits for `listening on …` in a file and prints what follows.
listening() {
  for _ in $(seq 100); do
    address=$(sed -n 's|^listening on \(.*\)|\1|p' "$1" | head -1)
    [ -n "$address" ] && { echo "$address"; return; }
    sleep 0.1
  done
  echo "$1: does not listen" >&2
  cat "$1" >&2
  return 1
}

"$target/release/media-floor" --port 0 --core "$server_core" >"$folder/floor.out" 2>&1 &
floor_pid=$!
pids+=("$floor_pid")

cat >"$folder/consilium.toml" <<EOF
listen = "127.0.0.1:0"
data = "$folder/data"
shards = 1
[media]
port = 0
bind_v4 = "127.0.0.1"
advertise = ["127.0.0.1"]
EOF
mkdir "$folder/data"
"$consilium" api-key create --config "$folder/consilium.toml" --name load-test >"$folder/key"
taskset -c "$server_core" "$consilium" serve --config "$folder/consilium.toml" >"$folder/consilium.out" 2>"$folder/consilium.err" &
consilium_pid=$!
pids+=("$consilium_pid")

floor=floor:$(listening "$folder/floor.out")
node=$(listening "$folder/consilium.out")

# measure NAME TARGET PID N ROUND
measure() {
  taskset -c "$harness_core" "$target/release/consilium-loadtest" run "$folder/consult.toml" --target "$2" \
    --api-key-file "$folder/key" --server-pid "$3" --cores "$harness_core" --consults "$4" --duration "$seconds" \
    --json "$folder/$1-$4-$5.json" >"$folder/$1-$4-$5.txt" 2>&1 || true
  [ -s "$folder/$1-$4-$5.json" ] || { cat "$folder/$1-$4-$5.txt" >&2; return 1; }
}

# median NAME N MEMBER [MEMBER of the object before]
figure() {
  for file in "$folder/$1-$2-"*.json; do
    sed -n "/\"$3\": {/,/}/s/.*\"$4\": \([0-9.e-]*\).*/\1/p" "$file" | head -1
  done | sort -g | awk '{ all[NR] = $1 } END { print NR ? all[int((NR + 1) / 2)] : "-" }'
}
plain() {
  for file in "$folder/$1-$2-"*.json; do sed -n "s/^  \"$3\": \([0-9.e-]*\).*/\1/p" "$file"; done |
    sort -g | awk '{ all[NR] = $1 } END { print NR ? all[int((NR + 1) / 2)] : "-" }'
}

echo "us per forwarded packet: user and system time of the server's process over packets that clients received;"
echo "medians of $rounds windows of $seconds s, floor and node in turn; load average $(cut -d' ' -f1 /proc/loadavg); sockets $sockets"
printf '%8s %9s | %8s %8s %6s | %10s %10s | %8s %8s | %8s %8s | %7s\n' \
  consults packets/s floor-us node-us ratio floor-p99 node-p99 floor-% node-% harn-f-% harn-n-% loss-%
for n in "${counts[@]}"; do
  for round in $(seq "$rounds"); do
    measure floor "$floor" "$floor_pid" "$n" "$round"
    measure node "$node" "$consilium_pid" "$n" "$round"
  done
  floor_us=$(figure floor "$n" server us_per_packet) node_us=$(figure node "$n" server us_per_packet)
  printf '%8s %9.0f | %8.2f %8.2f %6.2f | %7.3f ms %7.3f ms | %8.1f %8.1f | %8.1f %8.1f | %7.3f\n' \
    "$n" "$(plain node "$n" received_per_second)" "$floor_us" "$node_us" \
    "$(awk -v a="$node_us" -v b="$floor_us" 'BEGIN { print a / b }')" \
    "$(figure floor "$n" delay p99_ms)" "$(figure node "$n" delay p99_ms)" \
    "$(figure floor "$n" server cpu_percent)" "$(figure node "$n" server cpu_percent)" \
    "$(plain floor "$n" harness_percent)" "$(plain node "$n" harness_percent)" "$(plain node "$n" loss_percent)"
  grep -h "NOT GOOD" "$folder"/{floor,node}-"$n"-*.txt | sort | uniq -c || true
done

if [ "$janus" = yes ]; then
  loadtest/janus/measure.sh 30 >"$folder/janus-30-1.json"
  janus_us=$(figure janus 30 server us_per_packet) node_us=$(figure node 30 server us_per_packet)
  printf 'Janus at 30 consults: %.2f us, p99 %.3f ms; node: %s us\n' "$janus_us" "$(figure janus 30 delay p99_ms)" "$node_us"
fi
