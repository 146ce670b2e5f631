#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGTERM while the data plane is starting: from the moment that its pre-filter is on the interface it finishes
# the start and stops cleanly; nothing is left attached, and the next start works.
source "$(dirname "$0")/lib.sh"
make_veth
write_config >"$work/config.yaml"

for i in 1 2 3 4 5; do
	dataplane_log=$work/dataplane-$i.log
	"$dataplane" --config "$work/config.yaml" >"$dataplane_log" 2>&1 &
	dataplane_pid=$!
	until grep -q 'pre-filter on' "$dataplane_log" || dataplane_is_gone; do :; done
	kill -TERM "$dataplane_pid"
	wait_for_dataplane 0
	assert_contains "$(cat "$dataplane_log")" 'every identity holds' "log of start $i"
	assert_nothing_left
	assert_eq "$(ip -json link show $appliance_if | jq -r '.[0].xdp.prog.name // empty')" '' 'program on the interface'
done
check_store --check
