/* SPDX-License-Identifier: BSD-3-Clause */
// A configuration file that lives as long as a test needs it.
#pragma once

#include "config/config.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct config_file {
	char path[64];
};

static inline void config_file_write_bytes(struct config_file *file, const char *text, size_t bytes)
{
	snprintf(file->path, sizeof(file->path), "/tmp/sl-config-test-XXXXXX");
	int fd = mkstemp(file->path);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, text, bytes), (ssize_t)bytes);
	close(fd);
}

static inline void config_file_write(struct config_file *file, const char *text)
{
	config_file_write_bytes(file, text, strlen(text));
}

static inline void config_file_remove(struct config_file *file)
{
	unlink(file->path);
}
