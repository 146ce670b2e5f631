/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/uring.h"

#include "lane_fixture.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void a_worker_without_lanes_has_a_ring_without_buffers(void)
{
	struct sl_err err = {0};
	struct sl_io *io = sl_uring_create(1, NULL, 0, &err);
	struct sl_io_request *done;

	CU_ASSERT_PTR_NOT_NULL_FATAL(io);
	CU_ASSERT_EQUAL(io->ops->submit(io), 0);
	CU_ASSERT_EQUAL(io->ops->reap(io, &done, 1), 0);
	io->ops->destroy(io);
}

static void memory_that_cannot_be_pinned_is_an_error_with_its_remedy(void)
{
	struct iovec region = {.iov_base = (void *)(uintptr_t)SL_BLOCK_BYTES, .iov_len = SL_MIB};
	struct sl_err err = {0};

	CU_ASSERT_PTR_NULL(sl_uring_create(1, &region, 1, &err));
	CU_ASSERT_EQUAL(err.code, -EFAULT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "LimitMEMLOCK=infinity"));
	CU_ASSERT_PTR_NULL(sl_uring_create(1u << 30, &region, 1, &err));
	CU_ASSERT_EQUAL(err.code, -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "kernel.io_uring_disabled"));
}

static void writes_go_to_their_place_from_their_region(void)
{
	struct iovec regions[2];
	struct sl_io_request requests[4] = {{0}}, *done[4];
	struct sl_err err = {0};
	char path[64], file[128], block[SL_BLOCK_BYTES];
	struct sl_io *io;
	uint32_t count = 0;
	int fd;

	CU_ASSERT_FATAL(sl_fixture_make_directory(path));
	snprintf(file, sizeof(file), "%s/file", path);
	fd = open(file, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
	CU_ASSERT_FATAL(fd >= 0);
	for (uint32_t i = 0; i < 2; i++)
		regions[i] = (struct iovec){
			.iov_base = aligned_alloc(SL_BLOCK_BYTES, 2 * SL_BLOCK_BYTES),
			.iov_len = 2 * SL_BLOCK_BYTES};
	io = sl_uring_create(2, regions, 2, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(io);
	for (uint32_t i = 0; i < 4; i++) {
		requests[i] = (struct sl_io_request){.fd = fd,
			.buffer_index = (uint16_t)(i / 2),
			.sync = i % 2 == 0,
			.bytes = SL_BLOCK_BYTES,
			.position = (3 - i) * SL_BLOCK_BYTES,
			.data = (char *)regions[i / 2].iov_base + (i % 2) * SL_BLOCK_BYTES};
		memset((void *)(uintptr_t)requests[i].data, (int)('0' + i), SL_BLOCK_BYTES);
		if (io->ops->queue(io, &requests[i]) != 0) {
			// The queue of two is full; what is in it goes first.
			CU_ASSERT_EQUAL(i, 2);
			CU_ASSERT_EQUAL(io->ops->submit(io), 2);
			CU_ASSERT_EQUAL(io->ops->queue(io, &requests[i]), 0);
		}
	}
	CU_ASSERT_EQUAL(io->ops->submit(io), 2);
	CU_ASSERT_EQUAL(io->ops->submit(io), 0);
	while (count < 4) {
		uint32_t now_count = io->ops->reap(io, done + count, 4 - count);

		count += now_count;
		if (now_count == 0)
			sched_yield();
	}
	for (uint32_t i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(requests[i].result, (int32_t)SL_BLOCK_BYTES);
		CU_ASSERT_EQUAL(pread(fd, regions[0].iov_base, SL_BLOCK_BYTES,
					(off_t)(3 - i) * SL_BLOCK_BYTES),
			SL_BLOCK_BYTES);
		memset(block, (int)('0' + i), sizeof(block));
		CU_ASSERT_EQUAL(memcmp(regions[0].iov_base, block, sizeof(block)), 0);
	}
	io->ops->destroy(io);
	close(fd);
	free(regions[0].iov_base);
	free(regions[1].iov_base);
	sl_fixture_remove_directory(path);
}

static const struct sl_test tests[] = {
	SL_TEST(a_worker_without_lanes_has_a_ring_without_buffers),
	SL_TEST(memory_that_cannot_be_pinned_is_an_error_with_its_remedy),
	SL_TEST(writes_go_to_their_place_from_their_region),
};
SL_SUITE(dataplane_store_uring);
