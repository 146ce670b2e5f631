#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Events over IPv6 arrive complete, and unchanged, beside events over IPv4 to the same stream.
source "$(dirname "$0")/lib.sh"
make_veth
write_config key=flow >"$work/config.yaml"
start_dataplane "$work/config.yaml"
blast_windowed 5 "$work/sent" --to "[$appliance_v6]:5000" --keys 100
blast_windowed 2 "$work/sent" --keys 100
check_identities
stop_dataplane

assert_eq "$(wc -l <"$work/sent")" 7000 'events sent'
assert_eq "$(report_of .stats.totals.stored)" 7000 'events stored'
assert_content "$work/sent"
check_store --check
