#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# kill -9 leaves our XDP program attached: the next start says so, replaces it and takes the datagrams again;
# a clean stop leaves none, and the kernel gets them.
source "$(dirname "$0")/lib.sh"
make_veth
write_config >"$work/config.yaml"

program() {
	ip -json link show $appliance_if | jq -r '.[0].xdp.prog.name // empty'
}

start_dataplane "$work/config.yaml"
assert_eq "$(program)" sl_prefilter 'program of a running data plane'
blast_windowed 1 "$work/sent"
kill_dataplane
assert_eq "$(program)" sl_prefilter 'program left by kill -9'

start_dataplane "$work/config.yaml"
assert_contains "$(cat "$dataplane_log")" "detached a stale 'sl_prefilter'" 'log of the next start'
blast_windowed 1 "$work/sent"
check_identities
stop_dataplane
assert_eq "$(program)" '' 'program left by a clean stop'
assert_nothing_left
assert_content "$work/sent"
check_store --check
