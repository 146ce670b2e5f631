/* SPDX-License-Identifier: BSD-3-Clause */
#include "shm.h"

#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SHM_NEW_NAME "shm.new" // renamed when whole, so that no reader sees half a header

static_assert(sizeof(struct sl_shm_header) % SL_CACHE_LINE == 0, "tables start on a line");
static_assert(sizeof(struct sl_shm_port) % SL_CACHE_LINE == 0, "tables start on a line");
static_assert(sizeof(struct sl_shm_lcore) % SL_CACHE_LINE == 0, "tables start on a line");
static_assert(sizeof(struct sl_shm_ring) % SL_CACHE_LINE == 0, "tables start on a line");
static_assert(sizeof(struct sl_shm_lane) % SL_CACHE_LINE == 0, "tables start on a line");
static_assert(sizeof(struct sl_shm_drive) % SL_CACHE_LINE == 0, "tables start on a line");

static int runtime_path(
	char path[SL_PATH_BYTES_MAX], const char *runtime_dir, const char *name, struct sl_err *err)
{
	int written = snprintf(path, SL_PATH_BYTES_MAX, "%s/%s", runtime_dir, name);

	if (written >= SL_PATH_BYTES_MAX)
		return sl_err_set(err, -ENAMETOOLONG,
			"runtime_dir '%s': too long; use a path below %d bytes", runtime_dir,
			SL_PATH_BYTES_MAX - 32);
	return 0;
}

// ---- the lock

// 0 when nobody has written it.
static long lock_owner(int fd)
{
	char text[32] = "";
	long pid = 0;

	ssize_t bytes = pread(fd, text, sizeof(text) - 1, 0);
	if (bytes <= 0 || sscanf(text, "%ld", &pid) != 1)
		return 0;
	return pid;
}

static int runtime_dir_make(const char *runtime_dir, struct sl_err *err)
{
	struct stat status;

	if (mkdir(runtime_dir, 0750) == 0)
		return 0;
	int code = -errno;
	if (code == -EEXIST && stat(runtime_dir, &status) == 0 && S_ISDIR(status.st_mode))
		return 0;
	if (code == -EEXIST)
		return sl_err_set(err, -ENOTDIR,
			"runtime_dir '%s': exists and is no directory; remove it or name another "
			"runtime_dir",
			runtime_dir);
	if (code == -ENOENT)
		return sl_err_set(err, code,
			"runtime_dir '%s': its parent directory does not exist; create it or name "
			"another runtime_dir",
			runtime_dir);
	return sl_err_set(err, code,
		"runtime_dir '%s': cannot create it: %s; run as root or name a writable place",
		runtime_dir, strerror(-code));
}

static int lock_refused(int fd, const char *runtime_dir, struct sl_err *err)
{
	long pid = lock_owner(fd);
	char owner[48] = "another data plane";

	if (pid > 0)
		snprintf(owner, sizeof(owner), "another data plane (pid %ld)", pid);
	return sl_err_set(err, -EBUSY, "%s is running in '%s'; stop it or name another runtime_dir",
		owner, runtime_dir);
}

static int lock_take(int fd, const char *runtime_dir, struct sl_err *err)
{
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char text[32];

	// An OFD lock: it belongs to the open file, not to the process, so that a second attempt
	// in one process fails too, and closing another descriptor of the file does not release it.
	if (fcntl(fd, F_OFD_SETLK, &range) != 0) {
		if (errno == EAGAIN || errno == EACCES)
			return lock_refused(fd, runtime_dir, err);
		return sl_err_set(err, -errno,
			"cannot lock '%s/" SL_SHM_LOCK_NAME "': %s; use a local file system",
			runtime_dir, strerror(errno));
	}
	int bytes = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)bytes, 0) != bytes)
		return sl_err_set(err, errno == 0 ? -EIO : -errno,
			"cannot write '%s/" SL_SHM_LOCK_NAME "': %s; free some room", runtime_dir,
			strerror(errno));
	return 0;
}

