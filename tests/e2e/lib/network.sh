# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Part of tests/e2e/lib.sh: a veth pair, the appliance's end here, the sender's end in a namespace.

appliance_if=sl0
sender_if=src0
appliance_v4=10.99.0.1
sender_v4=10.99.0.2
appliance_v6=fd99::1
sender_v6=fd99::2

in_sender() {
	nsenter --net=/run/netns/sender "$@"
}

make_veth() {
	ip netns add sender
	# One queue each: DPDK's driver can neither ask a veth for more nor listen to the others.
	ip link add $appliance_if numrxqueues 1 numtxqueues 1 type veth \
		peer name $sender_if numrxqueues 1 numtxqueues 1 netns sender
	# XDP sees frames as they are: checksums and tags must be in them, not left to a device that is none.
	set_offloads in_sender $sender_if tx off txvlan off
	set_offloads '' $appliance_if rxvlan off
	# Without a queueing discipline a veth drops at 256 waiting frames instead of making senders wait.
	in_sender tc qdisc add dev $sender_if root pfifo limit 100000
	in_sender ip link set lo up
	set_addresses in_sender $sender_if $sender_v4 $sender_v6
	set_addresses '' $appliance_if $appliance_v4 $appliance_v6
	wait_until 'the veth pair has a carrier' veth_has_carrier
	# The first datagram must neither wait for address resolution nor be lost to it.
	appliance_mac=$(<"/sys/class/net/$appliance_if/address")
	sender_mac=$(in_sender ip -json link show $sender_if | jq -r '.[0].address')
	set_neighbours in_sender $sender_if "$appliance_mac" $appliance_v4 $appliance_v6
	set_neighbours '' $appliance_if "$sender_mac" $sender_v4 $sender_v6
}

veth_has_carrier() {
	[ "$(<"/sys/class/net/$appliance_if/carrier")" = 1 ]
}

# The first argument of the next three: `in_sender`, or nothing for here.

set_offloads() { # WHERE INTERFACE FEATURE...
	$1 ethtool -K "${@:2}" >"$work/ethtool" 2>&1 || fail "ethtool: $(cat "$work/ethtool")"
}

set_addresses() { # WHERE INTERFACE V4 V6
	$1 ip address add "$3/24" dev "$2"
	$1 ip address add "$4/64" dev "$2" nodad
	$1 ip link set "$2" up
}

set_neighbours() { # WHERE INTERFACE MAC ADDRESS...
	local address
	for address in "${@:4}"; do
		$1 ip neighbour replace "$address" lladdr "$3" dev "$2" nud permanent
	done
}

# Frames that no socket sends: tags, other ethertypes. See tests/e2e/lib/send_frames.py --help.
send_frames() {
	in_sender python3 "$e2e_dir/lib/send_frames.py" --interface $sender_if \
		--source-mac "$sender_mac" --destination-mac "$appliance_mac" "$@"
}
