/* SPDX-License-Identifier: BSD-3-Clause */
// A disk as a file: fuse_disk MOUNT_POINT IMAGE [LOG [RUNTIME_DIR]]. MOUNT_POINT/disk has the bytes
// of IMAGE; whoever puts a loop device on it has a drive whose writes and flushes are logged in LOG
// (disk_log.h), with the watermarks of the appliance in RUNTIME_DIR. MOUNT_POINT/control takes the
// faults of disk_faults.h and gives their counts. One thread: what is done is done in one order.
// Ends when it is unmounted or told to by a signal.
#define FUSE_USE_VERSION 312

#include "disk_faults.h"
#include "disk_log.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INODE_ROOT = FUSE_ROOT_ID, INODE_DISK, INODE_CONTROL, INODE_END };

// The largest write the kernel hands over in one piece.
#define WRITE_BYTES_MAX (1u << 20)
#define ATTRIBUTES_SECONDS 3600.0

static const char *const names[INODE_END] = {
	[INODE_DISK] = "disk",
	[INODE_CONTROL] = "control",
};

struct disk {
	struct disk_log log;
	struct disk_faults faults;
	int image_fd;
	uint64_t image_bytes;
	char *buffer; // for reads, WRITE_BYTES_MAX
};

static void fill_status(const struct disk *disk, fuse_ino_t inode, struct stat *status)
{
	*status = (struct stat){
		.st_ino = inode,
		.st_mode = inode == INODE_ROOT ? S_IFDIR | 0700 : S_IFREG | 0600,
		.st_nlink = inode == INODE_ROOT ? 2 : 1,
		.st_size = inode == INODE_DISK ? (off_t)disk->image_bytes : 0,
		.st_blksize = 4096,
	};
}

static void on_init(void *context SL_UNUSED, struct fuse_conn_info *connection)
{
	connection->max_write = WRITE_BYTES_MAX;
	connection->max_readahead = 0;
}

static void on_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {.attr_timeout = ATTRIBUTES_SECONDS};

	for (fuse_ino_t inode = INODE_DISK; inode < INODE_END; inode++) {
		if (parent != INODE_ROOT || strcmp(name, names[inode]) != 0)
			continue;
		entry.ino = inode;
		entry.entry_timeout = ATTRIBUTES_SECONDS;
		fill_status(fuse_req_userdata(request), inode, &entry.attr);
		fuse_reply_entry(request, &entry);
		return;
	}
	fuse_reply_err(request, ENOENT);
}

static void on_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info SL_UNUSED)
{
	struct stat status;

	fill_status(fuse_req_userdata(request), inode, &status);
	fuse_reply_attr(request, &status, ATTRIBUTES_SECONDS);
}

// The shell truncates a file that it redirects into: nothing to do.
static void on_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *status SL_UNUSED,
	int changed SL_UNUSED, struct fuse_file_info *info)
{
	on_getattr(request, inode, info);
}

// Without the page cache: what is read comes from here too, and may fail here.
static void on_open(fuse_req_t request, fuse_ino_t inode SL_UNUSED, struct fuse_file_info *info)
{
	info->direct_io = 1;
	fuse_reply_open(request, info);
}

static void read_control(fuse_req_t request, const struct disk *disk, off_t position)
{
	char text[512];
	size_t length = disk_faults_print(&disk->faults, text, sizeof(text));

	if (position >= (off_t)length)
		fuse_reply_buf(request, NULL, 0);
	else
		fuse_reply_buf(request, text + position, length - (size_t)position);
}

static void on_read(fuse_req_t request, fuse_ino_t inode, size_t bytes, off_t position,
	struct fuse_file_info *info SL_UNUSED)
{
	struct disk *disk = fuse_req_userdata(request);
	ssize_t count;

	if (inode == INODE_CONTROL) {
		read_control(request, disk, position);
		return;
	}
	if (disk_faults_meet(&disk->faults, DISK_READ, (uint64_t)position, bytes) != 0) {
		fuse_reply_err(request, EIO);
		return;
	}
	count = pread(
		disk->image_fd, disk->buffer, SL_MIN(bytes, (size_t)WRITE_BYTES_MAX), position);
	if (count < 0)
		fuse_reply_err(request, errno);
	else
		fuse_reply_buf(request, disk->buffer, (size_t)count);
}

