#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# sluice-blast over memif into the appliance: every event of every size is in the store, proved by the verifier
# and by the independent reader.
source "$(dirname "$0")/lib.sh"

socket=$work/memif.sock
write_config device="memif:$socket" stream=plays key=0:3 >"$work/config.yaml"
start_dataplane "$work/config.yaml"
device=(--device "net_memif0,role=client,socket=$socket,socket-abstract=no,rsize=12" --to 10.99.0.1:5000)

sent_in_all=0
send() { # NAME SEND_ARG...
	local name=$1
	shift
	expect_status 0 "$sluice_blast" send "${device[@]}" "$@" --json "$work/$name.json"
	assert_eq "$(jq .undelivered "$work/$name.json")" 0 "frames left in the ring by $name"
	sent_in_all=$((sent_in_all + $(jq .sent "$work/$name.json")))
	wait_until "all events of $name are stored" stored_is $sent_in_all
}

send small --count 300000
send mix --imix simple --count 60000 --zipf 0.99
send large --frame-size 1400 --count 20000 --rate 50000 --udp-checksum
check_identities
stop_dataplane
for name in small mix large; do
	expect_status 0 "$sluice_blast" verify --store "$work/store" --stream plays --sent "$work/$name.json" \
		--json "$work/$name.verified.json"
	assert_eq "$(jq .distinct "$work/$name.verified.json")" "$(jq .sent "$work/$name.json")" "events of $name"
done
check_store
