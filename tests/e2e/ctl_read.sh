#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# sluicectl read gives back what was sent, in every format, of a running, a killed and a stopped data plane;
# and says what is wrong with a stream, a partition or an offset that is not there.
source "$(dirname "$0")/lib.sh"

fails() { # CODE PART ARG...
	local expected=$1 part=$2
	shift 2
	expect_status "$expected" "$sluicectl" read "$@"
	assert_contains "$(cat "$work/output")" "$part" "error of sluicectl read $*"
	assert_eq "$(wc -l <"$work/output")" 1 "lines of error of sluicectl read $*"
}

# assert_all_read ARG...: everything that was sent, of a whole stream and partition by partition.
assert_all_read() {
	local partition
	"$sluicectl" read plays "$@" | sort | cmp - "$work/sorted" || fail "read $* differs from what was sent"
	for partition in 0 1 2 3; do
		"$sluicectl" read plays --partition $partition --format json "$@"
	done >"$work/json"
	jq -r .value "$work/json" | sort | cmp - "$work/sorted" || fail "read by partitions $* differs from what was sent"
	# dense from 0 in each partition, in order
	jq -s -e 'group_by(.partition) | all(map(.offset) == [range(length)])' "$work/json" >/dev/null ||
		fail "offsets of read $* are not dense"
}

make_veth
write_config partitions=4 keep_source=true >"$work/config.yaml"
start_dataplane "$work/config.yaml"
send_frames --from $sender_v4 --to $appliance_v4 --count 500 --flows 16 --text 'event' --record "$work/sent"
wait_until 'all events are stored' stored_is 500
sort "$work/sent" >"$work/sorted"
assert_eq "$(wc -l <"$work/sorted")" 500 'events sent'
assert_all_read
jq -e -s --arg source "$sender_v4:" 'all(.source | startswith($source))' "$work/json" >/dev/null || fail 'sources are missing'

# One partition: where it begins and where it ends.
partition=$(jq -s 'group_by(.partition) | max_by(length)[0].partition' "$work/json")
"$sluicectl" read plays -p "$partition" >"$work/lines"
stored=$(wc -l <"$work/lines")
"$sluicectl" read plays -p "$partition" --from 7 --count 5 | cmp - <(sed -n 8,12p "$work/lines")
"$sluicectl" read plays -p "$partition" --format raw | cmp - <(tr -d '\n' <"$work/lines")
"$sluicectl" read plays -p "$partition" --json | jq -r .value | cmp - "$work/lines"
assert_eq "$("$sluicectl" read plays --count 3 | wc -l)" 3 'events of a whole stream with --count 3'
assert_eq "$("$sluicectl" read plays -p "$partition" --from "$stored" | wc -l)" 0 'events from the end on'

# What is not there.
fails 5 plays reads
fails 5 'its partitions are 0 to 3' plays --partition 4
fails 5 "its next offset is $stored" plays -p "$partition" --from $((stored + 1))
fails 2 '--from needs --partition' plays --from 1
fails 3 'written by a data plane that is not the one' plays --store "$work/store" --runtime-dir "$work/nowhere"

# A reader that has seen enough.
set +o pipefail
"$sluicectl" read plays | head -n 1 >"$work/first"
statuses=("${PIPESTATUS[@]}")
set -o pipefail
assert_eq "${statuses[0]}" 0 'exit code when the reader goes away'
assert_eq "$(wc -l <"$work/first")" 1 'lines that the reader took'
status=0
"$sluicectl" read plays >/dev/full 2>"$work/output" || status=$?
assert_eq $status 6 'exit code when the output is full'

# A killed one: its store is found, its figures are refused.
kill_dataplane
expect_status 3 "$sluicectl" status
assert_contains "$(cat "$work/output")" 'has died' 'status of a killed data plane'
assert_all_read

start_dataplane "$work/config.yaml"
assert_all_read --store "$work/store"
# shellcheck disable=SC2119
stop_dataplane
fails 3 '--store DIR' plays
fails 5 'beyond its end' plays -p "$partition" --from $((stored + 1)) --store "$work/store"
assert_eq "$("$sluicectl" read plays -p "$partition" --from "$stored" --store "$work/store" | wc -l)" 0 \
	'events from the end of a stopped store on'
assert_all_read --store "$work/store"
