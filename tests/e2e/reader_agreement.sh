#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# sluicectl and the independent reader find the same in stores that neither of them wrote, whole and rotten.
E2E_HUGEPAGES=0
source "$(dirname "$0")/lib.sh"

mkdir "$work/stores"
python3 "$top/tests/reader/agreement.py" "$sluicectl" "$work/stores"
