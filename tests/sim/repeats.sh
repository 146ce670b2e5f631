#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The same seeds are the same runs, however they are dealt to processes: else no failure could be
# had again.
set -euo pipefail

digest() { # JOBS
	"$program" --seed 1000 --seeds 24 --jobs "$1" | grep -o 'digest [0-9a-f]*'
}

program=$1
one=$(digest 1)
three=$(digest 3)
if [ "$one" = "$three" ]; then
	echo 'ok   sim/the same seeds are the same runs'
else
	echo 'FAIL sim/the same seeds are the same runs'
	echo "     one process: $one; three: $three"
	exit 1
fi
