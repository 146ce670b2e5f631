#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A port by its DPDK devargs: the appliance is the host's side of a vhost-user port, and what a guest sends there
# (sluice-blast on DPDK's virtio_user) is stored, each event once, or dropped by a reason; another guest later too.
source "$(dirname "$0")/lib.sh"
socket=$work/vhost.sock
write_config device="net_vhost0,iface=$socket" key=0:3 >"$work/config.yaml"

guest_has_sent() {
	kill -0 "$guest_pid" 2>/dev/null || fail "the generator ended: $(cat "$work/guest.log")"
	[ -s "$work/sent.$1.json" ]
}

all_are_accounted_for() { # EVENTS
	[ "$(stat_of '.totals.stored + .totals.dropped_events')" -eq "$1" ]
}

start_dataplane "$work/config.yaml"
for run in 1 2; do
	"$sluice_blast" send --device "net_virtio_user0,path=$socket,queue_size=1024" --to 10.99.0.1:5000 --run-id $run \
		--count 20000 --rate 20000 --hold --json "$work/sent.$run.json" >"$work/guest.log" 2>&1 &
	guest_pid=$!
	wait_until "guest $run has sent" guest_has_sent $run
	wait_until 'all is stored or dropped' all_are_accounted_for $((run * 20000))
	status=0
	kill -TERM $guest_pid
	wait $guest_pid || status=$?
	assert_eq $status 0 "exit code of guest $run ($(cat "$work/guest.log"))"
	check_identities
done
stored=$(stat_of .totals.stored)
assert_eq "$(stat_of .totals.frames)" 40000 'frames received'
stop_dataplane
found=0
for run in 1 2; do
	expect_status 0 "$sluice_blast" verify --store "$work/store" --stream plays --sent "$work/sent.$run.json" \
		--allow-missing --json "$work/verified.json"
	found=$((found + $(jq .distinct "$work/verified.json")))
done
assert_eq $found "$stored" 'events of both guests in the store'
assert_ge "$stored" 20000 'stored events'
check_store --check
assert_nothing_left
