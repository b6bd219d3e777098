#!/usr/bin/env bash
# What a forwarded packet costs beside the bare floor: server on one core, harness on another, everything on loopback.
#
#   loadtest/line-rate.sh [--shape S] [--rounds R] [--seconds T] [--awake] [--no-build] [N…]
#
#   --shape consult   N consults of three with sound and picture: 10 30 60 120 250 (default)
#   --shape spread    90,000 forwarded packets a second over N consults of three: 10 100 1000
#   --shape fan-out   one sends to N others, as many such groups as make 30,000 forwarded packets a second: 1 2 10 30 100
#
# --awake keeps the cores from halting while a window lasts, for virtual machines whose host gives halted cores away.
# For each N two floors and the node are measured in turn R times; medians are printed. `floor` lets datagrams gather as a
# node does, `plain` takes in what is there and marks nothing as whole. A run from which the host took more than 2 % of a core is
# made again, up to RETRIES times for each N; every run says on standard error that it begins, and one that hangs is ended.
# To set the node beside Janus: compare.sh.
# Environment: SERVER_CORE (0), HARNESS_CORE (1), CONSILIUM (a binary to measure), REPORTS (a folder that keeps them),
# RETRIES (two thirds of what is measured anyway).
set -euo pipefail
cd "$(dirname "$0")/.."

shape=consult build=yes awake=() seconds=4 rounds=3 stolen_max=20
counts=()
while [ $# -gt 0 ]; do
  case $1 in
    --shape) shape=$2; shift ;;
    --no-build) build=no ;;
    --awake) awake=(--keep-awake) ;;
    --seconds) seconds=$2; shift ;;
    --rounds) rounds=$2; shift ;;
    *) counts+=("$1") ;;
  esac
  shift
done
case $shape in
  consult) scenario=consult defaults=(10 30 60 120 250) ;;
  spread) scenario=spread defaults=(10 100 1000) ;;
  fan-out) scenario=group defaults=(1 2 10 30 100) ;;
  *) echo "no such shape: $shape" >&2; exit 64 ;;
