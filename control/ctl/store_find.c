/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/store_find.h"

#include "format/store_reader.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum sl_ctl_exit sl_ctl_store_code(int rc)
{
	switch (rc) {
	case -ENOENT:
	case -ENOTDIR:
	case -ENODEV:
		return SL_CTL_NOT_FOUND;
	case -EBADMSG:
	case -EPROTO:
		return SL_CTL_CHECK_FAILED;
	default:
		return SL_CTL_FAILED;
	}
}

static bool is_same_directory(const char *path, const char *other_path)
{
	struct stat status, other;

	return stat(path, &status) == 0 && stat(other_path, &other) == 0 &&
		status.st_dev == other.st_dev && status.st_ino == other.st_ino;
}

static bool writes_at(const struct sl_shm *shm, const char *path)
{
	for (uint32_t i = 0; i < shm->header->drive_count; i++) {
		if (is_same_directory(path, shm->drives[i].path))
			return true;
	}
	return is_same_directory(path, shm->header->store_path);
}

// Keeps shm mapped only when its data plane is alive and writes the store at path.
static int writer_find(const struct sl_ctl *ctl, const char *path, struct sl_shm *shm)
{
	bool is_writer = shm->header != NULL && sl_shm_is_alive(shm, ctl->runtime_dir) &&
		writes_at(shm, path);

	if (is_writer && SL_LOAD_ACQUIRE(shm->header->state) == SL_DATAPLANE_STARTING)
		return sl_ctl_fail(SL_CTL_NO_DATAPLANE,
			"the data plane (pid %u) is still starting; read again when 'sluicectl status' "
			"says running",
			shm->header->pid);
	if (is_writer)
		return SL_CTL_OK;
	sl_shm_close(shm);
	if (!sl_store_path_is_live(path))
		return SL_CTL_OK;
	return sl_ctl_fail(SL_CTL_NO_DATAPLANE,
		"'%s' is written by a data plane that is not the one of '%s'; name its --runtime-dir, "
		"so that only what is stored is read",
		path, ctl->runtime_dir);
}

int sl_ctl_store_writer(const struct sl_ctl *ctl, const char *store_path, struct sl_shm *shm)
{
	struct sl_err err;

	*shm = (struct sl_shm){0};
	if (sl_shm_open(shm, ctl->runtime_dir, &err) != 0)
		*shm = (struct sl_shm){0};
	int code = writer_find(ctl, store_path, shm);
	if (code != SL_CTL_OK)
		sl_shm_close(shm);
	return code;
}

int sl_ctl_store_choose(struct sl_ctl_store_choice *choice, const char *path, struct sl_err *err)
{
	if (path[0] == '\0')
		return sl_err_set(err, -EINVAL, "must name a directory");
	if (choice->path_count == SL_STORE_PATH_COUNT_MAX)
		return sl_err_set(
			err, -EINVAL, "may be given at most %d times", SL_STORE_PATH_COUNT_MAX);
	choice->paths[choice->path_count++] = path;
	return 0;
}

int sl_ctl_store_find(const struct sl_ctl *ctl, const struct sl_ctl_store_choice *choice,
	struct sl_store_reader **store, struct sl_shm *shm)
{
	struct sl_err err;

	int rc = sl_shm_open(shm, ctl->runtime_dir, &err);
	if (rc != 0 && choice->path_count == 0) {
		enum sl_ctl_exit code = rc == -ENOENT ? SL_CTL_NO_DATAPLANE : SL_CTL_FAILED;
		return sl_ctl_fail(code, "%s; or name a store with --store DIR", err.text);
	}
	const char *own_path = choice->path_count == 0 ? shm->header->store_path : NULL;
	rc = sl_store_reader_open_paths(store, own_path != NULL ? &own_path : choice->paths,
		SL_MAX(choice->path_count, 1u), choice->is_degraded, &err);
	if (rc != 0) {
		sl_shm_close(shm);
		return sl_ctl_fail(sl_ctl_store_code(rc), "%s", err.text);
	}
	int code = writer_find(ctl, (*store)->path, shm);
	if (code != SL_CTL_OK) {
		sl_store_reader_close(*store);
		sl_shm_close(shm);
	}
	return code;
}
