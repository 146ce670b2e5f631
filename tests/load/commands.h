/* SPDX-License-Identifier: BSD-3-Clause */
// The subcommands of sluice-blast. Thread rule: main thread.
#pragma once

#include "load/transport.h"
#include "options.h"

#define SL_BLAST_EXIT_FAILED 1
#define SL_BLAST_EXIT_STORE 3 // verify: the store cannot be read

extern const struct sl_command sl_blast_send_command, sl_blast_verify_command;

// What `send --device` uses: set by the main() of a program that links DPDK; NULL: none.
extern const struct sl_transport_ops *sl_blast_device_transport;

// argv[0] is the subcommand's name. Return the exit code. send takes SIGINT and SIGTERM over.
int sl_blast_send(int argc, char **argv);
int sl_blast_verify(int argc, char **argv);
