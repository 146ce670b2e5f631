# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Part of tests/e2e/lib.sh: what is in the store, against what was sent. Payloads hold no newline here.

# Every event of a stream, one a line: the independent reader's in $work/read, sluicectl's in $work/ctl.
read_store() { # [STREAM]
	local stream=${1:-plays}
	python3 "$reader" "$work/store" --stream "$stream" --format lines --summary "$work/reader.json" \
		>"$work/read" 2>"$work/reader.log" || fail "the independent reader: $(tail -n 1 "$work/reader.log")"
	"$sluicectl" read "$stream" --store "$work/store" --format lines >"$work/ctl" 2>"$work/ctl.log" ||
		fail "sluicectl read: $(cat "$work/ctl.log")"
	sort_bytes "$work/read"
	sort_bytes "$work/ctl"
	cmp "$work/read.sorted" "$work/ctl.sorted" || fail 'sluicectl reads other events than the independent reader'
}

sort_bytes() { # FILE: sorted into FILE.sorted
	LC_ALL=C sort --temporary-directory="$work" "$1" >"$1.sorted"
}

# The same events, each as often: nothing lost, doubled, changed.
assert_content() { # SENT_FILE [STREAM]
	local missing foreign
	read_store "${2:-plays}"
	sort_bytes "$1"
	missing=$(LC_ALL=C comm -23 "$1.sorted" "$work/read.sorted" | wc -l)
	foreign=$(LC_ALL=C comm -13 "$1.sorted" "$work/read.sorted" | wc -l)
	assert_eq "$missing" 0 'events sent that are not in the store'
	assert_eq "$foreign" 0 'events in the store that were never sent, or are doubled'
}

# For runs that lose: whatever is stored was sent, and is there once.
assert_stored_was_sent() { # SENT_FILE [STREAM]
	read_store "${2:-plays}"
	sort_bytes "$1"
	assert_eq "$(LC_ALL=C comm -13 "$1.sorted" "$work/read.sorted" | wc -l)" 0 \
		'events in the store that were never sent, or are doubled'
}

# Offset, then the payload, of each event of one partition, as sluicectl reads it.
partition_of() { # PARTITION [ARG]...
	"$sluicectl" read plays --store "$work/store" --partition "$1" --format json "${@:2}" |
		jq -r '"\(.offset) \(.value)"'
}

# After a clean stop the log says of every event that the reason dropped that it is missing: both readers find as
# many as the drop counter has. STREAM: as in read_store.
assert_gaps() { # REASON [STREAM]
	local reason=$1 stream=${2:-plays} dropped
	dropped=$(reported_drop_of "$reason")
	"$sluicectl" gaps "$stream" --store "$work/store" --json >"$work/gaps.json"
	assert_eq "$(jq --arg reason "$reason" '[.gaps[] | select(.reason == $reason) | .count] | add // 0' "$work/gaps.json")" \
		"$dropped" "events in the gaps of $reason, as sluicectl finds them"
	check_store --check --summary "$work/gaps-summary.json"
	assert_eq "$(jq --arg reason "$reason" '.gaps[$reason] // 0' "$work/gaps-summary.json")" "$dropped" \
		"events in the gaps of $reason, as the independent reader finds them"
}
