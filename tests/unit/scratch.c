/* SPDX-License-Identifier: BSD-3-Clause */
#include "scratch.h"

#include "base.h"

#include <CUnit/CUnit.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool takes_direct_io(const char *directory)
{
	int fd = open(directory, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool sl_fixture_make_directory(char path[64])
{
	const char *const places[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
	bool made = false;

	for (size_t i = 0; i < SL_ARRAY_COUNT(places) && !made; i++) {
		if (places[i] == NULL || !takes_direct_io(places[i]))
			continue;
		made = snprintf(path, 64, "%s/sluice-test-XXXXXX", places[i]) < 64 &&
			mkdtemp(path) != NULL;
	}
	CU_ASSERT(made);
	return made;
}

static int remove_entry(const char *path, const struct stat *status SL_UNUSED, int type SL_UNUSED,
	struct FTW *ftw SL_UNUSED)
{
	return remove(path);
}

void sl_fixture_remove_directory(const char *path)
{
	CU_ASSERT_EQUAL(nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}
