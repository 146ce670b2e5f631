/* SPDX-License-Identifier: BSD-3-Clause */
// Words shared between fail_call.so, in a program that is to be broken, and whoever breaks it: a
// file of FAIL_CALL_BYTES that the environment variable FAIL_CALL names, mapped by both.
#pragma once

#include <stdint.h>

// SL_FAIL_CALL(ID, name, errno): a kind of call, and what its failure says.
#define FAIL_CALL_KINDS(ROW) \
	ROW(ALLOCATE, "allocate", ENOMEM) \
	ROW(OPEN, "open", EMFILE) \
	ROW(FALLOCATE, "fallocate", EIO) \
	ROW(RENAME, "rename", EIO) \
	ROW(FSYNC, "fsync", EIO) \
	ROW(UNLINK, "unlink", EIO) \
	ROW(LINK, "link", EIO) \
	ROW(FTRUNCATE, "ftruncate", EIO) \
	ROW(URING, "uring", ENOMEM) \
	ROW(MMAP, "mmap", ENOMEM) \
	ROW(HUGEPAGE, "hugepage", ENOMEM) \
	ROW(THREAD, "thread", EAGAIN)

enum fail_call_kind {
#define ROW(id, name, error) FAIL_CALL_##id,
	FAIL_CALL_KINDS(ROW)
#undef ROW
		FAIL_CALL_KIND_COUNT
};

struct fail_call {
	uint64_t kind; // written by who breaks it: this kind's
	uint64_t number; // call of that number fails, from 1; 0 none
	uint64_t failed_count; // written by the broken program
	uint64_t caller; // where it was called from, within the program's file; 0: not from there
	uint64_t kills; // written by who breaks it: 1, the program dies there, as by kill -9
	uint64_t count[FAIL_CALL_KIND_COUNT]; // calls so far
};
