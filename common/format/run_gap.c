/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/run_gap.h"

#include <string.h>

bool sl_run_gap_is_reason(const char text[SL_GAP_REASON_BYTES_MAX])
{
	size_t length = strnlen(text, SL_GAP_REASON_BYTES_MAX);

	for (size_t i = 0; i < length; i++) {
		bool is_letter = (text[i] >= 'a' && text[i] <= 'z') || text[i] == '_' ||
			(text[i] >= '0' && text[i] <= '9');
		if (!is_letter)
			return false;
	}
	return length > 0 && length < SL_GAP_REASON_BYTES_MAX;
}

bool sl_run_gap_check(const void *data, uint32_t bytes)
{
	struct sl_run_gap gap;

	if (bytes < sizeof(gap))
		return false;
	memcpy(&gap, data, sizeof(gap));
	return gap.count > 0 && gap.first_ns <= gap.last_ns && gap.unit <= SL_GAP_FRAMES &&
		gap.sources <= SL_GAP_SOURCES_MANY &&
		(gap.sources == SL_GAP_SOURCES_ONE ? gap.family == 4 || gap.family == 6
						   : gap.family == 0) &&
		sl_run_gap_is_reason(gap.reason);
}
