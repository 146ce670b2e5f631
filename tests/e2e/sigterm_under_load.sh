#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGTERM while an AF_XDP port is flooded: the redirect goes off first, so that the kernel gets the datagrams
# from then on; what was received is stored; it ends with 0, and nothing of it is left.
source "$(dirname "$0")/lib.sh"
make_veth
write_config >"$work/config.yaml"
start_dataplane "$work/config.yaml"

# A socket on the stream's port: gets nothing as long as the data plane takes all.
python3 - $appliance_v4 "$work/listening" "$work/kernel-got" <<'LISTEN' &
import pathlib, socket, sys
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind((sys.argv[1], 5000))
pathlib.Path(sys.argv[2]).touch()
listener.recv(2048)
pathlib.Path(sys.argv[3]).touch()
LISTEN
listener=$!
wait_until 'the socket is open' test -e "$work/listening"
start_blast --payload play --run-id 1 --record "$work/sent" --json "$work/sent.json"
wait_until 'events are stored' stored_ge 20000
[ ! -e "$work/kernel-got" ] || fail 'the kernel got datagrams of a running data plane'
redirected=$(stat_of '.ports[0].xdp.redirect')
stop_dataplane
wait_until 'the kernel gets the datagrams' test -e "$work/kernel-got"
wait $listener
stop_blast

assert_ge "$(report_of '.stats.ports[0].xdp.redirect')" "$redirected" 'frames redirected'
assert_eq "$(report_of '.stats.ports[0].xdp.xsk_in_ring')" 0 'frames left in the ring'
assert_ge "$(report_of .stats.totals.stored)" 20000 'events stored'
assert_stored_was_sent "$work/sent"
"$sluice_blast" verify --store "$work/store" --stream plays --allow-missing --sent "$work/sent.json" >"$work/output" ||
	fail "$(cat "$work/output")"
check_store --check
assert_nothing_left
