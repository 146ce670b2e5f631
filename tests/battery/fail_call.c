/* SPDX-License-Identifier: BSD-3-Clause */
// LD_PRELOAD: one call of a kind fails, the n-th, and no other; all are counted. Only calls that
// the program's own file makes: those of its libraries (EAL's own start, libuv, jansson, liburing,
// the C library) go through uncounted, but for hugepages that EAL maps. Thread rule: any thread;
// counts are atomic.
#include "fail_call.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

struct io_uring;

static struct fail_call *words;
static uintptr_t program_begin, program_end, program_base;

static const int errors[FAIL_CALL_KIND_COUNT] = {
#define ROW(id, name, error) [FAIL_CALL_##id] = error,
	FAIL_CALL_KINDS(ROW)
#undef ROW
};

// The first object is the program.
static int note_program(struct dl_phdr_info *info, size_t bytes, void *context)
{
	(void)bytes;
	(void)context;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0)
			continue;
		program_base = info->dlpi_addr;
		program_begin = info->dlpi_addr + part->p_vaddr;
		program_end = program_begin + part->p_memsz;
	}
	return 1;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("FAIL_CALL");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *mapped;

	if (fd < 0)
		return;
	dl_iterate_phdr(note_program, NULL);
	mapped = mmap(NULL, sizeof(*words), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	// Children of the program are not broken.
	unsetenv("FAIL_CALL");
	unsetenv("LD_PRELOAD");
	if (mapped != MAP_FAILED)
		words = mapped;
}

static bool is_the_programs(const void *caller)
{
	uintptr_t address = (uintptr_t)caller;

	return address >= program_begin && address < program_end;
}

// Counts a call; true when it is the one to fail, with errno set.
static bool counts_to_fail(enum fail_call_kind kind, const void *caller)
{
	uint64_t number;

	if (words == NULL)
		return false;
	number = __atomic_add_fetch(&words->count[kind], 1, __ATOMIC_RELAXED);
	if (__atomic_load_n(&words->kind, __ATOMIC_RELAXED) != kind ||
		__atomic_load_n(&words->number, __ATOMIC_RELAXED) != number)
		return false;
	words->caller = is_the_programs(caller) ? (uintptr_t)caller - program_base : 0;
	__atomic_add_fetch(&words->failed_count, 1, __ATOMIC_RELEASE);
	if (words->kills)
		raise(SIGKILL);
	errno = errors[kind];
	return true;
}

static bool fails(enum fail_call_kind kind, const void *caller)
{
	return is_the_programs(caller) && counts_to_fail(kind, caller);
}

#define FAILS(kind) fails(kind, __builtin_return_address(0))
// dlsym itself may allocate: it is asked once, by a call that may.
#define NEXT(name) \
	static __typeof__(name) *next; \
	if (next == NULL) \
	next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

void *malloc(size_t bytes)
{
	return FAILS(FAIL_CALL_ALLOCATE) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
	return FAILS(FAIL_CALL_ALLOCATE) ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
	return FAILS(FAIL_CALL_ALLOCATE) ? NULL : __libc_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
	return FAILS(FAIL_CALL_ALLOCATE) ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
	if (FAILS(FAIL_CALL_ALLOCATE))
		return ENOMEM;
	*memory = __libc_memalign(alignment, bytes);
	return *memory == NULL ? ENOMEM : 0;
}

