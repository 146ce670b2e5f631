/* SPDX-License-Identifier: BSD-3-Clause */
// libFuzzer against sl_config_load: any file either loads, or fails with one line that starts with
// its name. Seeds: the files of configs/.
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes);

static void require(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes)
{
	struct sl_config config;
	struct sl_err err = {0};
	char path[32];
	int fd = memfd_create("config", MFD_CLOEXEC);

	require(fd >= 0);
	require(write(fd, input, input_bytes) == (ssize_t)input_bytes);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (sl_config_load(&config, path, &err) == 0) {
		require(config.port_count > 0 && config.stream_count > 0);
		require(config.streams[0].class_index < config.class_count);
	} else {
		require(err.code < 0 && config.storage == NULL);
		require(strncmp(err.text, path, strlen(path)) == 0);
		require(strchr(err.text, '\n') == NULL);
	}
	sl_config_free(&config);
	close(fd);
	return 0;
}
