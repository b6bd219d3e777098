#!/usr/bin/env bash
# Starts a Consilium node in a temporary folder, one shard pinned to one core, and runs a command beside it.
#
#   loadtest/start-node.sh COMMAND…
#
# The command finds CONSILIUM_URL, CONSILIUM_PID and CONSILIUM_API_KEY_FILE in its environment; the node ends when the command does.
#
# Environment:
#   CONSILIUM_BIN      the binary, default target/release/consilium
#   CONSILIUM_ADDRESS  address for media and signaling, default 127.0.0.1
#   CONSILIUM_CORE     core that it is pinned to, default 0
#   CONSILIUM_LOG      where its log goes, default a file that is removed
set -euo pipefail

[ $# -gt 0 ] || { sed -n '2,4p' "$0" >&2; exit 64; }
consilium=${CONSILIUM_BIN:-$(dirname "$0")/../target/release/consilium}
address=${CONSILIUM_ADDRESS:-127.0.0.1}
core=${CONSILIUM_CORE:-0}

folder=$(mktemp -d)
node_pid=
stop() {
    if [ -n "$node_pid" ]; then
        kill -TERM "$node_pid" 2>/dev/null || true
        wait "$node_pid" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM

cat >"$folder/consilium.toml" <<CONFIGURATION
listen = "$address:0"
data = "$folder/data"
shards = 1
[media]
port = 0
bind_v4 = "$address"
advertise = ["$address"]
CONFIGURATION

"$consilium" tenant create --config "$folder/consilium.toml" load-test
"$consilium" client create --config "$folder/consilium.toml" --tenant load-test --name harness >"$folder/api-key"

ulimit -n "$(ulimit -Hn)"
log=${CONSILIUM_LOG:-$folder/log}
RUST_LOG=${RUST_LOG:-warn} setpriv --pdeathsig TERM taskset -c "$core" \
    "$consilium" serve --config "$folder/consilium.toml" >"$folder/stdout" 2>"$log" </dev/null &
node_pid=$!

# Ten seconds to say where it listens.
for attempt in $(seq 100); do
    if grep -q '^listening on' "$folder/stdout"; then break; fi
    if ! kill -0 "$node_pid" 2>/dev/null || [ "$attempt" = 100 ]; then
        echo "the node does not start; its log ends with:" >&2
        tail -n 20 "$log" >&2
        exit 69
    fi
    sleep 0.1
done

CONSILIUM_URL=$(sed -n 's/^listening on //p' "$folder/stdout")
export CONSILIUM_URL CONSILIUM_PID=$node_pid CONSILIUM_API_KEY_FILE=$folder/api-key
"$@"
