/* SPDX-License-Identifier: BSD-3-Clause */
// What of the loader needs no interface; the rest is in tests/e2e/port_*.sh.
#include "loader.h"

#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void object_path_is_that_of_the_build_tree(void)
{
	struct sl_err err = {0};
	char path[4096];

	unsetenv("SLUICE_XDP_OBJECT");
	CU_ASSERT_EQUAL_FATAL(sl_xdp_object_path(path, sizeof(path), &err), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(path, "/ebpf/prefilter.bpf.o"));
}

static void object_path_can_be_overridden(void)
{
	struct sl_err err = {0};
	char path[4096];

	setenv("SLUICE_XDP_OBJECT", "/proc/self/exe", 1);
	CU_ASSERT_EQUAL(sl_xdp_object_path(path, sizeof(path), &err), 0);
	CU_ASSERT_STRING_EQUAL(path, "/proc/self/exe");
	CU_ASSERT_EQUAL(sl_xdp_object_path(path, 4, &err), -ENAMETOOLONG);
	setenv("SLUICE_XDP_OBJECT", "/nonesuch.o", 1);
	CU_ASSERT_EQUAL(sl_xdp_object_path(path, sizeof(path), &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "SLUICE_XDP_OBJECT names /nonesuch.o"));
	unsetenv("SLUICE_XDP_OBJECT");
}

static void an_interface_that_is_absent_is_named(void)
{
	struct sl_err err = {0};

	CU_ASSERT_EQUAL(sl_xdp_detach_stale("nonesuch0", &err), -ENODEV);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no interface 'nonesuch0'"));
}

static void an_interface_without_our_program_is_not_opened(void)
{
	struct sl_err err = {0};

	CU_ASSERT_EQUAL(sl_xdp_detach_stale("lo", &err), 0);
	CU_ASSERT_PTR_NULL(sl_xdp_open("lo", &err));
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "'sl_prefilter' is not attached to lo"));
	sl_xdp_close(NULL);
}

static const struct sl_test tests[] = {
	SL_TEST(object_path_is_that_of_the_build_tree),
	SL_TEST(object_path_can_be_overridden),
	SL_TEST(an_interface_that_is_absent_is_named),
	SL_TEST(an_interface_without_our_program_is_not_opened),
};
SL_SUITE(ebpf_loader);
