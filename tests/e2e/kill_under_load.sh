#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# kill -9 while datagrams arrive and at least two batches are being written: everything below the last
# published watermark is there, byte for byte, and stays; the next start raises the epoch and goes on
# with dense offsets behind it. Three times on one store, at different points.
source "$(dirname "$0")/lib.sh"
make_veth
probe=$E2E_BUILD/tests/e2e/segment_probe
# Without linger each turn writes what it has: the lane is never without batches under way.
write_config partitions=4 linger_us=0 >"$work/config.yaml"
epoch=0

# One life: it ends in the middle of a run. Its figures are left in $work/figures.CYCLE.
run_until_killed() { # CYCLE IN_FLIGHT STORED
	local number=$1
	start_dataplane "$work/config.yaml"
	assert_ge "$("$sluicectl" status --json | jq '.lanes[0].epoch')" $((epoch + 1)) 'epoch after a start'
	epoch=$("$sluicectl" status --json | jq '.lanes[0].epoch')
	start_blast --payload play --rate 50000 --keys 100 --run-id "$number" --record "$work/sent.$number" \
		--json "$work/sent.json.$number"
	"$probe" kill /run/sluice "$2" "$3" || fail 'no moment to kill it'
	wait "$dataplane_pid" 2>/dev/null || true
	dataplane_pid=
	stop_blast
	"$probe" show /run/sluice >"$work/figures.$number"
	cat "$work/sent.$number" >>"$work/sent"
}

# What the killed one has left, read before anything repairs it.
check_what_is_left() { # CYCLE
	local number=$1 below sent before=0
	"$sluicectl" read plays --store "$work/store" --format json >"$work/events.$number"
	below=$(python3 "$e2e_dir/lib/prefix.py" "$work/figures.$number" "$work/events.$number")
	[ "$number" = 1 ] || before=$(wc -l <"$work/events.$((number - 1))")
	sent=$(wc -l <"$work/sent.$number")
	assert_ge "$(jq '[.stats.lanes[].in_flight] | max' "$work/figures.$number")" 2 'batches under way at the kill'
	assert_ge $(((below - before) * 50)) "$sent" 'fifty times what is below the watermark, against what was sent'
	assert_stored_was_sent "$work/sent"
	"$sluice_blast" verify --store "$work/store" --stream plays --allow-missing --sent "$work/sent.json.$number" \
		>"$work/output" || fail "cycle $number: $(cat "$work/output")"
}

in_flights=(2 3 4)
stored=(3000 9000 20000)
for cycle in 1 2 3; do
	run_until_killed $cycle "${in_flights[cycle - 1]}" "${stored[cycle - 1]}"
	check_what_is_left $cycle
done

# A whole run behind all that.
start_dataplane "$work/config.yaml"
assert_contains "$(cat "$dataplane_log")" "lane 0: epoch $((epoch + 1))," 'log of a start behind kill -9'
blast_runs=100 blast_windowed 2 "$work/sent"
check_identities
stop_dataplane
"$sluicectl" read plays --store "$work/store" --format json >"$work/events.last"
for cycle in 1 2 3; do
	python3 "$e2e_dir/lib/prefix.py" "$work/figures.$cycle" "$work/events.$cycle" "$work/events.last" >"$work/output"
done
assert_stored_was_sent "$work/sent"
check_store --check
