# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# For tests of sluice-blast over a DPDK device, into a sink that knows every byte. Who sources it sets
# $sink_device and $blast_device, the two ends, $socket, the file that the sink listens on, and where a driver
# does not say what a receiver has taken, undelivered=null.
#
#   check_send WHAT COMMON_ARG... -- SEND_ONLY_ARG...   sends, and fails unless all has arrived, whole and once
#   start_sink ARG..., stop_sink; start_blast ARG..., blast_has_sent, stop_blast: its steps
#   sent NAME, arrived NAME                             figures of the two summaries
#   to                                                  an address, a run and a seed, for both

sink=$E2E_BUILD/tests/load/frame_sink
sink_pid=
to=(--to 10.0.0.1:5000 --run-id 77 --seed 5)

start_sink() { # SEND_ARG...
	"$sink" --device "$sink_device" "$@" \
		>"$work/sink.json" 2>"$work/sink.log" &
	sink_pid=$!
	wait_until 'the sink listens' test -S "$socket"
}

stop_sink() {
	local status=0
	kill -TERM $sink_pid
	wait $sink_pid || status=$?
	sink_pid=
	assert_eq $status 0 "exit code of the sink ($(cat "$work/sink.log" "$work/sink.json"))"
}

sent() {
	jq -r ".$1" "$work/sent.json"
}

arrived() {
	jq -r ".$1" "$work/sink.json"
}

assert_all_arrived() { # WHAT
	assert_eq "$(arrived good)" true "$1: $(cat "$work/sink.json")"
	assert_eq "$(arrived frames)" "$(sent sent)" "$1: frames arrived against sent"
	assert_eq "$(arrived frame_bytes)" "$(sent frame_bytes)" "$1: bytes"
	assert_eq "$(sent undelivered)" "${undelivered-0}" "$1: frames left in the ring"
	assert_eq "$(sent in_doubt)" 0 "$1: frames in doubt"
	assert_ge "$(sent frames)" 1 "$1: frames"
}

# Holds the device until the sink has ended: a memif server that polls while its peer hangs up may read
# memory that its driver has just unmapped.
start_blast() { # SEND_ARG...
	rm -f "$work/sent.json"
	"$sluice_blast" send --device "$blast_device" "$@" --json "$work/sent.json" --hold >"$work/output" 2>&1 &
	blast_pid=$!
}

blast_has_sent() {
	kill -0 $blast_pid 2>/dev/null || fail "the generator ended: $(cat "$work/output")"
	[ -s "$work/sent.json" ]
}

stop_blast() {
	local status=0
	kill -TERM $blast_pid
	wait $blast_pid || status=$?
	assert_eq $status 0 "exit code of the generator ($(cat "$work/output"))"
}

check_send() { # WHAT COMMON_ARG... -- SEND_ONLY_ARG...
	local what=$1 common=()
	shift
	while [ "$1" != -- ]; do
		common+=("$1")
		shift
	done
	shift
	start_sink "${common[@]}"
	start_blast "${common[@]}" "$@"
	wait_until 'everything is sent' blast_has_sent
	stop_sink
	stop_blast
	assert_all_arrived "$what"
}
