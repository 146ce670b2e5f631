#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# `scripts/run --keep` leaves a data plane that goes on with the same store: a line sent with nc arrives
# behind the demo's events; `scripts/run --stop` ends it.
source "$(dirname "$0")/lib.sh"

export TMPDIR=$work
(cpus_all scripts/run --count 2000 --rate 10000 --keep) >"$work/demo.log" 2>&1 || fail "the demo failed: $(cat "$work/demo.log")"
ctl=("$sluicectl" --runtime-dir /run/sluice-demo)

demo_has() { # EVENTS
	[ "$("${ctl[@]}" read plays --format lines | wc -l)" -eq "$1" ]
}

assert_eq "$("${ctl[@]}" status --json | jq -r .state)" running 'state of the kept data plane'
wait_until 'the events of the demo can be read' demo_has 2000
printf 'hello from nc' | ip netns exec sluice-demo nc -u -q 0 198.18.99.1 9000
wait_until 'the line has arrived' demo_has 2001
"${ctl[@]}" read plays --format lines >"$work/events"
assert_eq "$(grep -c '^hello from nc$' "$work/events")" 1 'lines that nc sent'

scripts/run --stop
assert_eq "$(pgrep sluice || true)" '' 'processes left'
assert_eq "$(ip netns list)" '' 'network namespaces left'
