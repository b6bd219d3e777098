#!/usr/bin/env bash
# Runs a command in a network namespace of its own, with one address that is not loopback.
#
#   loadtest/janus/namespace.sh COMMAND [ARGUMENT…]
#
# Janus never offers a loopback address, and a media server that is compared with it has to be reached by the same path.
# So server and clients run together in a namespace, on PEER_ADDRESS: packets to one's own address cross the
# namespace's loopback, as they would between two processes of one machine.
#
# The namespace belongs to the command: when the last process in it ends, the kernel takes the namespace and both ends of the
# veth pair away, however it ended. Nothing in the machine's own network is touched, no names can clash, several may run at
# once. Without root, a user namespace grants what is needed (if the machine allows those).
set -euo pipefail

[ $# -gt 0 ] || { sed -n '2,4p' "$0" >&2; exit 64; }
export PEER_ADDRESS=${PEER_ADDRESS:-10.77.0.1}

own=(--net)
[ "$(id -u)" = 0 ] || own=(--user --map-root-user --net)

exec unshare "${own[@]}" -- bash -euc '
    ip link set lo up
    ip link add media0 type veth peer name media1
    ip address add "$PEER_ADDRESS/24" dev media0
    ip link set media0 up
    ip link set media1 up
    exec "$@"
' namespace "$@"
