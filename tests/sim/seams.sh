#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# seams.sh BUILD: all that the simulated archives ask of the kernel is given by the simulation:
# a call that nobody has thought of would go past the virtual drive and clock.
set -euo pipefail

# What glibc offers to reach files, threads and time with; sockets and terminals are not used there.
calls='access|aligned_alloc|calloc|clock_[a-z]*|close|closedir|copy_file_range|creat|dup[23]?|faccessat|fallocate|fchmod|fcntl'
calls+='|fdatasync|fdopendir|flock|fopen|free|fstat|fstatat|fstatfs|fstatvfs|fsync|ftruncate|getrandom|gettimeofday|io_[a-z]*|link|linkat|lockf'
calls+='|lseek|lstat|madvise|malloc|mkdir|mkdirat|mkstemp|mmap|msync|nanosleep|open|openat|opendir|posix_fadvise|posix_fallocate|posix_memalign'
calls+='|pread|preadv2?|pthread_[a-z_]*|pwrite|pwritev2?|random|read|readdir|readv|realloc|rename|renameat2?|rmdir|scandir|sched_yield|sem_[a-z]*'
calls+='|sleep|stat|statfs|statvfs|statx|symlink|sync|sync_file_range|syncfs|time|truncate|unlink|unlinkat|usleep|utimensat|write|writev'

build=$1
missing=0
# lib_common holds more than the store's format: of it only what reads and writes logs, but for
# the threads that read ahead, which a simulated recovery does without.
objects=("$build"/dataplane/store/libstore.a "$build"/dataplane/worker/libworker.a)
for object in "$build"/common/libcommon.a.p/format_*.o; do
	[[ $object == */format_read_ahead.c.o ]] || objects+=("$object")
done
while IFS= read -r name; do
	if ! grep -q "'$name'" "$(dirname "$0")/meson.build"; then
		echo "     $name is called and not simulated: tests/sim/meson.build lists what is"
		missing=1
	fi
done < <(nm -u "${objects[@]}" 2>/dev/null | awk '$1 == "U" {print $2}' | sort -u | grep -E "^($calls)(64)?$")
if [ $missing -eq 0 ]; then
	echo 'ok   sim/nothing goes past the simulation'
else
	echo 'FAIL sim/nothing goes past the simulation'
	exit 1
fi
