# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Part of tests/e2e/lib.sh: a veth pair, the appliance's end here, the sender's end in a namespace.
# shellcheck source=../../../scripts/lib/veth.sh
source "$top/scripts/lib/veth.sh"

appliance_if=sl0
sender_if=src0
appliance_v4=10.99.0.1
sender_v4=10.99.0.2
appliance_v6=fd99::1
sender_v6=fd99::2

in_sender() {
	veth_in sender "$@"
}

make_veth() {
	veth_create sender $appliance_if $sender_if $appliance_v4 $sender_v4 $appliance_v6 $sender_v6
	wait_until 'the veth pair has a carrier' veth_has_carrier
}

veth_has_carrier() {
	[ "$(<"/sys/class/net/$appliance_if/carrier")" = 1 ]
}

# Frames that no socket sends: tags, other ethertypes. See tests/e2e/lib/send_frames.py --help.
send_frames() {
	in_sender python3 "$e2e_dir/lib/send_frames.py" --interface $sender_if \
		--source-mac "$(in_sender ip -json link show $sender_if | jq -r '.[0].address')" \
		--destination-mac "$(<"/sys/class/net/$appliance_if/address")" "$@"
}
