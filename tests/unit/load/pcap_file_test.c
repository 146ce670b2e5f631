/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/pcap_file.h"

#include "suite.h"

#include <byteswap.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC_US 0xa1b2c3d4u
#define MAGIC_NS 0xa1b23c4du

static char path[64];
static FILE *file;
static bool swapped;

static void put32(uint32_t value)
{
	value = swapped ? bswap_32(value) : value;
	fwrite(&value, sizeof(value), 1, file);
}

static void start(uint32_t magic, uint32_t link_type)
{
	strcpy(path, "/tmp/sluice-pcap-XXXXXX");
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0);
	file = fdopen(fd, "w");
	put32(magic);
	put32(swapped ? 0x00020004 : 0x00040002); // version 2.4
	put32(0);
	put32(0);
	put32(65535);
	put32(link_type);
}

static void put_frame(uint32_t captured, uint32_t original, char fill)
{
	char bytes[10000];

	put32(1);
	put32(2);
	put32(captured);
	put32(original);
	memset(bytes, fill, sizeof(bytes));
	fwrite(bytes, SL_MIN(captured, sizeof(bytes)), 1, file);
}

static void finish(void)
{
	CU_ASSERT_EQUAL_FATAL(fclose(file), 0);
}

static void frames_come_as_they_are_in_either_byte_order_and_resolution(void)
{
	for (int i = 0; i < 4; i++) {
		struct sl_pcap_file pcap;
		struct sl_err err = {0};

		swapped = (i & 1) != 0;
		start((i & 2) != 0 ? MAGIC_NS : MAGIC_US, 1);
		put_frame(60, 60, 'a');
		put_frame(1514, 1514, 'b');
		put_frame(14, 14, 'c');
		finish();
		CU_ASSERT_EQUAL_FATAL(sl_pcap_open(&pcap, path, &err), 0);
		CU_ASSERT_EQUAL_FATAL(pcap.frame_count, 3);
		CU_ASSERT_EQUAL(pcap.frame_bytes_max, 1514);
		CU_ASSERT_EQUAL(pcap.frames[0].bytes, 60);
		CU_ASSERT_EQUAL(pcap.frames[1].bytes, 1514);
		CU_ASSERT_EQUAL(pcap.frames[2].bytes, 14);
		CU_ASSERT_EQUAL(pcap.frames[0].data[59], 'a');
		CU_ASSERT_EQUAL(pcap.frames[1].data[0], 'b');
		CU_ASSERT_EQUAL(pcap.frames[2].data[13], 'c');
		sl_pcap_close(&pcap);
		unlink(path);
	}
	swapped = false;
}

static void refused(const char *text)
{
	struct sl_pcap_file pcap;
	struct sl_err err = {0};

	finish();
	CU_ASSERT(sl_pcap_open(&pcap, path, &err) < 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, text));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path));
	CU_ASSERT_PTR_NULL(pcap.frames);
	unlink(path);
}

// With one frame.
static void file_refused(uint32_t magic, uint32_t link_type, uint32_t frame_bytes, const char *text)
{
	start(magic, link_type);
	put_frame(frame_bytes, frame_bytes, 'a');
	refused(text);
}

static void what_cannot_be_sent_is_refused_with_the_frame_and_the_remedy(void)
{
	start(MAGIC_US, 1);
	refused("holds no frame");
	file_refused(0x12345678, 1, 60, "no pcap file");
	file_refused(0x0a0d0d0a, 1, 60, "editcap -F pcap");
	file_refused(MAGIC_US, 113, 60, "link type 113");
	start(MAGIC_US, 1);
	put_frame(60, 60, 'a');
	put_frame(60, 100, 'a');
	refused("frame 2 was captured in part (60 of 100 bytes)");
	file_refused(MAGIC_US, 1, 13, "frame 1 has 13 bytes");
	file_refused(MAGIC_US, 1, 9019, "frame 1 has 9019 bytes");
	start(MAGIC_US, 1);
	put_frame(60, 60, 'a');
	put32(1);
	refused("cut off in frame 2");
	file_refused(MAGIC_US, 1, 20000, "cut off in frame 1");
}

static void a_file_that_cannot_be_read_is_named(void)
{
	struct sl_pcap_file pcap;
	struct sl_err err = {0};

	CU_ASSERT(sl_pcap_open(&pcap, "/nonexistent/x.pcap", &err) < 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "--replay /nonexistent/x.pcap: No such file"));
	CU_ASSERT(sl_pcap_open(&pcap, "/dev/null", &err) < 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "--replay /dev/null"));
	CU_ASSERT(sl_pcap_open(&pcap, "/tmp", &err) < 0);
	strcpy(path, "/tmp/sluice-pcap-XXXXXX");
	close(mkstemp(path));
	CU_ASSERT(sl_pcap_open(&pcap, path, &err) < 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "too short"));
	unlink(path);
}

static const struct sl_test tests[] = {
	SL_TEST(frames_come_as_they_are_in_either_byte_order_and_resolution),
	SL_TEST(what_cannot_be_sent_is_refused_with_the_frame_and_the_remedy),
	SL_TEST(a_file_that_cannot_be_read_is_named),
};
SL_SUITE(load_pcap_file);
