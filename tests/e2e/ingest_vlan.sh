#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Datagrams behind one and two VLAN tags, 802.1Q and 802.1ad, are stored as those without; behind three
# tags they are not ours: the pre-filter passes them to the kernel and nothing of them is stored.
source "$(dirname "$0")/lib.sh"
make_veth
write_config >"$work/config.yaml"
start_dataplane "$work/config.yaml"
: >"$work/sent"

send_tagged() { # TEXT [ARG]...
	local text=$1
	shift
	for version in 4 6; do
		local source_address=sender_v$version target_address=appliance_v$version
		send_frames --from "${!source_address}" --to "${!target_address}" --count 200 --flows 8 --text "$text over IPv$version" \
			--record "$work/part" "$@"
		cat "$work/part" >>"$work/sent"
	done
}
send_tagged untagged
send_tagged 'one tag' --vlan 5
send_tagged 'one 802.1ad tag' --vlan 88a8:4094
send_tagged 'two tags' --vlan 5 --vlan 6
send_tagged 'an 802.1ad tag and one' --vlan 88a8:100 --vlan 8100:0
wait_until 'all events are stored' stored_is 2000
cp "$work/sent" "$work/all"
passed=$(stat_of '.ports[0].xdp.pass')
send_tagged 'three tags' --vlan 5 --vlan 6 --vlan 7
program_has_passed() {
	[ "$(stat_of '.ports[0].xdp.pass')" -ge $((passed + 400)) ]
}
wait_until 'the frames with three tags have passed the program' program_has_passed
check_identities
stop_dataplane
assert_eq "$(report_of .stats.totals.stored)" 2000 'events stored'
assert_content "$work/all"
check_store --check
