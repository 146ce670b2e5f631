#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# battery.sh [ROW...] [--long] [--seed N] [--json FILE]: the rows of the battery, in namespaces of their
# own, which take mounts, loop devices, FUSE and processes with them however this ends.
# shellcheck source=../e2e/lib.sh
source "$(dirname "$0")/../e2e/lib.sh"
make_veth
keep_up_with_pollers
# shellcheck disable=SC2154 # lib.sh sets them
BATTERY_TOP=$top BATTERY_WORK=$work BATTERY_CPUS=$cpus_allowed exec python3 "$top/tests/battery/battery.py" "$@"
