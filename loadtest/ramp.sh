#!/usr/bin/env bash
# How many consults of three one core carries, found by ramp: Consilium and then Janus on this machine, server on one core, clients on the
# other, both reached the same way (janus/namespace.sh).
#
#   loadtest/ramp.sh [--from N] [--step N] [--janus-from N] [--janus-step N] [OPTION OF `consilium-loadtest ramp`…]
#
# Each prints a line for every step, until two in a row are not good enough (scenarios/ramp.toml: p99 of the delay, loss).
#
# Environment:
#   SERVER_CORE    default 0
#   HARNESS_CORE   default 1
#   CONSILIUM_BIN, LOADTEST_BIN  the binaries; default: built here, optimised
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)

if [ -z "${PEER_ADDRESS:-}" ]; then
    # shellcheck source=loadtest/binaries.sh
    . "$here/binaries.sh"
    exec "$here/janus/namespace.sh" "$0" "$@"
fi

from=10 step=10 janus_from=10 janus_step=5
while [ $# -gt 0 ]; do
    case $1 in
    --from) from=$2 ;;
    --step) step=$2 ;;
    --janus-from) janus_from=$2 ;;
    --janus-step) janus_step=$2 ;;
    *) break ;;
    esac
    shift 2
done

export HARNESS_CORE=${HARNESS_CORE:-1}
export CONSILIUM_CORE=${SERVER_CORE:-0} JANUS_CORE=${SERVER_CORE:-0} CONSILIUM_ADDRESS=$PEER_ADDRESS
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
scenario() { sed "s/^step = .*/step = $1/" "$here/scenarios/ramp.toml"; }
scenario "$step" >"$folder/consilium.toml"
scenario "$janus_step" >"$folder/janus.toml"

echo "== Consilium"
# The inner shells read what the scripts around them export.
# shellcheck disable=SC2016
"$here/start-node.sh" bash -euc '
    "$LOADTEST_BIN" ramp "$1" --target "$CONSILIUM_URL" --api-key-file "$CONSILIUM_API_KEY_FILE" \
        --server-pid "$CONSILIUM_PID" --cores "$HARNESS_CORE" --consults "$2" "${@:3}" || [ $? = 1 ]
' ramp "$folder/consilium.toml" "$from" "$@"
echo "== Janus"
# shellcheck disable=SC2016
"$here/janus/start.sh" bash -euc '
    "$LOADTEST_BIN" ramp "$1" --target "janus:$JANUS_URL" --server-pid "$JANUS_PID" --cores "$HARNESS_CORE" \
        --consults "$2" "${@:3}" || [ $? = 1 ]
' ramp "$folder/janus.toml" "$janus_from" "$@"