int open64(const char *path, int flags, ...)
{
	NEXT(open64);
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE
		? va_arg(arguments, mode_t)
		: 0;
	va_end(arguments);
	return FAILS(FAIL_CALL_OPEN) ? -1 : next(path, flags, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
	NEXT(fopen64);
	return FAILS(FAIL_CALL_OPEN) ? NULL : next(path, mode);
}

DIR *opendir(const char *path)
{
	NEXT(opendir);
	return FAILS(FAIL_CALL_OPEN) ? NULL : next(path);
}

int fallocate64(int fd, int mode, off64_t position, off64_t bytes)
{
	NEXT(fallocate64);
	return FAILS(FAIL_CALL_FALLOCATE) ? -1 : next(fd, mode, position, bytes);
}

int posix_fallocate64(int fd, off64_t position, off64_t bytes)
{
	NEXT(posix_fallocate64);
	return FAILS(FAIL_CALL_FALLOCATE) ? errors[FAIL_CALL_FALLOCATE] : next(fd, position, bytes);
}

int rename(const char *from, const char *to)
{
	NEXT(rename);
	return FAILS(FAIL_CALL_RENAME) ? -1 : next(from, to);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	NEXT(renameat2);
	return FAILS(FAIL_CALL_RENAME) ? -1 : next(from_fd, from, to_fd, to, flags);
}

int fsync(int fd)
{
	NEXT(fsync);
	return FAILS(FAIL_CALL_FSYNC) ? -1 : next(fd);
}

int fdatasync(int fd)
{
	NEXT(fdatasync);
	return FAILS(FAIL_CALL_FSYNC) ? -1 : next(fd);
}

int unlink(const char *path)
{
	NEXT(unlink);
	return FAILS(FAIL_CALL_UNLINK) ? -1 : next(path);
}

int rmdir(const char *path)
{
	NEXT(rmdir);
	return FAILS(FAIL_CALL_UNLINK) ? -1 : next(path);
}

int link(const char *from, const char *to)
{
	NEXT(link);
	return FAILS(FAIL_CALL_LINK) ? -1 : next(from, to);
}

int ftruncate64(int fd, off64_t bytes)
{
	NEXT(ftruncate64);
	return FAILS(FAIL_CALL_FTRUNCATE) ? -1 : next(fd, bytes);
}

int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
	NEXT(io_uring_queue_init);
	return FAILS(FAIL_CALL_URING) ? -errors[FAIL_CALL_URING] : next(entries, ring, flags);
}

static bool holds_hugepages(int fd)
{
	struct statfs system;

	return words != NULL && fd >= 0 && fstatfs(fd, &system) == 0 &&
		system.f_type == HUGETLBFS_MAGIC;
}

void *mmap64(void *address, size_t bytes, int protection, int flags, int fd, off64_t position)
{
	NEXT(mmap64);
	const void *caller = __builtin_return_address(0);

	// Whoever maps: of hugepages that is EAL.
	if (holds_hugepages(fd) ? counts_to_fail(FAIL_CALL_HUGEPAGE, caller)
				: fails(FAIL_CALL_MMAP, caller))
		return MAP_FAILED;
	return next(address, bytes, protection, flags, fd, position);
}

// What lies in hugepages, by DPDK's calls; declared here, for programs without DPDK are broken too.
void *rte_malloc(const char *type, size_t bytes, unsigned alignment);
void *rte_zmalloc(const char *type, size_t bytes, unsigned alignment);
void *rte_ring_create_elem(
	const char *name, unsigned element_bytes, unsigned count, int socket, unsigned flags);
void *rte_pktmbuf_pool_create(const char *name, unsigned count, unsigned cache_count,
	uint16_t private_bytes, uint16_t data_bytes, int socket);

static void *no_hugepage(void)
{
	// rte_errno, a variable of each thread.
	int *dpdk_errno = dlsym(RTLD_DEFAULT, "per_lcore__rte_errno");

	if (dpdk_errno != NULL)
		*dpdk_errno = errors[FAIL_CALL_HUGEPAGE];
	return NULL;
}

void *rte_malloc(const char *type, size_t bytes, unsigned alignment)
{
	NEXT(rte_malloc);
	return FAILS(FAIL_CALL_HUGEPAGE) ? no_hugepage() : next(type, bytes, alignment);
}

void *rte_zmalloc(const char *type, size_t bytes, unsigned alignment)
{
	NEXT(rte_zmalloc);
	return FAILS(FAIL_CALL_HUGEPAGE) ? no_hugepage() : next(type, bytes, alignment);
}

void *rte_ring_create_elem(
	const char *name, unsigned element_bytes, unsigned count, int socket, unsigned flags)
{
	NEXT(rte_ring_create_elem);
	return FAILS(FAIL_CALL_HUGEPAGE) ? no_hugepage()
					 : next(name, element_bytes, count, socket, flags);
}

void *rte_pktmbuf_pool_create(const char *name, unsigned count, unsigned cache_count,
	uint16_t private_bytes, uint16_t data_bytes, int socket)
{
	NEXT(rte_pktmbuf_pool_create);
	return FAILS(FAIL_CALL_HUGEPAGE)
		? no_hugepage()
		: next(name, count, cache_count, private_bytes, data_bytes, socket);
}

int pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
	NEXT(pthread_create);
	return FAILS(FAIL_CALL_THREAD) ? errors[FAIL_CALL_THREAD]
				       : next(thread, attributes, run, argument);
}
