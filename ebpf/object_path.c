/* SPDX-License-Identifier: BSD-3-Clause */
// Where the compiled XDP program is.
#include "loader.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OBJECT_NAME "prefilter.bpf.o"
#define OBJECT_VARIABLE "SLUICE_XDP_OBJECT"

// An executable of the build tree stands one or two folders below its root, where ebpf/ is. Writes
// the path and returns true if there is one.
static bool find_in_build_tree(char *path, size_t path_bytes)
{
	static const char *const from_executable[] = {"../ebpf", "../../ebpf"};
	char executable[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", executable, sizeof(executable) - 1);

	if (length <= 0)
		return false;
	executable[length] = 0;
	*strrchr(executable, '/') = 0;
	for (size_t i = 0; i < SL_ARRAY_COUNT(from_executable); i++) {
		char candidate[PATH_MAX * 2], resolved[PATH_MAX];

		snprintf(candidate, sizeof(candidate), "%s/%s/" OBJECT_NAME, executable,
			from_executable[i]);
		if (realpath(candidate, resolved) == NULL)
			continue;
		int written = snprintf(path, path_bytes, "%s", resolved);
		return written > 0 && (size_t)written < path_bytes;
	}
	return false;
}

int sl_xdp_object_path(char *path, size_t path_bytes, struct sl_err *err)
{
	const char *chosen = getenv(OBJECT_VARIABLE);
	const char *source = OBJECT_VARIABLE " names";

	if (chosen == NULL || chosen[0] == 0) {
		if (find_in_build_tree(path, path_bytes))
			return 0;
		chosen = SL_XDP_OBJECT_INSTALLED;
		source = "the installed one would be";
	}
	if (access(chosen, R_OK) != 0)
		return sl_err_set(err, -errno,
			"cannot read the compiled XDP program: %s %s: %s; install it, or point " OBJECT_VARIABLE
			" to " OBJECT_NAME,
			source, chosen, strerror(errno));
	int written = snprintf(path, path_bytes, "%s", chosen);
	if (written < 0 || (size_t)written >= path_bytes)
		return sl_err_set(
			err, -ENAMETOOLONG, "path of the XDP program is too long: %s", chosen);
	return 0;
}
