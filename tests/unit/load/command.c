/* SPDX-License-Identifier: BSD-3-Clause */
#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENT_COUNT_MAX 31

int sl_test_command_run(
	int (*command)(int argc, char **argv), char *const *argv, char *output, size_t output_bytes)
{
	char *own[ARGUMENT_COUNT_MAX + 1] = {0}; // getopt changes the order
	FILE *file = tmpfile();
	int status = -1, argc = 0;

	while (argc < ARGUMENT_COUNT_MAX && argv[argc] != NULL) {
		own[argc] = argv[argc];
		argc++;
	}
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		dup2(fileno(file), STDOUT_FILENO);
		dup2(fileno(file), STDERR_FILENO);
		exit(command(argc, own));
	}
	waitpid(child, &status, 0);
	rewind(file);
	output[fread(output, 1, output_bytes - 1, file)] = '\0';
	fclose(file);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
