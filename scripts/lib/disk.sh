# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Sourced by scripts/run and tests/e2e/lib.sh: temporary directories on a disk that takes O_DIRECT.

disk_takes_direct_io() { # DIRECTORY
	local probe=$1/direct-io-probe status=0
	dd if=/dev/zero of="$probe" bs=4096 count=1 oflag=direct status=none 2>/dev/null || status=1
	rm -f "$probe"
	return $status
}

# disk_make_directory PREFERRED: makes a temporary directory below TMPDIR, else PREFERRED, else /var/tmp,
# the first of them that takes O_DIRECT, and prints its path.
disk_make_directory() {
	local parent directory
	for parent in ${TMPDIR:+"$TMPDIR"} "$1" /var/tmp; do
		mkdir -p "$parent" 2>/dev/null && directory=$(mktemp -d "$parent/sluice.XXXXXX") || continue
		if disk_takes_direct_io "$directory"; then
			echo "$directory"
			return 0
		fi
		rmdir "$directory"
	done
	echo "neither $1 nor /var/tmp takes O_DIRECT: set TMPDIR to a directory on ext4 or XFS" >&2
	return 1
}
