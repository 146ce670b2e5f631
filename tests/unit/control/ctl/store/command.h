/* SPDX-License-Identifier: BSD-3-Clause */
// Runs one command of `sluicectl store` inside the test, and keeps what it printed. Thread rule:
// one test at a time.
#pragma once

#include "ctl/store/store.h"
#include "suite.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct outcome {
	int code;
	char *out, *err; // freed by the next run
};

static inline char *file_text(FILE *file)
{
	long bytes = ftell(file);
	char *text = calloc(1, (size_t)bytes + 1);

	rewind(file);
	CU_ASSERT_EQUAL(fread(text, 1, (size_t)bytes, file), (size_t)bytes);
	fclose(file);
	return text;
}

// Runs it with the arguments given, NULL behind the last.
static inline const struct outcome *run_command(
	const struct sl_ctl_subcommand *subcommand, const char *const *arguments)
{
	static struct outcome outcome;
	char *argv[12] = {"command"};
	struct sl_ctl ctl = {.runtime_dir = "/nonexistent", .output = {.stream = tmpfile()}};
	FILE *err_file = tmpfile();
	int argc = 1, stderr_fd = dup(STDERR_FILENO);

	free(outcome.out);
	free(outcome.err);
	for (; arguments[argc - 1] != NULL && argc < 11; argc++)
		argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
	fflush(stderr);
	dup2(fileno(err_file), STDERR_FILENO);
	outcome.code = sl_ctl_finish(&ctl, subcommand->run(&ctl, argc, argv));
	fflush(stderr);
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	fseek(err_file, 0, SEEK_END);
	outcome.out = file_text(ctl.output.stream);
	outcome.err = file_text(err_file);
	return &outcome;
}

#define RUN(subcommand, ...) run_command(&subcommand, (const char *const[]){__VA_ARGS__, NULL})

// The member at "a.N.b" of a document of JSON, NULL when there is none.
static inline json_t *member(json_t *document, const char *path)
{
	char key[64];

	while (document != NULL && *path != '\0') {
		size_t length = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)length, path);
		document = json_is_array(document)
			? json_array_get(document, strtoul(key, NULL, 10))
			: json_object_get(document, key);
		path += length + (path[length] == '.');
	}
	return document;
}

static inline json_int_t number_at(json_t *document, const char *path)
{
	json_t *value = member(document, path);

	CU_ASSERT_PTR_NOT_NULL(value);
	return json_integer_value(value);
}

static inline const char *text_at(json_t *document, const char *path)
{
	json_t *value = member(document, path);

	CU_ASSERT_PTR_NOT_NULL(value);
	return json_is_string(value) ? json_string_value(value) : "";
}
