#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What --check sums up is what is then taken, within 5 %: of hugepages the very pages. Partitions that
# only the store has are in the sum.
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
make_veth

# MiB, from the last line of --check: `sum 118.3 MiB of which 102.0 MiB in hugepages: 51 of 2 MiB`.
planned() { # FIELD
	awk -v field="$1" '$1 == "sum" {print $field}' "$work/plan"
}

taken_kib() { # FIELD...
	local IFS='|'
	awk "/^($*):/ {sum += \$2} END {print sum}" "/proc/$dataplane_pid/status"
}

look() { # WHAT CONFIG
	local sum hugepages used
	"$dataplane" --config "$2" --check >"$work/plan"
	start_dataplane "$2"
	blast_windowed 2 "$work/sent-$dataplane_starts"
	hugepages=$(taken_kib HugetlbPages)
	assert_eq "$(planned 10)" $((hugepages / 2048)) "$1: hugepages"
	used=$((hugepages + $(taken_kib RssAnon RssShmem)))
	sum=$(awk -v mib="$(planned 2)" 'BEGIN {printf "%d", mib * 1024}')
	echo "$1: planned $sum KiB, taken $used KiB"
	assert_le $(((sum - used) * 100)) $((used * 5)) "$1: planned too much, percent x taken"
	assert_le $(((used - sum) * 100)) $((used * 5)) "$1: planned too little, percent x taken"
	stop_dataplane
}

write_config store="$work/a" mbufs=16384 >"$work/a.yaml"
look 'a small appliance' "$work/a.yaml"
write_config store="$work/b" mbufs=131072 partitions=4096 rx_cpus=0 worker_cpus=1 >"$work/b.yaml"
look 'rings between two lcores' "$work/b.yaml"
write_config store="$work/c,$work/d,$work/e" mbufs=32768 rx_cpus=0,1 worker_cpus=0,1 keep_source=true batch_bytes=1048576 >"$work/c.yaml"
look 'two workers, three paths, sources' "$work/c.yaml"

# A store of 4096 partitions whose stream is in the configuration no more: they are in each checkpoint.
large=(store="$work/f" mbufs=8192 rx_descriptors=1024 batch_bytes=65536)
write_config "${large[@]}" partitions=4096 >"$work/f.yaml"
look 'a stream' "$work/f.yaml"
lanes_with=$(awk '$1 == "batches" {print $2}' "$work/plan")
write_config "${large[@]}" stream=other partitions=16 >"$work/f.yaml"
look 'that stream dropped' "$work/f.yaml"
assert_contains "$(cat "$work/plan")" '4112, 16 of them in the configuration' 'the partitions'
awk -v with="$lanes_with" '$1 == "batches" && $2 < with {exit 1}' "$work/plan" || fail 'a dropped stream took its batches along'

# What the start would refuse is refused by --check.
write_config "${large[@]}" partitions=17 >"$work/f.yaml"
expect_status 4 "$dataplane" --config "$work/f.yaml" --check
assert_contains "$(cat "$work/output")" 'was made with 4096' 'the refusal'
