# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Part of tests/e2e/lib.sh that runs as process 1 of the test's own namespaces.

work=$E2E_WORK
dataplane=$E2E_BUILD/dataplane/sluice-dataplane
sluicectl=$E2E_BUILD/control/ctl/sluicectl
sluice_blast=$E2E_BUILD/tests/load/sluice-blast
reader=$top/tests/reader/sluice_reader.py

set_up_inside() {
	set -Eeuo pipefail
	trap inside_exit EXIT
	trap 'on_error "$BASH_COMMAND"' ERR
	trap 'exit 130' INT
	trap 'exit 143' TERM
	ulimit -c 0
	cpus_leave 1
	# /sys of this network namespace; a /run in which no other appliance, namespace or DPDK process is
	mount -t sysfs sysfs /sys
	mount -t bpf bpf /sys/fs/bpf
	mount -t tmpfs -o mode=0755 tmpfs /run
	ip link set lo up
	export PYTHONDONTWRITEBYTECODE=1
}

# What a data plane that still runs has counted.
show_live_figures() {
	if [ -n "${dataplane_pid-}" ] && kill -0 "$dataplane_pid" 2>/dev/null; then
		echo '---- figures of the running data plane'
		"$sluicectl" stats --json | jq -c '.totals, .ports[], .lanes[]' || true
		"$sluicectl" drops --json | jq -c '.reasons[] | select(.count > 0) | [.reason, .count]' || true
	fi
}

inside_exit() {
	local status=$? log
	trap - ERR
	if [ $status -ne 0 ] && [ $status -ne 77 ]; then
		for log in "$work"/*.log; do
			[ -f "$log" ] || continue
			echo "---- $(basename "$log")"
			tail -n 40 "$log"
		done >&2
		show_live_figures >&2
	fi
	exit $status
}
