#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# sluicectl store verify beside a writer whose segments expire and are recycled: it finds no damage, whatever goes
# while it reads. Each time it is stopped within a segment until all that it had listed is gone, then goes on.
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
write_config device=memif:"$work/memif.sock" partitions=4 retention_bytes=67108864 >"$work/config.yaml"

expired_ge() {
	[ "$(stat_of '.lanes[0].segments_expired')" -ge "$1" ]
}

held() { # The segment that the look has open.
	find "/proc/$verify_pid/fd" -printf '%l\n' 2>/dev/null | grep -m 1 '\.seg$'
}

has_begun() {
	held >"$work/held" || ! kill -0 "$verify_pid" 2>/dev/null
}

is_stopped() { # Or has ended.
	[[ $(sed 's/.*) //' "/proc/$verify_pid/stat") == [TZ]* ]]
}

judge() {
	local status=0
	wait "$verify_pid" || status=$?
	assert_eq "$status" 0 "exit code of verify ($(jq -c '[.findings[] | select(.grade != "remark")]' "$work/verdict"; cat "$work/said"))"
	assert_eq "$(jq -c '[.live, .sound]' "$work/verdict")" '[true,true]' 'the verdict'
}

# Sets caught=1 when it was stopped in a segment that is not the one being written.
stop_within() {
	caught=0
	"$sluicectl" store verify "$work/store" --all --json >"$work/verdict" 2>"$work/said" &
	verify_pid=$!
	until has_begun; do :; done
	kill -STOP "$verify_pid" 2>/dev/null || return 0
	wait_until 'it is stopped' is_stopped
	held >"$work/held" || return 0
	[ "$((16#$(basename "$(cat "$work/held")" .seg)))" -ge "$(stat_of '.lanes[0].segment')" ] || caught=1
}

start_dataplane "$work/config.yaml"
start_testpmd "$work/memif.sock" --txpkts=1024
wait_until 'segments have expired' expired_ge 3
caught_count=0
while [ $caught_count -lt 3 ]; do
	stop_within
	if [ $caught -eq 1 ]; then
		wait_until 'all that it had listed has expired' expired_ge $(($(stat_of '.lanes[0].segment') + 1))
		[ "$(held || true)" = '' ] || fail "it holds $(held), which has not expired"
	fi
	kill -CONT "$verify_pid" 2>/dev/null || true
	judge
	caught_count=$((caught_count + caught))
done
assert_ge "$(stat_of '.lanes[0].segments_recycled')" 1 'segments recycled'
stop_testpmd
check_identities
stop_dataplane
end_testpmd
"$sluicectl" store verify "$work/store" >/dev/null || fail 'store verify finds fault behind the end'
check_store --check
assert_nothing_left
