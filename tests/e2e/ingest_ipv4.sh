#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The demo at a smaller scale: play events over IPv4 from several source ports arrive complete and
# unchanged, each user's in their order, and every frame and event is in exactly one counter.
source "$(dirname "$0")/lib.sh"
make_veth
write_config key=0:8 >"$work/config.yaml"
start_dataplane "$work/config.yaml"
blast_windowed 8 "$work/sent" --flows 8 --keys 500
check_identities
stop_dataplane

assert_eq "$(wc -l <"$work/sent")" 8000 'events sent'
assert_eq "$(report_of .stats.totals.stored)" 8000 'events stored'
assert_eq "$(report_of .drops.dropped_frames+.drops.dropped_events)" 0 'frames and events dropped'
assert_content "$work/sent"
"$sluice_blast" verify --store "$work/store" --stream plays --sent "$work/sent.json.8"
check_store --check --key 0:8
