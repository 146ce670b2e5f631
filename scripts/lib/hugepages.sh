# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Sourced by scripts/test, scripts/run and tests/e2e/lib.sh: sees that enough 2 MiB hugepages are free,
# and takes back exactly what it added. Nothing is mounted: `--in-memory` DPDK processes need no mount.

hugepages_dir=/sys/kernel/mm/hugepages/hugepages-2048kB
hugepages_lock=/run/lock/sluice-hugepages.lock
hugepages_added=0

# hugepages_change BY: changes the number of reserved pages under the lock, prints the real change.
hugepages_change() {
	local before after
	(
		flock 9
		before=$(<$hugepages_dir/nr_hugepages)
		after=$((before + $1))
		echo $((after > 0 ? after : 0)) >$hugepages_dir/nr_hugepages
		echo $(($(<$hugepages_dir/nr_hugepages) - before))
	) 9>"$hugepages_lock"
}

# hugepages_reserve COUNT: returns 1, and says what to do, when COUNT free pages cannot be had.
hugepages_reserve() {
	local count=$1 free_count missing added
	if [ ! -d $hugepages_dir ]; then
		echo "this kernel has no 2 MiB hugepages: $hugepages_dir is absent" >&2
		return 1
	fi
	free_count=$(($(<$hugepages_dir/free_hugepages) - $(<$hugepages_dir/resv_hugepages)))
	missing=$((count - free_count))
	[ $missing -gt 0 ] || return 0
	mkdir -p "${hugepages_lock%/*}"
	added=$(hugepages_change $missing) || return 1
	hugepages_added=$((hugepages_added + added))
	if [ "$added" -lt $missing ]; then
		echo 1 >/proc/sys/vm/compact_memory
		added=$(hugepages_change $((missing - added))) || return 1
		hugepages_added=$((hugepages_added + added))
	fi
	free_count=$(($(<$hugepages_dir/free_hugepages) - $(<$hugepages_dir/resv_hugepages)))
	if [ $free_count -lt "$count" ]; then
		hugepages_release
		echo "only $free_count of $count hugepages of 2 MiB can be had: free some memory" \
			"($(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo) MiB are available)" >&2
		return 1
	fi
}

hugepages_release() {
	[ $hugepages_added -ne 0 ] || return 0
	hugepages_change -$hugepages_added >/dev/null
	hugepages_added=0
}
