#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two ports of different kinds at once, an interface and a capture file: both feed the same streams, and the
# ledger has its lines for each port.
source "$(dirname "$0")/lib.sh"
make_veth
frames=$E2E_BUILD/tests/fixtures/frames
write_config port=9000 >"$work/config.yaml"
sed -i -e "s|^streams:|  - device: \"pcap:$frames/udp.pcap\"\n&|" \
	-e 's/^classes:/  - {name: other, port: 9001, partitions: 2, class: default}\n&/' "$work/config.yaml"
start_dataplane "$work/config.yaml"
replayed=$(jq .frames "$frames/udp.json") stored=$(jq .datagrams "$frames/udp.json")
wait_until 'the capture file is replayed' frames_are "$replayed"
blast --to $appliance_v4:9000 --payload play --count 1000 --run-id 1 --record "$work/sent"
wait_until 'all events are stored' stored_is $((stored + 1000))
check_identities
stop_dataplane

assert_eq "$(report_of '[.stats.ports[].frames] | join(" ")')" "1000 $replayed" 'frames of each port'
assert_eq "$(report_of '[.status.ports[].ledger] | join(" ")')" 'exact exact' 'ledger classes'
for port in 0 1; do
	assert_ge "$(report_of "[.ledger.identities[] | select(.name | startswith(\"port $port \"))] | length")" 1 \
		"identities of port $port"
done
assert_eq "$(report_of .stats.totals.frames)" $((replayed + 1000)) 'frames in all'
read_store plays
sort_bytes "$work/sent"
assert_eq "$(LC_ALL=C comm -23 "$work/sent.sorted" "$work/read.sorted" | wc -l)" 0 'events sent that are not in the store'
assert_nothing_left
check_store --check
