# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Sourced by scripts/bench: priorities that hold between sessions. With the kernel's autogroups each session is
# scheduled as one, beside kernel threads, so that neither a nice value nor SCHED_IDLE says anything to a kernel
# thread (sched(7)).

autogroup_switch=/proc/sys/kernel/sched_autogroup_enabled
autogroup_was=

# autogroup_off: for what is started from now on.
autogroup_off() {
	[ -f $autogroup_switch ] || return 0
	autogroup_was=$(<$autogroup_switch)
	if ! echo 0 2>/dev/null >$autogroup_switch; then
		autogroup_was=
		echo "$autogroup_switch cannot be written: the generator competes with the kernel's flushes" >&2
	fi
}

autogroup_restore() {
	[ -z "$autogroup_was" ] || echo "$autogroup_was" >$autogroup_switch
	autogroup_was=
}
