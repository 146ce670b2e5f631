/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/hugepages.h"

#include <errno.h>
#include <stdio.h>

#define SMALL "hugepages-2048kB"
#define LARGE "hugepages-1048576kB"

// 0 when there is no such file: then there are no such pages.
static uint64_t read_number(const char *folder, const char *size, const char *name)
{
	unsigned long long number = 0;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s/%s", folder, size, name);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%llu", &number) != 1)
		number = 0;
	fclose(file);
	return number;
}

int sl_hugepages_check(const char *folder, uint32_t memory_mib, struct sl_err *err)
{
	uint64_t free_pages = read_number(folder, SMALL, "free_hugepages");
	uint64_t free_mib = free_pages * 2 + read_number(folder, LARGE, "free_hugepages") * 1024;

	if (free_mib >= memory_mib)
		return 0;
	uint64_t needed_pages = (memory_mib + 1ull) / 2;
	uint64_t missing_pages = (memory_mib - free_mib + 1) / 2;
	uint64_t total_pages = read_number(folder, SMALL, "nr_hugepages") + missing_pages;
	return sl_err_set(err, -ENOMEM,
		"%llu free hugepages of 2 MiB are needed and %llu are free: reserve them with 'echo "
		"%llu > %s/" SMALL "/nr_hugepages', or lower memory.mbufs",
		(unsigned long long)needed_pages, (unsigned long long)free_pages,
		(unsigned long long)total_pages, folder);
}
