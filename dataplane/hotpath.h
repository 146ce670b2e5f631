/* SPDX-License-Identifier: BSD-3-Clause */
// Included last by every file of the hot path: what may not happen there does not compile.
#pragma once

#pragma GCC poison malloc calloc realloc free strdup printf fprintf snprintf sprintf
#pragma GCC poison usleep nanosleep sleep poll select read write pread pwrite open close
#pragma GCC poison rte_log rte_malloc rte_zmalloc rte_free pthread_mutex_lock pthread_mutex_unlock
// The log's macros: a name that is a macro cannot be poisoned.
#undef sl_log_error
#undef sl_log_warning
#undef sl_log_notice
#undef sl_log_info
#undef sl_log_debug
#pragma GCC poison sl_log sl_log_error sl_log_warning sl_log_notice sl_log_info sl_log_debug
