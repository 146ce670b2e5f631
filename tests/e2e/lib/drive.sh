# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Drives of a test's own: ext4 in files below $work.

make_drive() { # NAME SIZE: $work/NAME.img with a file system, and $work/NAME to mount it on
	truncate --size "$2" "$work/$1.img"
	mkfs.ext4 -q -m 0 "$work/$1.img"
	mkdir "$work/$1"
}

mount_drive() { # NAME
	mount -o loop "$work/$1.img" "$work/$1"
}

mount_fuse_drive() { # NAME: over a disk that can be broken and held, by $work/fuse/control; $fuse_pid is its process
	mkdir "$work/fuse"
	"$E2E_BUILD/tests/battery/fuse_disk" "$work/fuse" "$work/$1.img" >"$work/fuse.log" 2>&1 &
	# shellcheck disable=SC2034 # for the test
	fuse_pid=$!
	wait_until 'the drive is there' test -e "$work/fuse/disk"
	mount -o loop "$work/fuse/disk" "$work/$1"
}
