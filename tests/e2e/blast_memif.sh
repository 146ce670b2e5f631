#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# sluice-blast over memif into the appliance, which listens or, with zero-copy, connects: every event of every
# size is in the store, or was dropped by a reason (flat out a lane may be full); the verifier misses exactly
# what was counted.
source "$(dirname "$0")/lib.sh"

socket=$work/memif.sock
write_config device="memif:$socket" stream=plays key=0:3 >"$work/server.yaml"
write_config device="memif-client:$socket" stream=plays key=0:3 >"$work/client.yaml"

is_sent() { # NAME
	kill -0 $blast_pid 2>/dev/null || fail "the generator ended: $(cat "$work/blast.log")"
	[ -s "$work/$1.json" ]
}

declare -A stored dropped

all_are_accounted_for() { # NAME
	stored[$1]=$(stat_of .totals.stored)
	dropped[$1]=$(stat_of .totals.dropped_events)
	[ $((stored[$1] + dropped[$1])) -eq "$(jq .sent "$work/$1.json")" ]
}

# blast ROLE SEND_ARG...: in the background; sends when a line comes on descriptor 3.
blast() {
	mkfifo "$work/begin"
	"$sluice_blast" send --device "net_memif0,role=$1,socket=$socket,socket-abstract=no,rsize=12" --to 10.99.0.1:5000 \
		"${@:2}" --begin-on-input --hold <"$work/begin" >"$work/blast.log" 2>&1 &
	blast_pid=$!
	exec 3>"$work/begin"
	rm "$work/begin"
}

peer_listens() {
	kill -0 $blast_pid 2>/dev/null || fail "the generator ended: $(cat "$work/blast.log")"
	ss -xl | grep -q "$socket"
}

# run NAME ROLE_OF_THE_APPLIANCE SEND_ARG...: the one that listens starts first. The appliance ends first: it
# does not poll while its peer hangs up.
run() {
	local name=$1 role=$2 status=0
	shift 2
	set -- "$@" --json "$work/$name.json"
	if [ "$role" = server ]; then
		start_dataplane "$work/server.yaml"
		blast client "$@"
	else
		blast server "$@"
		wait_until "the generator listens" peer_listens
		start_dataplane "$work/client.yaml"
	fi
	assert_eq "$(stat_of .totals.frames)" 0 "frames before the generator was told to send"
	echo >&3
	wait_until "$name is sent" is_sent "$name"
	exec 3>&-
	assert_eq "$(jq .undelivered "$work/$name.json")" 0 "frames left in the ring by $name"
	wait_until "all events of $name are stored or dropped" all_are_accounted_for "$name"
	check_identities
	stop_dataplane
	kill -TERM $blast_pid
	wait $blast_pid || status=$?
	assert_eq $status 0 "exit code of the generator ($(cat "$work/blast.log"))"
}

run small server --count 300000
run mix server --imix simple --count 60000 --zipf 0.99
run large server --frame-size 1400 --count 20000 --rate 50000 --udp-checksum
run small_in_place client --count 300000
run large_in_place client --frame-size 1400 --count 20000 --rate 50000 --udp-checksum
for name in small mix large small_in_place large_in_place; do
	expect_status 0 "$sluice_blast" verify --store "$work/store" --stream plays --sent "$work/$name.json" \
		--allow-missing --json "$work/$name.verified.json"
	assert_eq "$(jq .distinct "$work/$name.verified.json")" "${stored[$name]}" "events of $name in the store"
	assert_eq "$(jq .missing "$work/$name.verified.json")" "${dropped[$name]}" "events of $name that miss"
	assert_ge "${stored[$name]}" 1 "stored events of $name"
done
check_store
