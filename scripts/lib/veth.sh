# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Sourced by scripts/run and tests/e2e/lib.sh: a veth pair, the appliance's end in this network namespace,
# the sender's end in a named one, ready for AF_XDP.

# veth_create NAMESPACE APPLIANCE_IF SENDER_IF APPLIANCE_V4 SENDER_V4 APPLIANCE_V6 SENDER_V6
veth_create() {
	local namespace=$1 appliance_if=$2 sender_if=$3 appliance_mac sender_mac
	ip netns add "$namespace"
	# One queue each: DPDK's driver can neither ask a veth for more nor listen to the others.
	ip link add "$appliance_if" numrxqueues 1 numtxqueues 1 type veth \
		peer name "$sender_if" numrxqueues 1 numtxqueues 1 netns "$namespace"
	# XDP sees frames as they are: checksums and tags must be in them, not left to a device that is none.
	veth_offloads "veth_in $namespace" "$sender_if" tx off txvlan off
	veth_offloads '' "$appliance_if" rxvlan off
	# Without a queueing discipline a veth drops at 256 waiting frames instead of making senders wait.
	veth_in "$namespace" tc qdisc add dev "$sender_if" root pfifo limit 100000
	veth_in "$namespace" ip link set lo up
	veth_addresses "veth_in $namespace" "$sender_if" "$5" "$7"
	veth_addresses '' "$appliance_if" "$4" "$6"
	# The first datagram must neither wait for address resolution nor be lost to it.
	appliance_mac=$(<"/sys/class/net/$appliance_if/address")
	sender_mac=$(veth_in "$namespace" ip -json link show "$sender_if" | jq -r '.[0].address')
	veth_neighbours "veth_in $namespace" "$sender_if" "$appliance_mac" "$4" "$6"
	veth_neighbours '' "$appliance_if" "$sender_mac" "$5" "$7"
}

veth_in() { # NAMESPACE COMMAND...
	nsenter --net=/run/netns/"$1" "${@:2}"
}

# The first argument of the next three is a prefix: `veth_in NAMESPACE`, or nothing for here.

veth_offloads() { # WHERE INTERFACE FEATURE...
	local output
	# shellcheck disable=SC2086 # the prefix is words
	if ! output=$($1 ethtool -K "${@:2}" 2>&1); then
		echo "ethtool -K ${*:2}: $output" >&2
		return 1
	fi
}

# shellcheck disable=SC2086 # the prefix is words
veth_addresses() { # WHERE INTERFACE V4 V6
	$1 ip address add "$3/24" dev "$2"
	$1 ip address add "$4/64" dev "$2" nodad
	$1 ip link set "$2" up
}

veth_neighbours() { # WHERE INTERFACE MAC ADDRESS...
	local address
	for address in "${@:4}"; do
		# shellcheck disable=SC2086 # the prefix is words
		$1 ip neighbour replace "$address" lladdr "$3" dev "$2" nud permanent
	done
}
