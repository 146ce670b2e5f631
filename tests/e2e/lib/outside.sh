# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Part of tests/e2e/lib.sh that runs in the caller's namespaces: prepares, runs the script a second time
# in namespaces of its own, and takes everything back however that ends.
# shellcheck source=../../../scripts/lib/hugepages.sh
source "$top/scripts/lib/hugepages.sh"
# shellcheck source=../../../scripts/lib/disk.sh
source "$top/scripts/lib/disk.sh"

hugepages_needed=${E2E_HUGEPAGES:-640}
outside_work=
outside_child=

outside_exit() {
	local status=$?
	trap '' INT TERM HUP
	if [ -n "$outside_child" ]; then
		# its process namespace dies with it, and with that everything that the test started
		kill -KILL "$outside_child" 2>/dev/null || true
		wait "$outside_child" 2>/dev/null || true
	fi
	hugepages_release
	if [ -n "${E2E_KEEP-}" ]; then
		echo "kept: $outside_work"
	elif [ -n "$outside_work" ]; then
		rm -rf --one-file-system "$outside_work"
	fi
	exit $status
}

run_inside() {
	local build=build status=0
	set -euo pipefail
	cd "$top"
	if [ "$(id -u)" -ne 0 ]; then
		echo "end-to-end tests need root: namespaces, AF_XDP, hugepages"
		exit 77
	fi
	trap outside_exit EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	if [ -n "${E2E_FAULTS-}" ]; then
		build=build-faults
		[ -n "${E2E_BUILT-}" ] || scripts/build $build -Dfaults=true
	else
		[ -n "${E2E_BUILT-}" ] || scripts/build
	fi
	hugepages_reserve "$hugepages_needed"
	outside_work=$(disk_make_directory "$top/build")
	# setpriv: also when this shell is killed outright. Standard input may be a terminal's: not theirs.
	E2E_INSIDE=1 E2E_BUILD=$top/$build E2E_WORK=$outside_work \
		setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc \
		bash "$0" "$@" </dev/null &
	outside_child=$!
	wait $outside_child || status=$?
	outside_child=
	exit $status
}
