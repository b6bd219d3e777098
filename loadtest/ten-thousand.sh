#!/usr/bin/env bash
# Ten thousand consults at once, harness included, on two cores: `scenarios/dtx-10k.toml` against a node of its own. Some 25 minutes.
#
#   loadtest/ten-thousand.sh [OPTION OF consilium-loadtest run…]
#
# The node's one shard keeps to the first core, the harness's media thread to the second; what else the node does (joins, its
# database) takes what either leaves.
#
# Environment:
#   NODE_CORES    cores of the node, default 0,1; its shard has the first
#   HARNESS_CORE  core of the harness, default 1
#   CONSILIUM_BIN, LOADTEST_BIN  the binaries; default: built here, optimised
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=loadtest/binaries.sh
. "$here/binaries.sh"
export HARNESS_CORE=${HARNESS_CORE:-1}
# The inner shell reads what the scripts around it export.
# shellcheck disable=SC2016
CONSILIUM_CORE=${NODE_CORES:-0,1} exec "$here/start-node.sh" bash -c \
    'exec "$LOADTEST_BIN" run "$1/scenarios/dtx-10k.toml" --target "$CONSILIUM_URL" --api-key-file "$CONSILIUM_API_KEY_FILE" \
        --server-pid "$CONSILIUM_PID" --cores "$HARNESS_CORE" --keep-awake "${@:2}"' bash "$here" "$@"
