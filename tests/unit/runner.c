/* SPDX-License-Identifier: BSD-3-Clause */
// Runs the suites of SUITES (a .def file), or those whose "suite/test" contains the first argument.
// Prints one line a failure and a closing line; exits 1 on any failure, and when nothing ran.
#include "suite.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#ifdef SL_RUNNER_SETUP
int sl_runner_setup(void); // EAL for unit-dataplane
#endif

#define SUITE(name) extern const struct sl_suite sl_suite_##name;
#include SUITES
#undef SUITE

static const struct sl_suite *const suites[] = {
#define SUITE(name) &sl_suite_##name,
#include SUITES
#undef SUITE
};

static unsigned add_suite(const struct sl_suite *suite, const char *filter)
{
	CU_pSuite cu_suite = NULL;
	unsigned added_count = 0;
	char full_name[256];

	for (size_t i = 0; i < suite->test_count; i++) {
		snprintf(full_name, sizeof(full_name), "%s/%s", suite->name, suite->tests[i].name);
		if (filter != NULL && strstr(full_name, filter) == NULL)
			continue;
		if (cu_suite == NULL)
			cu_suite = CU_add_suite(suite->name, NULL, NULL);
		if (cu_suite == NULL ||
			CU_add_test(cu_suite, suite->tests[i].name, suite->tests[i].run) == NULL)
			return 0;
		added_count++;
	}
	return added_count;
}

static void on_test_complete(
	const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failure)
{
	printf("%s %s/%s\n", failure == NULL ? "ok  " : "FAIL", suite->pName, test->pName);
	for (const CU_FailureRecord *record = failure; record != NULL; record = record->pNext)
		printf("     %s:%u: %s\n", record->strFileName, record->uiLineNumber,
			record->strCondition);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *filter = argc > 1 ? argv[1] : NULL;
	unsigned test_count = 0;

#ifdef SL_RUNNER_SETUP
	if (sl_runner_setup() != 0)
		return 1;
#endif
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	for (size_t i = 0; i < SL_ARRAY_COUNT(suites); i++)
		test_count += add_suite(suites[i], filter);
	CU_set_test_complete_handler(on_test_complete);
	CU_run_all_tests();
	unsigned failed_count = CU_get_number_of_tests_failed();
	printf("%u passed, %u failed\n", test_count - failed_count, failed_count);
	CU_cleanup_registry();
	return failed_count == 0 && (test_count > 0 || filter != NULL) ? 0 : 1;
}
