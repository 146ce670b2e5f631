#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# sluicectl store info, verify, dump and repair: of a running, a killed and a stopped data plane, and of a
# store with a flipped bit; what they say of offsets agrees with what was stored, and a mended store goes on.
source "$(dirname "$0")/lib.sh"

info_of() { # JQ_PATH
	"$sluicectl" store info "$work/store" --json | jq -r "$1"
}

verify() { # EXPECTED_STATUS [ARG]...
	local expected=$1
	shift
	expect_status "$expected" "$sluicectl" store verify "$work/store" --json "$@"
}

flip() { # FILE POSITION
	python3 - "$1" "$2" <<-'PYTHON'
		import sys
		with open(sys.argv[1], "r+b") as file:
		    file.seek(int(sys.argv[2]))
		    byte = file.read(1)
		    file.seek(int(sys.argv[2]))
		    file.write(bytes([byte[0] ^ 0x10]))
	PYTHON
}

make_veth
write_config partitions=4 >"$work/config.yaml"
start_dataplane "$work/config.yaml"
id=$(info_of .id)
blast_windowed 3 "$work/sent"
assert_eq "$(info_of .live)" true 'live'
assert_eq "$(info_of '[.lanes[].events] | add')" 3000 'events'
assert_eq "$(info_of '[.partitions[] | .next_offset - .first_offset] | add')" 3000 'offsets'
verify 0
assert_eq "$(jq .live "$work/output")" true 'verify of a running store'
assert_ge "$(jq .events "$work/output")" 3000 'events that were verified'
expect_status 3 "$sluicectl" store verify "$work/store" --runtime-dir "$work/nowhere"

kill_dataplane
verify 0 --all
assert_eq "$(jq .events "$work/output")" 3000 'events behind a kill'
start_dataplane "$work/config.yaml"
blast_windowed 1 "$work/sent"
# shellcheck disable=SC2119
stop_dataplane
verify 0 --all
assert_eq "$(jq '.events, .findings' -c "$work/output" | tr '\n' ' ')" '4000 [] ' 'a stopped store'
assert_eq "$(info_of .id)" "$id" 'id'
assert_eq "$(info_of .live)" false 'live'

# The first batch with events of the first segment: its successors say that it was durable.
segment=$work/store/lane-00000/0000000000000001.seg
position=$("$sluicectl" store dump "$work/store" --lane 0 --segment 1 --json |
	jq --slurp 'map(select(.item == "batch" and .event_count > 0))[0].position')
flip "$segment" $((position + 300))
verify 1
jq -e --argjson position "$position" '.sound == false and .findings[0].kind == "hole" and
	.findings[0].grade == "loss" and .findings[0].position == $position and
	.findings[0].lost_events == .findings[0].lost_events_max' \
	"$work/output" >/dev/null || fail "$(cat "$work/output")"
lost=$(jq '.findings[0].lost_events' "$work/output")
assert_ge "$lost" 1 'events lost'
assert_eq "$(jq '[.findings[0].lost[] | .last_offset - .first_offset + 1] | add' "$work/output")" "$lost" 'offsets lost'
partition=$(jq '.findings[0].lost[0].partition' "$work/output")
expect_status 0 "$sluicectl" store dump "$work/store" --lane 0 --segment 1
assert_contains "$(grep "position=$position " "$work/output")" 'verdict="damaged body"' 'dump of the damaged batch'

# Nothing is lost unasked; asked, everything else stays, for both readers, and the appliance goes on.
before=$(sha256sum <"$segment")
expect_status 1 "$sluicectl" store repair "$work/store"
assert_eq "$(sha256sum <"$segment")" "$before" 'the segment behind a refused repair'
expect_status 0 "$sluicectl" store repair "$work/store" --accept-loss --json
assert_eq "$(jq .lost_events "$work/output")" "$lost" 'events lost by the repair'
assert_eq "$(sha256sum <"$segment.damaged")" "$before" 'the original'
verify 0 --all
assert_eq "$(jq -c '[.findings[].kind]' "$work/output")" '["fenced"]' 'findings behind the repair'
check_store --check
next=$(info_of ".partitions[$partition].next_offset")
start_dataplane "$work/config.yaml"
blast_windowed 1 "$work/sent"
# shellcheck disable=SC2119
stop_dataplane
verify 0 --all
assert_ge "$(info_of ".partitions[$partition].next_offset")" "$next" 'next offset'
check_store --check
for partition in 0 1 2 3; do
	"$sluicectl" read plays --partition $partition --store "$work/store" 2>>"$work/lost"
done | sort >"$work/left"
assert_eq "$(wc -l <"$work/left")" $((5000 - lost)) 'events left'
assert_contains "$(cat "$work/lost")" 'are lost' 'what the reader says'
sort "$work/sent" | comm -13 - "$work/left" >"$work/wrong"
assert_eq "$(wc -l <"$work/wrong")" 0 'events that were never sent'
