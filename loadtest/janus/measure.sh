#!/usr/bin/env bash
# Runs a scenario against a Janus of its own and prints the report as JSON, the human one goes to standard error.
#
#   loadtest/janus/measure.sh [CONSULTS] [OPTION OF `consilium-loadtest run`…]
#
# `server.us_per_packet` is processor time of Janus, user and system, for each packet that the clients received.
#
# Environment, besides that of start.sh:
#   LOADTEST_BIN  the harness, default target/release/consilium-loadtest
#   SCENARIO      default scenarios/consult.toml
#   HARNESS_CORE  core of the clients, default 1
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${PEER_ADDRESS:-}" ]; then exec "$here/namespace.sh" "$0" "$@"; fi
if [ -z "${JANUS_URL:-}" ]; then exec "$here/start.sh" "$0" "$@"; fi

consults=${1:-20}
[ $# = 0 ] || shift
report=$(mktemp)
trap 'rm -f "$report"' EXIT

# Not good enough is a result, too: the report says so.
"${LOADTEST_BIN:-$here/../../target/release/consilium-loadtest}" run "${SCENARIO:-$here/../scenarios/consult.toml}" \
    --target "janus:$JANUS_URL" --server-pid "$JANUS_PID" --cores "${HARNESS_CORE:-1}" --consults "$consults" \
    --json "$report" "$@" >&2 || [ $? = 1 ]
cat "$report"
