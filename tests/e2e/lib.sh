# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# The harness of the end-to-end tests. A test is one executable script for one behaviour:
#
#     #!/usr/bin/env bash
#     # SPDX-License-Identifier: BSD-3-Clause
#     # What must hold, in a sentence.
#     source "$(dirname "$0")/lib.sh"
#     make_veth
#     write_config >"$work/config.yaml"
#     start_dataplane "$work/config.yaml"
#     blast --count 1000 --record "$work/sent"
#     wait_until 'all events are stored' stored_is 1000
#     check_identities
#     stop_dataplane
#
# Sourcing this file runs the script a second time in its own network, mount and process namespaces,
# with a private /run, /sys and temporary directory; when it ends in whatever way, all of it is gone:
# processes, interfaces, XDP programs, mounts, files, and the hugepages that were added.
# `E2E_FAULTS=1` before the `source` line takes the programs that have the fault switches compiled in.
# `E2E_KEEP=1 tests/e2e/NAME.sh` keeps the temporary directory and says where it is.
# Exit codes: 0 passed, 77 skipped (the last line says why), anything else failed.
#
# Variables: work (temporary directory on a disk that takes O_DIRECT), top (source root), dataplane,
# sluicectl, sluice_blast, reader (the programs), appliance_if, sender_if, the addresses appliance_v4,
# sender_v4, appliance_v6, sender_v6; dataplane_pid, dataplane_log, dataplane_report after a start.
#
# Outcome
#   fail TEXT                       ends the test
#   skip REASON                     ends the test with 77
#   assert_eq ACTUAL EXPECTED WHAT  and assert_ge, assert_le, assert_ne for integers
#   assert_contains TEXT PART WHAT
#   expect_status STATUS COMMAND... runs it, fails on another exit code; output in $work/output
#   wait_until WHAT COMMAND...      polls; gives up only when something hangs
# Drives
#   make_drive NAME SIZE, mount_drive NAME, mount_fuse_drive NAME  ext4 in files below $work: lib/drive.sh
# Network
#   make_veth                       appliance end here, sender end in a namespace of its own
#   in_sender COMMAND...            runs it in the sender's namespace
#   send_frames ARG...              frames as no socket sends them (VLAN tags): lib/send_frames.py
#   blast ARG...                    sluice-blast send from there to stream port 5000 (--to overrides it)
#   start_blast ARG..., stop_blast  the same in the background, until told to stop
#   blast_windowed N RECORD [ARG]...  N thousands of play events, never more under way than fit the driver's
#                                   buffers: nothing is lost, however busy the machine is
# Data plane
#   write_config [KEY=VALUE]...     prints a configuration; the keys stand at the function
#   start_dataplane CONFIG [ARG]... returns when it is running
#   keep_up_with_pollers            for tests whose data plane polls every CPU
#   stop_dataplane [STATUS]         SIGTERM, waits; fails unless the exit code is STATUS (0); checks the
#                                   identities of the final report unless `lost_on_purpose=1` is set
#   kill_dataplane                  SIGKILL, waits
#   assert_nothing_left             no file, program, hugepage or process of a data plane
#   start_testpmd SOCKET [ARG]...   dpdk-testpmd as memif client, sending; stop_testpmd: no more, fills $testpmd_frames;
#                                   end_testpmd behind stop_dataplane; kill_testpmd: one that still sends
# Looking
#   stat_of JQ_PATH                 a figure of `sluicectl stats --json`
#   drop_of REASON                  count of a drop reason, live
#   stored_is COUNT, stored_ge COUNT
#   report_of JQ_PATH               a figure of the final report
#   check_identities                `sluicectl drops --check`, live
#   check_offline [STATUS]          the same from the log alone, after a stop: by sluicectl, which must end with
#                                   STATUS (0), and by the independent reader
#   check_store [ARG]...            the independent reader checks the whole store, after a stop
# Content (after a stop; streams of text without newlines)
#   read_store [STREAM]             both readers, must agree: $work/read and $work/ctl, also .sorted
#   assert_content SENT [STREAM]    what was sent is there, once, and nothing else
#   assert_stored_was_sent SENT [STREAM]  what is there was sent, and is there once
#   assert_gaps REASON [STREAM]     the log says of all that the reason dropped that it is missing
#   partition_of N [ARG]...         lines `OFFSET PAYLOAD` of one partition

e2e_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$e2e_dir/../.." && pwd)
if [ -z "${E2E_INSIDE-}" ]; then
	# shellcheck source=lib/outside.sh
	source "$e2e_dir/lib/outside.sh"
	run_inside "$@" # does not return
fi
# shellcheck source=lib/assert.sh
source "$e2e_dir/lib/assert.sh"
# shellcheck source=lib/network.sh
source "$e2e_dir/lib/network.sh"
# shellcheck source=lib/dataplane.sh
source "$e2e_dir/lib/dataplane.sh"
# shellcheck source=lib/content.sh
source "$e2e_dir/lib/content.sh"
# shellcheck source=lib/drive.sh
source "$e2e_dir/lib/drive.sh"
# shellcheck source=lib/inside.sh
source "$e2e_dir/lib/inside.sh"
set_up_inside