int sl_runtime_lock(const char *runtime_dir, struct sl_err *err)
{
	char path[SL_PATH_BYTES_MAX];
	int code = runtime_path(path, runtime_dir, SL_SHM_LOCK_NAME, err);

	if (code != 0 || (code = runtime_dir_make(runtime_dir, err)) != 0)
		return code;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return sl_err_set(
			err, -errno, "cannot open '%s': %s; run as root", path, strerror(errno));
	code = lock_take(fd, runtime_dir, err);
	if (code != 0) {
		close(fd);
		return code;
	}
	return fd;
}

bool sl_shm_is_alive(const struct sl_shm *shm, const char *runtime_dir)
{
	char path[SL_PATH_BYTES_MAX];
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (runtime_path(path, runtime_dir, SL_SHM_LOCK_NAME, NULL) != 0)
		return false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool is_held = fcntl(fd, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
	long pid = lock_owner(fd);
	close(fd);
	return is_held && pid == (long)shm->header->pid;
}

// ---- the segment

// Lays the tables behind the header, each from a cache line on. Returns the bytes of all.
static uint64_t lay_out(struct sl_shm_header *header, const struct sl_shm_counts *counts)
{
	uint64_t end = sizeof(*header);

#define PLACE(table, type) \
	header->table##_count = counts->table##_count; \
	header->table##_offset = end; \
	end = SL_ALIGN_UP(end + counts->table##_count * sizeof(type), SL_CACHE_LINE)
	PLACE(port, struct sl_shm_port);
	PLACE(lcore, struct sl_shm_lcore);
	PLACE(ring, struct sl_shm_ring);
	PLACE(lane, struct sl_shm_lane);
	PLACE(stream, struct sl_shm_stream);
	PLACE(partition, struct sl_shm_partition);
	PLACE(drive, struct sl_shm_drive);
#undef PLACE
	header->total_bytes = end;
	return end;
}

static void point_tables(struct sl_shm *shm, void *map, size_t map_bytes)
{
	char *base = map;

	shm->header = map;
	shm->ports = (struct sl_shm_port *)(base + shm->header->port_offset);
	shm->lcores = (struct sl_shm_lcore *)(base + shm->header->lcore_offset);
	shm->rings = (struct sl_shm_ring *)(base + shm->header->ring_offset);
	shm->lanes = (struct sl_shm_lane *)(base + shm->header->lane_offset);
	shm->streams = (struct sl_shm_stream *)(base + shm->header->stream_offset);
	shm->partitions = (struct sl_shm_partition *)(base + shm->header->partition_offset);
	shm->drives = (struct sl_shm_drive *)(base + shm->header->drive_offset);
	shm->map_bytes = map_bytes;
}

static void fill_identity(struct sl_shm_header *header)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	header->magic = SL_SHM_MAGIC;
	header->version = SL_SHM_VERSION;
	header->pid = (uint32_t)getpid();
	snprintf(header->program_version, sizeof(header->program_version), "%s", SL_VERSION);
	header->start_ns = (uint64_t)now.tv_sec * SL_NS_PER_S + (uint64_t)now.tv_nsec;
	header->heartbeat_ns = header->start_ns;
	header->state = SL_DATAPLANE_STARTING;
}

static int create_file(struct sl_shm *shm, const char *path, const struct sl_shm_counts *counts,
	struct sl_err *err)
{
	struct sl_shm_header header = {0};
	size_t bytes = lay_out(&header, counts);

	// What a start that was killed left behind may have another owner or mode.
	unlink(path);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return sl_err_set(
			err, -errno, "cannot create '%s': %s; run as root", path, strerror(errno));
	// With its pages allocated now, a full tmpfs is an error here and not a SIGBUS later.
	int code = -posix_fallocate(fd, 0, (off_t)bytes);
	void *map = MAP_FAILED;
	if (code == 0) {
		map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		code = map == MAP_FAILED ? -errno : 0;
	}
	close(fd);
	if (code != 0) {
		unlink(path);
		return sl_err_set(err, code,
			"cannot reserve %zu bytes for '%s': %s; free some room", bytes, path,
			strerror(-code));
	}
	fill_identity(&header);
	memcpy(map, &header, sizeof(header));
	point_tables(shm, map, bytes);
	return 0;
}

int sl_shm_create(struct sl_shm *shm, const char *runtime_dir, const struct sl_shm_counts *counts,
	struct sl_err *err)
{
	char new_path[SL_PATH_BYTES_MAX], path[SL_PATH_BYTES_MAX];

	memset(shm, 0, sizeof(*shm));
	int code = runtime_path(new_path, runtime_dir, SHM_NEW_NAME, err);
	if (code != 0 || (code = runtime_path(path, runtime_dir, SL_SHM_NAME, err)) != 0)
		return code;
	code = create_file(shm, new_path, counts, err);
	if (code != 0)
		return code;
	if (rename(new_path, path) != 0) {
		code = sl_err_set(err, -errno, "cannot rename '%s' to '%s': %s; remove '%s'",
			new_path, path, strerror(errno), path);
		unlink(new_path);
		sl_shm_close(shm);
	}
	return code;
}

// The reader trusts nothing but what lies inside the file.
static bool header_is_sound(const struct sl_shm_header *header, uint64_t file_bytes)
{
	bool is_sound = header->total_bytes == file_bytes;

#define CHECK(table, type) \
	is_sound = is_sound && header->table##_offset % SL_CACHE_LINE == 0 && \
		header->table##_offset <= file_bytes && \
		header->table##_count <= (file_bytes - header->table##_offset) / sizeof(type)
	CHECK(port, struct sl_shm_port);
	CHECK(lcore, struct sl_shm_lcore);
	CHECK(ring, struct sl_shm_ring);
	CHECK(lane, struct sl_shm_lane);
	CHECK(stream, struct sl_shm_stream);
	CHECK(partition, struct sl_shm_partition);
	CHECK(drive, struct sl_shm_drive);
#undef CHECK
	return is_sound;
}

static int check_header(const struct sl_shm_header *header, uint64_t file_bytes, const char *path,
	struct sl_err *err)
{
	if (header->magic != SL_SHM_MAGIC)
		return sl_err_set(err, -EPROTO,
			"'%s' is no shared memory of a Sluice data plane; check runtime_dir", path);
	if (header->version != SL_SHM_VERSION)
		return sl_err_set(err, -EPROTO,
			"'%s' has layout version %u, this program reads %u; use the sluicectl that "
			"came with sluice-dataplane %.*s",
			path, header->version, SL_SHM_VERSION,
			(int)sizeof(header->program_version) - 1, header->program_version);
	if (!header_is_sound(header, file_bytes))
		return sl_err_set(err, -EPROTO,
			"'%s' is cut short or damaged; restart sluice-dataplane", path);
	return 0;
}

static int map_file(struct sl_shm *shm, int fd, const char *path, struct sl_err *err)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return sl_err_set(err, -errno, "cannot read '%s': %s", path, strerror(errno));
	if (status.st_size < (off_t)sizeof(struct sl_shm_header))
		return sl_err_set(err, -EPROTO,
			"'%s' is cut short or damaged; restart sluice-dataplane", path);
	size_t bytes = (size_t)status.st_size;
	void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return sl_err_set(err, -errno, "cannot map '%s': %s", path, strerror(errno));
	int code = check_header(map, bytes, path, err);
	if (code != 0) {
		munmap(map, bytes);
		return code;
	}
	point_tables(shm, map, bytes);
	return 0;
}

int sl_shm_open(struct sl_shm *shm, const char *runtime_dir, struct sl_err *err)
{
	char path[SL_PATH_BYTES_MAX];
	int code = runtime_path(path, runtime_dir, SL_SHM_NAME, err);

	memset(shm, 0, sizeof(*shm));
	if (code != 0)
		return code;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return sl_err_set(err, -ENOENT,
			"no data plane is running in '%s'; start sluice-dataplane or name its "
			"runtime_dir",
			runtime_dir);
	if (fd < 0)
		return sl_err_set(err, -errno,
			"cannot open '%s': %s; run as the file's owner or group", path,
			strerror(errno));
	code = map_file(shm, fd, path, err);
	close(fd);
	return code;
}

void sl_shm_close(struct sl_shm *shm)
{
	if (shm->header != NULL)
		munmap(shm->header, shm->map_bytes);
	memset(shm, 0, sizeof(*shm));
}

void sl_shm_remove(const char *runtime_dir)
{
	char path[SL_PATH_BYTES_MAX];

	if (runtime_path(path, runtime_dir, SL_SHM_NAME, NULL) == 0)
		unlink(path);
}
