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

hugepages_free() {
	echo $(($(<$hugepages_dir/free_hugepages) - $(<$hugepages_dir/resv_hugepages)))
}

# hugepages_reserve COUNT: returns 1, and says what to do, when COUNT free pages cannot be had.
hugepages_reserve() {
	local count=$1 missing added available_mib
	if [ ! -d $hugepages_dir ]; then
		echo "this kernel has no 2 MiB hugepages: $hugepages_dir is absent" >&2
		return 1
	fi
	missing=$((count - $(hugepages_free)))
	[ $missing -gt 0 ] || return 0
	# The kernel would push out everything else to make them.
	available_mib=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
	if [ $((missing * 2 + 512)) -gt "$available_mib" ]; then
		echo "$missing more hugepages of 2 MiB are needed, and only $available_mib MiB of memory are" \
			"available: free some, or set nr_hugepages by hand" >&2
		return 1
	fi
	mkdir -p "${hugepages_lock%/*}"
	added=$(hugepages_change $missing) || return 1
	hugepages_added=$((hugepages_added + added))
	if [ "$added" -lt $missing ]; then
		echo 1 >/proc/sys/vm/compact_memory # memory in pieces: let the kernel move them
		added=$(hugepages_change $((missing - added))) || return 1
		hugepages_added=$((hugepages_added + added))
	fi
	if [ "$(hugepages_free)" -lt "$count" ]; then
		echo "only $(hugepages_free) of $count hugepages of 2 MiB can be had: memory is fragmented;" \
			"reserve them soon after boot" >&2
		hugepages_release
		return 1
	fi
}

hugepages_release() {
	[ $hugepages_added -ne 0 ] || return 0
	hugepages_change -$hugepages_added >/dev/null
	hugepages_added=0
}
