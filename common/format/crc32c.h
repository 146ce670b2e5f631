/* SPDX-License-Identifier: BSD-3-Clause */
// CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected; RFC 3720 appendix B.4), as every structure
// of the log uses it. Thread rule: pure functions.
#pragma once

#include "base.h"

// Continues a CRC over bytes of data. crc is the finished CRC of what came before, 0 at the start:
// sl_crc32c(sl_crc32c(0, a, n), b, m) is the CRC of a followed by b. "123456789" gives 0xe3069283.
uint32_t sl_crc32c(uint32_t crc, const void *data, size_t bytes);
