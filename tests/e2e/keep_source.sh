#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A stream that keeps the source gives each event back with the address and port that sent it, IPv4 and
# IPv6; a stream that does not, has none.
source "$(dirname "$0")/lib.sh"
make_veth
write_config keep_source=true >"$work/config.yaml"
sed -i 's/^classes:/  - {name: bare, port: 5001, partitions: 1, class: default}\n&/' "$work/config.yaml"
start_dataplane "$work/config.yaml"

# Every datagram says who sent it: 20 sockets of each family, each to both streams.
in_sender python3 - $sender_v4 $appliance_v4 $sender_v6 $appliance_v6 >"$work/sent" <<'SENDER'
import socket, sys
kept = []  # open, so that no port is given a second time
for source, target in (sys.argv[1:3], sys.argv[3:5]):
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    for number in range(20):
        sender = socket.socket(family, socket.SOCK_DGRAM)
        kept.append(sender)
        sender.bind((source, 0))
        name = (f"[{source}]" if ":" in source else source) + f":{sender.getsockname()[1]}"
        for repeat in range(5):
            sender.sendto(f"{name} {number} {repeat}".encode(), (target, 5000))
            sender.sendto(b"bare", (target, 5001))
            print(f"{name} {number} {repeat}")
SENDER
wait_until 'all events are stored' stored_is 400
check_identities
stop_dataplane

assert_content "$work/sent"
"$sluicectl" read plays --store "$work/store" --format json >"$work/events"
python3 "$reader" "$work/store" --stream plays --format json >"$work/events-of-reader"
for file in events events-of-reader; do
	assert_eq "$(jq -s length "$work/$file")" 200 "events in $file"
	assert_eq "$(jq -r 'select(.source != (.value | split(" ")[0])) | "\(.source) for \(.value)"' "$work/$file")" '' \
		"sources that are not the sender's in $file"
done
assert_eq "$(jq -s '[.[].source] | unique | length' "$work/events")" 40 'different sources'
assert_eq "$("$sluicectl" read bare --store "$work/store" --format json | jq -s -c '[length, ([.[] | has("source")] | any)]')" \
	'[200,false]' 'events of the stream without sources'
check_store --check
