# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Sourced by scripts/run and tests/e2e/lib.sh: keeps everything but the data plane off the CPU that it polls
# when its configuration says nothing, the last one.

cpus_allowed=$(taskset --cpu-list --pid $$ | sed 's/.*: //')

# One a line, of those this shell was started with.
cpus_list() {
	tr ',' '\n' <<<"$cpus_allowed" | awk -F- '{ for (cpu = $1; cpu <= $NF; cpu++) print cpu }'
}

# cpus_leave COUNT: this shell, and what it starts from now on, keeps off the last COUNT CPUs; at least one stays.
cpus_leave() {
	local cpus keep
	mapfile -t cpus < <(cpus_list)
	keep=$((${#cpus[@]} - $1))
	[ $keep -ge 1 ] || keep=1
	taskset --cpu-list --pid "$(IFS=, && echo "${cpus[*]:0:keep}")" $$ >/dev/null
}

# cpus_all COMMAND...: runs it on all of them. It replaces the shell: to be started in the background.
cpus_all() {
	exec taskset --cpu-list "$cpus_allowed" "$@"
}
