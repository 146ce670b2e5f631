# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Part of tests/e2e/lib.sh: how a test says what must hold.

hang_guard_seconds=${E2E_HANG_GUARD_SECONDS:-180} # ends what hangs; no verdict on how fast anything is

# The line of the test that led here, not the one of the harness.
test_line() {
	local depth=1
	while [ -n "${BASH_SOURCE[depth + 1]-}" ] && [[ ${BASH_SOURCE[depth]} == */e2e/lib/* ]]; do
		depth=$((depth + 1))
	done
	echo "$(basename "${BASH_SOURCE[depth]}"):${BASH_LINENO[depth - 1]}"
}

fail() {
	echo "FAILED at $(test_line): $*" >&2
	exit 1
}

on_error() { # COMMAND
	echo "FAILED at $(test_line): $1" >&2
}

skip() {
	echo "$*"
	exit 77
}

assert_eq() {
	[ "$1" = "$2" ] || fail "$3: $1, expected $2"
}

assert_ne() {
	[ "$1" != "$2" ] || fail "$3: $1, expected anything else"
}

assert_ge() {
	[ "$1" -ge "$2" ] || fail "$3: $1, expected at least $2"
}

assert_le() {
	[ "$1" -le "$2" ] || fail "$3: $1, expected at most $2"
}

assert_contains() {
	[[ $1 == *"$2"* ]] || fail "$3: no '$2' in: $1"
}

expect_status() {
	local expected=$1 status=0
	shift
	"$@" >"$work/output" 2>&1 || status=$?
	if [ $status -ne "$expected" ]; then
		cat "$work/output" >&2
		fail "exit code $status, expected $expected: $*"
	fi
}

wait_until() {
	local what=$1 give_up=$((SECONDS + hang_guard_seconds))
	shift
	until "$@"; do
		# a data plane that died will never make it true
		if [ -n "${dataplane_pid-}" ] && ! kill -0 "$dataplane_pid" 2>/dev/null &&
			[ "$1" != dataplane_is_gone ]; then
			"$@" || fail "the data plane ended while waiting until $what"
			return 0
		fi
		[ $SECONDS -lt $give_up ] || fail "hangs: waited $hang_guard_seconds s until $what"
		sleep 0.05
	done
}
