/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

const struct sl_exit_code sl_ctl_exit_codes[SL_CTL_EXIT_CODE_COUNT] = {
	{SL_CTL_OK,
		"done, and everything that was checked is right; also when the reader of the "
		"output went away"},
	{SL_CTL_CHECK_FAILED,
		"an identity does not hold, or the store is damaged or of an unknown "
		"version"},
	{SL_CTL_USAGE, "wrong options or arguments"},
	{SL_CTL_NO_DATAPLANE,
		"no data plane is running in the runtime directory, or it does not "
		"answer, is still starting, or is not the one that writes the store"},
	{SL_CTL_CONFIG_INVALID, "the configuration is invalid"},
	{SL_CTL_NOT_FOUND,
		"no such store, stream, partition or offset, no ledger, or a path of the store is not here"},
	{SL_CTL_FAILED,
		"the system refused: permissions, memory, input or output; or the store to repair is in use or not all here"},
};

int sl_ctl_common_option(
	struct sl_ctl *ctl, const struct sl_option *option, const char *value, struct sl_err *err)
{
	if (strcmp(option->name, "json") == 0) {
		ctl->output.is_json = true;
		return 0;
	}
	assert(strcmp(option->name, "runtime-dir") == 0);
	if (value[0] == '\0')
		return sl_err_set(err, -EINVAL, "must name a directory");
	ctl->runtime_dir = value;
	return 0;
}

int sl_ctl_only_common_options(
	void *ctl, const struct sl_option *option, const char *value, struct sl_err *err)
{
	return sl_ctl_common_option(ctl, option, value, err);
}

int sl_ctl_run_subcommand(struct sl_ctl *ctl, const struct sl_command *command,
	const struct sl_ctl_subcommand *const *subcommands, int argc, char **argv)
{
	const struct sl_command *chosen = sl_options_subcommand(command, argv[0]);

	for (size_t i = 0; chosen != NULL && i < command->subcommand_count; i++)
		if (subcommands[i]->command == chosen)
			return subcommands[i]->run(ctl, argc, argv);
	return SL_CTL_USAGE;
}

int sl_ctl_fail(enum sl_ctl_exit code, const char *format, ...)
{
	struct sl_err err = {0};
	va_list args;

	va_start(args, format);
	sl_err_set_list(&err, -EINVAL, format, args); // one line, whatever names hold
	va_end(args);
	fprintf(stderr, "sluicectl: %s\n", err.text);
	return code;
}

int sl_ctl_attach(const struct sl_ctl *ctl, struct sl_shm *shm)
{
	struct sl_err err;

	int rc = sl_shm_open(shm, ctl->runtime_dir, &err);
	if (rc == -ENOENT)
		return sl_ctl_fail(SL_CTL_NO_DATAPLANE, "%s", err.text);
	if (rc != 0)
		return sl_ctl_fail(SL_CTL_FAILED, "%s", err.text);
	if (sl_shm_is_alive(shm, ctl->runtime_dir))
		return SL_CTL_OK;
	uint32_t pid = shm->header->pid;
	sl_shm_close(shm);
	return sl_ctl_fail(SL_CTL_NO_DATAPLANE,
		"the data plane of '%s' (pid %u) has died; start it again, or read its store with "
		"'sluicectl read'",
		ctl->runtime_dir, pid);
}

int sl_ctl_print(struct sl_ctl *ctl, json_t *document, const struct sl_output_table *tables,
	size_t table_count)
{
	if (document == NULL)
		return sl_ctl_fail(SL_CTL_FAILED,
			"cannot build the document: no memory, or a name that is not UTF-8");
	sl_output_document(&ctl->output, document, tables, table_count);
	json_decref(document);
	return SL_CTL_OK;
}

int sl_ctl_finish(struct sl_ctl *ctl, int code)
{
	int rc = sl_output_finish(&ctl->output);

	if (rc == 0 || rc == -EPIPE)
		return code;
	return sl_ctl_fail(SL_CTL_FAILED, "cannot write the output: %s", strerror(-rc));
}
