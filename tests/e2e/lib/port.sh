# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# For the tests of a port alone: port_probe opens it through the data plane's own code and counts.
#
#   start_probe DEVICE [ARG]...     returns when datagrams are admitted
#   probe_counters                  fills $counters, one JSON line
#   probe_toggle                    stop receiving, or go on
#   stop_probe, kill_probe          SIGTERM (fails unless it exits with 0; fills $counters), SIGKILL
#   counter NAME                    a figure of $counters
#   send_datagrams COUNT [PORT]     from a kernel socket of the sender; $target, $bytes (filled up with spaces)
#   assert_ledger                   every redirected frame of $counters is in one counter
#   attached_program                name of the XDP program on the appliance's interface, "" if none

probe=$E2E_BUILD/tests/e2e/port_probe
probe_pid=
counters=

start_probe() {
	: >"$work/probe.out"
	"$probe" --device "$@" >"$work/probe.out" 2>"$work/probe.log" &
	probe_pid=$!
	wait_until 'the probe is ready' probe_is_ready
}

probe_is_ready() {
	kill -0 $probe_pid 2>/dev/null || fail "the probe ended: $(cat "$work/probe.log")"
	grep -q '^ready$' "$work/probe.out"
}

probe_lines_ge() {
	[ "$(grep -c '^{' "$work/probe.out")" -ge "$1" ]
}

probe_counters() {
	local lines
	lines=$(grep -c '^{' "$work/probe.out" || true)
	kill -USR1 $probe_pid
	wait_until 'the probe answers' probe_lines_ge $((lines + 1))
	counters=$(tail -n 1 "$work/probe.out")
}

probe_toggle() {
	kill -USR2 $probe_pid
}

stop_probe() {
	local status=0
	kill -TERM $probe_pid
	wait $probe_pid || status=$?
	probe_pid=
	assert_eq $status 0 "exit code of the probe ($(cat "$work/probe.log"))"
	counters=$(tail -n 1 "$work/probe.out")
}

kill_probe() {
	kill -KILL $probe_pid
	wait $probe_pid || true
	probe_pid=
}

counter() {
	jq -e ".$1" <<<"$counters"
}

probe_has() { # COUNTER COUNT
	probe_counters
	[ "$(counter "$1")" -ge "$2" ]
}

send_datagrams() {
	in_sender python3 -c '
import socket, sys
target, port, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ":" in target else socket.AF_INET
sender = socket.socket(family, socket.SOCK_DGRAM)
for i in range(count):
    sender.sendto((b"datagram %d" % i).ljust(size), (target, port))
' "${target:-$appliance_v4}" "${2:-5000}" "$1" "${bytes:-0}"
}

assert_ledger() {
	assert_eq "$(counter 'frames')" "$(counter ipackets)" 'frames received, against the driver'
	assert_eq "$(counter xdp_redirect)" \
		"$(counter 'ipackets + .xsk_ring_full + .xsk_fill_empty + .xsk_rx_dropped + .xsk_in_ring')" \
		"xdp_redirect = pmd_rx + xsk_ring_full + xsk_fill_empty + xsk_rx_dropped + in_ring ($counters)"
}

attached_program() {
	ip -json link show $appliance_if | jq -r '.[0].xdp.prog.name // empty'
}