// 0 or a negative errno.
static int write_disk(struct disk *disk, const char *data, size_t bytes, off_t position)
{
	int result = disk_faults_meet(&disk->faults, DISK_WRITE, (uint64_t)position, bytes);
	ssize_t written;

	if (result != 0)
		return result;
	result = disk_log_write(&disk->log, (uint64_t)position, data, bytes);
	if (result != 0)
		return result;
	written = pwrite(disk->image_fd, data, bytes, position);
	if (written < 0)
		return -errno;
	return (size_t)written == bytes ? 0 : -EIO;
}

static void on_write(fuse_req_t request, fuse_ino_t inode, const char *data, size_t bytes,
	off_t position, struct fuse_file_info *info SL_UNUSED)
{
	struct disk *disk = fuse_req_userdata(request);
	int result = inode == INODE_CONTROL ? disk_faults_command(&disk->faults, data, bytes)
					    : write_disk(disk, data, bytes, position);

	if (result != 0)
		fuse_reply_err(request, -result);
	else
		fuse_reply_write(request, bytes);
}

// All writes that were answered before have been noted before. The image itself needs no flush: it
// is this machine's page cache that plays the medium.
static void on_fsync(fuse_req_t request, fuse_ino_t inode, int data_only SL_UNUSED,
	struct fuse_file_info *info SL_UNUSED)
{
	struct disk *disk = fuse_req_userdata(request);
	int result = 0;

	if (inode == INODE_DISK) {
		result = disk_faults_meet(&disk->faults, DISK_FLUSH, 0, 0);
		if (result == 0)
			result = disk_log_flush(&disk->log);
	}
	fuse_reply_err(request, -result);
}

static const struct fuse_lowlevel_ops operations = {
	.init = on_init,
	.lookup = on_lookup,
	.getattr = on_getattr,
	.setattr = on_setattr,
	.open = on_open,
	.read = on_read,
	.write = on_write,
	.fsync = on_fsync,
};

static int open_disk(struct disk *disk, int argc, char **argv, struct sl_err *err)
{
	struct stat status;

	disk->image_fd = open(argv[2], O_RDWR | O_CLOEXEC);
	if (disk->image_fd < 0 || fstat(disk->image_fd, &status) != 0)
		return sl_err_set(err, -errno, "cannot open %s: %s", argv[2], strerror(errno));
	disk->image_bytes = (uint64_t)status.st_size;
	disk->buffer = malloc(WRITE_BYTES_MAX);
	if (disk->buffer == NULL)
		return sl_err_set(err, -ENOMEM, "out of memory");
	return disk_log_open(&disk->log, argc > 3 ? argv[3] : NULL, argc > 4 ? argv[4] : NULL, err);
}

static int serve(struct disk *disk, char *program, const char *mount_point)
{
	char *words[] = {program, "-ofsname=sluice-disk,default_permissions"};
	struct fuse_args args = FUSE_ARGS_INIT(SL_ARRAY_COUNT(words), words);
	struct fuse_session *session =
		fuse_session_new(&args, &operations, sizeof(operations), disk);
	int status = EXIT_FAILURE;

	if (session == NULL)
		goto free_args;
	if (fuse_set_signal_handlers(session) != 0)
		goto destroy_session;
	if (fuse_session_mount(session, mount_point) != 0)
		goto remove_handlers;
	// A mount namespace of its own, from before anything is mounted on the disk: else the end
	// of all processes of the other one could leave it to unmount what it serves, and wait for
	// itself.
	if (unshare(CLONE_NEWNS) == 0)
		status = fuse_session_loop(session) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	fuse_session_unmount(session);
remove_handlers:
	fuse_remove_signal_handlers(session);
destroy_session:
	fuse_session_destroy(session);
free_args:
	fuse_opt_free_args(&args);
	return status;
}

int main(int argc, char **argv)
{
	struct disk disk = {.log = {.fd = -1, .data_fd = -1}};
	struct sl_err err = {0};
	int status;

	if (argc < 3 || argc > 5) {
		fprintf(stderr, "fuse_disk MOUNT_POINT IMAGE [LOG [RUNTIME_DIR]]\n");
		return 2;
	}
	if (open_disk(&disk, argc, argv, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return EXIT_FAILURE;
	}
	status = serve(&disk, argv[0], argv[1]);
	disk_log_close(&disk.log);
	free(disk.buffer);
	return status;
}
