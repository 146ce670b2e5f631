#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A reader that stands still while segments expire keeps the one it holds: that is unlinked instead of
# recycled, and read to its end unchanged. Then the reader goes on with what is left, and says what it
# missed. The writer does not wait for it.
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
make_veth
write_config partitions=1 retention_bytes=67108864 >"$work/config.yaml"
sed -i "s|^streams:|  - device: \"memif:$work/memif.sock\"\n&|" "$work/config.yaml"
first_segment=$work/store/lane-00000/0000000000000001.seg

expired_ge() {
	[ "$(stat_of '.lanes[0].segments_expired')" -ge "$1" ]
}

# What the reader has open of the store.
held() {
	find "/proc/$slow_reader/fd" -printf '%l\n' | grep '\.seg'
}

start_dataplane "$work/config.yaml"
# More than the first segment holds, every event different.
blast_windowed 13 "$work/sent" --size 1400
assert_ge "$(stat_of '.lanes[0].segment')" 2 'segment that is written'
"$sluicectl" read plays --format lines >"$work/before"

# Its output has room for some batches; then it waits for us.
mkfifo "$work/pipe"
"$sluicectl" read plays --format json >"$work/pipe" 2>"$work/said" &
slow_reader=$!
exec 9<"$work/pipe"
IFS= read -r first_line <&9
assert_eq "$(held)" "$first_segment" 'segment that the reader holds'

# Newer segments push out the first ones; no other segment than the one held escapes recycling.
start_testpmd "$work/memif.sock" --txpkts=1024
wait_until 'segments have expired under the reader' expired_ge 5
stop_testpmd
assert_eq "$(held)" "$first_segment (deleted)" 'segment that the reader holds when it has expired'
assert_ge "$(stat_of '.lanes[0].segments_recycled')" 1 'segments recycled'
check_identities

{
	echo "$first_line"
	cat <&9
} >"$work/events"
exec 9<&-
wait $slow_reader || fail "exit code $? of the slow reader: $(cat "$work/said")"
jq -r .offset "$work/events" >"$work/offsets"
first_gap=$(awk '$1 != NR - 1 { print NR - 1; exit }' "$work/offsets")
behind_gap=$(sed -n "$((first_gap + 1))p" "$work/offsets")
assert_ge "$first_gap" 10000 'events of the segment that was held'
head -n "$first_gap" "$work/events" | jq -r .value | cmp - <(head -n "$first_gap" "$work/before") ||
	fail 'the segment that was held reads otherwise than before it expired'
assert_contains "$(cat "$work/said")" \
	"offsets $first_gap to $((behind_gap - 1)) have expired; the read went on with $behind_gap" 'what the reader says'
assert_eq "$(wc -l <"$work/said")" "$(awk 'NR > 1 && $1 != last + 1 { n++ } { last = $1 } END { print n }' "$work/offsets")" \
	'gaps it tells of, against gaps there are'

stop_dataplane
end_testpmd
check_store --check
assert_nothing_left