esac
[ ${#counts[@]} -gt 0 ] || counts=("${defaults[@]}")
server_core=${SERVER_CORE:-0} harness_core=${HARNESS_CORE:-1}

target=$(cargo metadata --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
if [ $build = yes ]; then
  cargo build --release --quiet --bin consilium --bin consilium-loadtest --bin media-floor --workspace
fi
consilium=${CONSILIUM:-$target/release/consilium}
ulimit -n "$(ulimit -Hn)"

folder=$(mktemp -d)
reports=${REPORTS:-$folder}
mkdir -p "$reports"
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM

# A storm of joins is another measurement.
sed "s/^consults_per_second = .*/consults_per_second = 12.0/" "loadtest/scenarios/$scenario.toml" >"$folder/scenario.toml"
[ "$shape" != spread ] || sed -i "s/^consults_per_second = .*/consults_per_second = 40.0/" "$folder/scenario.toml"

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

# start NAME COMMAND…: a server on its core; its pid is in pid_of, its target in target_of
declare -A pid_of target_of
start() {
  taskset -c "$server_core" "${@:2}" >"$folder/$1.out" 2>"$folder/$1.err" &
  pid_of[$1]=$!
  pids+=("${pid_of[$1]}")
  target_of[$1]=$(listening "$folder/$1.out")
}

cat >"$folder/consilium.toml" <<EOF
listen = "127.0.0.1:0"
data = "$folder/data"
shards = 1
consult_participants_max = 128
[media]
port = 0
bind_v4 = "127.0.0.1"
advertise = ["127.0.0.1"]
EOF
mkdir "$folder/data"
"$consilium" tenant create --config "$folder/consilium.toml" load-test
"$consilium" client create --config "$folder/consilium.toml" --tenant load-test --name harness >"$folder/key"

start floor "$target/release/media-floor" --port 0 --core "$server_core"
start plain "$target/release/media-floor" --port 0 --core "$server_core" --gro 0 --gather-us 0 --whole 0
start node "$consilium" serve --config "$folder/consilium.toml"
target_of[floor]=floor:${target_of[floor]} target_of[plain]=floor:${target_of[plain]}

# How many consults of how many people N stands for.
size() {
  if [ "$shape" = fan-out ]; then
    echo "--consults $(((200 + $1 - 1) / $1)) --participants $(($1 + 1))"
  else
    echo "--consults $1"
  fi
}

# Hundredths of a second that the host has taken from these two cores (proc_stat(5)).
stolen() { awk -v a="cpu$server_core" -v b="cpu$harness_core" '$1 == a || $1 == b { sum += $9 } END { print sum + 0 }' /proc/stat; }

# Longest that a run may take, in seconds: joins at twelve consults a second, the window, and a minute for who is refused.
longest() { echo $(($1 / 12 + seconds + 60)); }

# measure NAME N ROUND: a run from which the host took too much is made again while `retries` lasts; the least disturbed stays
disturbed=0
measure() {
  local report=$reports/$1-$2-$3 least=1000000 begun before share
  while true; do
    echo "$(date +%T) $shape $2, round $3, $1" >&2
    rm -f "$folder/run.json"
    begun=$(date +%s%N) before=$(stolen)
    # shellcheck disable=SC2046
    timeout --foreground "$(longest "$2")" taskset -c "$harness_core" "$target/release/consilium-loadtest" run "$folder/scenario.toml" $(size "$2") \
      --target "${target_of[$1]}" --api-key-file "$folder/key" --server-pid "${pid_of[$1]}" --cores "$harness_core" \
      --duration "$seconds" "${awake[@]}" --json "$folder/run.json" >"$folder/run.txt" 2>&1 || true
    [ -s "$folder/run.json" ] || { cat "$folder/run.txt" >&2; return 1; }
    # In tenths of a per cent of one core.
    share=$((($(stolen) - before) * 10000000000 / ($(date +%s%N) - begun)))
    if [ "$share" -lt "$least" ]; then
      least=$share
      mv "$folder/run.json" "$report.json"
      mv "$folder/run.txt" "$report.txt"
    fi
    [ "$share" -gt "$stolen_max" ] || return 0
    disturbed=$((disturbed + 1))
    [ "$retries" -gt 0 ] || return 0
    retries=$((retries - 1))
    echo "$(date +%T)   the host took $((share / 10)).$((share % 10)) % of a core: once more, $retries left for $shape $2" >&2
  done
}

median() { sort -g | awk '{ all[NR] = $1 } END { print NR ? all[int((NR + 1) / 2)] : "-" }'; }

# within NAME N OBJECT MEMBER, and plain NAME N MEMBER: medians over the rounds
within() {
  for report in "$reports/$1-$2-"*.json; do
    sed -n "/\"$3\": {/,/}/s/.*\"$4\": \([0-9.e-]*\).*/\1/p" "$report" | head -1
  done | median
}
plain() {
  for report in "$reports/$1-$2-"*.json; do sed -n "s/^  \"$3\": \([0-9.e-]*\).*/\1/p" "$report"; done | median
}

echo "us per forwarded packet: user and system time of the server's process over packets that clients received;"
echo "medians of $rounds windows of $seconds s in turn, shape $shape, load average $(cut -d' ' -f1 /proc/loadavg)"
printf '%8s %9s | %8s %8s %8s | %7s %7s | %9s %9s | %7s %7s | %6s %6s\n' \
  "$shape" packets/s floor-us plain-us node-us /floor /plain floor-p99 node-p99 floor-% node-% harn-% loss-%
for n in "${counts[@]}"; do
  retries=${RETRIES:-$((rounds * 2))}
  for round in $(seq "$rounds"); do
    for name in floor plain node; do measure "$name" "$n" "$round"; done
  done
  floor_us=$(within floor "$n" server us_per_packet) plain_us=$(within plain "$n" server us_per_packet)
  node_us=$(within node "$n" server us_per_packet)
  printf '%8s %9.0f | %8.2f %8.2f %8.2f | %7s %7s | %6.3f ms %6.3f ms | %7.1f %7.1f | %6.1f %6.3f\n' \
    "$n" "$(plain node "$n" received_per_second)" "$floor_us" "$plain_us" "$node_us" \
    "$(awk -v a="$node_us" -v b="$floor_us" 'BEGIN { printf "%.2f", a / b }')" \
    "$(awk -v a="$node_us" -v b="$plain_us" 'BEGIN { printf "%.2f", a / b }')" \
    "$(within floor "$n" delay p99_ms)" "$(within node "$n" delay p99_ms)" \
    "$(within floor "$n" server cpu_percent)" "$(within node "$n" server cpu_percent)" \
    "$(plain node "$n" harness_percent)" "$(plain node "$n" loss_percent)"
  grep -h "NOT GOOD" "$reports"/{floor,plain,node}-"$n"-*.txt | sort | uniq -c || true
done
echo "runs that the host disturbed: $disturbed"
