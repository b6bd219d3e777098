#!/usr/bin/env bash
# Starts Janus (Debian's package `janus`) with the VideoRoom plugin, pinned to one core, and runs a command beside it.
#
#   loadtest/janus/namespace.sh loadtest/janus/start.sh [COMMAND…]
#
# The command finds JANUS_URL and JANUS_PID in its environment; Janus ends when the command does. Without a command, both are
# printed and Janus runs until this script is interrupted.
#
# Environment:
#   PEER_ADDRESS       address to offer for media and to listen on; not loopback (set by namespace.sh)
#   JANUS_CORE         core it is pinned to, default 0
#   JANUS_EVENT_LOOPS  threads that carry media, default 1 (as many as it has cores); 0 = one per handle, Janus' default
#   JANUS_LOG          where its log goes, default a file that is removed
set -euo pipefail

: "${PEER_ADDRESS:?start me through namespace.sh}"
core=${JANUS_CORE:-0}
loops=${JANUS_EVENT_LOOPS:-1}
libraries=${JANUS_LIBRARIES:-/usr/lib/$(uname -m)-linux-gnu/janus}
port=8188

command -v janus >/dev/null || { echo "janus is not installed: apt-get install janus" >&2; exit 69; }

folder=$(mktemp -d)
janus_pid=
stop() {
    if [ -n "$janus_pid" ]; then
        kill -TERM "$janus_pid" 2>/dev/null || true
        wait "$janus_pid" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM

# Only what the comparison needs is loaded: other plugins and transports would add threads, but no media.
mkdir "$folder/plugins" "$folder/transports" "$folder/none"
ln -s "$libraries/plugins/libjanus_videoroom.so" "$folder/plugins/"
ln -s "$libraries/transports/libjanus_websockets.so" "$folder/transports/"

cat >"$folder/janus.jcfg" <<CONFIGURATION
general: {
    configs_folder = "$folder"
    plugins_folder = "$folder/plugins"
    transports_folder = "$folder/transports"
    events_folder = "$folder/none"
    loggers_folder = "$folder/none"
    debug_level = ${JANUS_DEBUG_LEVEL:-2}
    session_timeout = 0
    $([ "$loops" = 0 ] || echo "event_loops = $loops")
}
media: {
    ipv6 = false
}
nat: {
    ice_lite = true
    ice_enforce_list = "$PEER_ADDRESS"
}
CONFIGURATION

cat >"$folder/janus.transport.websockets.jcfg" <<CONFIGURATION
general: {
    json = "compact"
    ws = true
    ws_port = $port
    ws_ip = "$PEER_ADDRESS"
    wss = false
}
CONFIGURATION

# Rooms are made over the WebSocket.
echo 'general: {}' >"$folder/janus.plugin.videoroom.jcfg"

ulimit -n "$(ulimit -Hn)"
log=${JANUS_LOG:-$folder/log}
setpriv --pdeathsig TERM taskset -c "$core" janus --configs-folder="$folder" --disable-colors >"$log" 2>&1 </dev/null &
janus_pid=$!

# Ten seconds to open its port.
for attempt in $(seq 100); do
    if (exec 3<>"/dev/tcp/$PEER_ADDRESS/$port") 2>/dev/null; then break; fi
    if ! kill -0 "$janus_pid" 2>/dev/null || [ "$attempt" = 100 ]; then
        echo "Janus does not answer; its log ends with:" >&2
        tail -n 20 "$log" >&2
        exit 69
    fi
    sleep 0.1
done

export JANUS_URL="ws://$PEER_ADDRESS:$port" JANUS_PID=$janus_pid
if [ $# -gt 0 ]; then
    "$@"
else
    echo "JANUS_URL=$JANUS_URL JANUS_PID=$JANUS_PID"
    wait "$janus_pid"
fi
