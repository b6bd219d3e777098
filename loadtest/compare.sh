#!/usr/bin/env bash
# Runs one scenario against Consilium and against Janus on this machine, in turn, and prints what each costs and the ratio.
#
#   loadtest/compare.sh [CONSULTS [OPTION OF `consilium-loadtest run`…]]
#
# Both servers have one core, the clients another; both are reached the same way (janus/namespace.sh), with a socket for each
# transport. Rounds alternate, so that a noisy minute hits both; the ratio is that of the medians.
#
# Environment:
#   ROUNDS         how often each is measured, default 3
#   SCENARIO       default scenarios/consult.toml
#   SERVER_CORE    default 0
#   HARNESS_CORE   default 1
#   REPORTS        a folder for the JSON reports, default one that is removed
#   CONSILIUM_BIN, LOADTEST_BIN  the binaries; default: built here, optimised
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)

if [ -z "${PEER_ADDRESS:-}" ]; then
    # shellcheck source=loadtest/binaries.sh
    . "$here/binaries.sh"
    exec "$here/janus/namespace.sh" "$0" "$@"
fi

consults=${1:-20}
[ $# = 0 ] || shift
export SCENARIO=${SCENARIO:-$here/scenarios/consult.toml} HARNESS_CORE=${HARNESS_CORE:-1}
export CONSILIUM_CORE=${SERVER_CORE:-0} JANUS_CORE=${SERVER_CORE:-0} CONSILIUM_ADDRESS=$PEER_ADDRESS

reports=${REPORTS:-}
if [ -z "$reports" ]; then
    reports=$(mktemp -d)
    trap 'rm -rf "$reports"' EXIT
fi
mkdir -p "$reports"

measure_consilium() {
    # The inner shell reads what start-node.sh exports.
    # shellcheck disable=SC2016
    "$here/start-node.sh" bash -euc '
        "$LOADTEST_BIN" run "$SCENARIO" --target "$CONSILIUM_URL" --api-key-file "$CONSILIUM_API_KEY_FILE" \
            --server-pid "$CONSILIUM_PID" --cores "$HARNESS_CORE" "$@" >&2 || [ $? = 1 ]
    ' measure --consults "$consults" --json "$1" "${@:2}"
}

for round in $(seq "${ROUNDS:-3}"); do
    echo "== round $round: Consilium" >&2
    measure_consilium "$reports/consilium-$round.json" "$@"
    echo "== round $round: Janus" >&2
    "$here/janus/measure.sh" "$consults" "$@" >"$reports/janus-$round.json"
done

cat <<VERSIONS

Consilium  $("$CONSILIUM_BIN" --version)
Janus      $(dpkg-query -W -f '${Package} ${Version}, ' janus libnice10 libsrtp2-1 libssl3 2>/dev/null || true)VideoRoom, event_loops=${JANUS_EVENT_LOOPS:-1}
           SRTP ciphers of this libsrtp2 come from $("$here/janus/ciphers.sh")
Machine    $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores, Linux $(uname -r)

VERSIONS
node "$here/janus/ratio.mjs" "$reports"
