#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A polling lcore outranks other programs, and lets the kernel's threads that complete its writes go first; the
# process's other threads are as any program's.
source "$(dirname "$0")/lib.sh"

# slice_ns FILE: of a thread's sched file; nothing where this kernel has no slices of threads.
slice_ns() {
	awk '$1 == "se.slice" { print $3 }' "$1"
}

make_veth
write_config >"$work/config.yaml"
start_dataplane "$work/config.yaml"

default_ns=$(slice_ns /proc/self/sched)
polling=0
for thread in "/proc/$dataplane_pid/task/"*; do
	name=$(<"$thread/comm")
	nice=$(sed 's/.*) //' "$thread/stat" | cut -d ' ' -f 17) # field 19: what stands before ") " may have spaces
	case $name in
	rte-worker-*)
		polling=$((polling + 1))
		assert_eq "$nice" -20 "nice of $name"
		[ -z "$default_ns" ] || assert_eq "$(slice_ns "$thread/sched")" 100000000 "slice of $name in ns"
		;;
	iou-*) ;; # the kernel's, for the writes of a polling one: as that one
	*)
		assert_ge "$nice" 0 "nice of $name"
		[ -z "$default_ns" ] || assert_eq "$(slice_ns "$thread/sched")" "$default_ns" "slice of $name in ns"
		;;
	esac
done
assert_ge $polling 1 'polling threads'
stop_dataplane
