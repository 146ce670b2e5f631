#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Every start that cannot be: one line of error that names the place or the value and the remedy, the exit code
# of the table in --help, and nothing left behind; what runs already is not disturbed.
source "$(dirname "$0")/lib.sh"
make_veth
frames=$E2E_BUILD/tests/fixtures/frames

# refused STATUS PART...: a start with $work/bad.yaml; each PART is in its error
refused() {
	local status=$1 part
	shift
	expect_status "$status" "$dataplane" --config "$work/bad.yaml"
	assert_eq "$(grep -c -v -E '^(notice|info) ' "$work/output")" 1 "lines of error: $(cat "$work/output")"
	for part in "$@"; do
		assert_contains "$(grep -v -E '^(notice|info) ' "$work/output")" "$part" 'the line of error'
	done
	[ -n "$dataplane_pid" ] || assert_nothing_left
}

bad() { # [KEY=VALUE]...
	write_config "$@" >"$work/bad.yaml"
}

# ---- 2: options
expect_status 2 "$dataplane"
expect_status 2 "$dataplane" --config "$work/bad.yaml" --nonsense

# ---- 4: the configuration; --check finds the same
bad
sed -i 's/^memory:/memroy: 5\n&/' "$work/bad.yaml"
refused 4 "$work/bad.yaml:$(grep -n memroy "$work/bad.yaml" | cut -d : -f 1)" memroy
expect_status 4 "$dataplane" --check --config "$work/bad.yaml"
bad partitions=many
refused 4 "$work/bad.yaml:$(grep -n many "$work/bad.yaml" | cut -d : -f 1)" partitions "'many'"
bad
sed -i 's/^classes:/  - {name: other, port: 5000, partitions: 1, class: default}\n&/' "$work/bad.yaml"
refused 4 "'5000'" "stream 'plays'" 'another port'
bad rx_cpus=900
refused 4 rx_cpus "'900'" 'does not exist' 'this machine has'
expect_status 4 "$dataplane" --config "$work/absent.yaml"
assert_contains "$(cat "$work/output")" "$work/absent.yaml" 'the error of a file that is not there'

# ---- 1: the machine
bad device=af_xdp:nope
refused 1 "no interface 'nope'" "'ip link'"
bad mbufs=8388608 device="pcap:$frames/udp.pcap"
refused 1 'free hugepages of 2 MiB are needed' 'nr_hugepages'
bad store="$work/nowhere"
rmdir "$work/nowhere"
refused 1 "$work/bad.yaml:" "$work/nowhere" mkdir
mkdir "$work/ramfs"
mount -t ramfs ramfs "$work/ramfs" # a tmpfs takes O_DIRECT since Linux 6.6
bad store="$work/ramfs/store"
refused 1 "$work/bad.yaml:" "$work/ramfs/store" O_DIRECT ext4
umount "$work/ramfs"
mkdir "$work/read-only"
mount -t tmpfs tmpfs "$work/read-only"
mkdir "$work/read-only/store"
mount -o remount,ro "$work/read-only"
write_config store="$work/store" | sed "s|$work/store|$work/read-only/store|" >"$work/bad.yaml"
refused 1 "$work/bad.yaml:" "$work/read-only/store" 'not writable'
umount "$work/read-only"
mkdir "$work/taken"
touch "$work/taken/letter"
bad store="$work/taken"
refused 1 "$work/taken" "'letter'" 'empty'
assert_eq "$(ls "$work/taken")" letter 'what is in a directory that was no store'
bad runtime_dir="$work/nowhere/run"
refused 1 runtime_dir "$work/nowhere/run" 'create it'

# ---- 0: --check of a good one starts nothing
rm -rf "$work/store"
write_config >"$work/config.yaml"
expect_status 0 "$dataplane" --check --config "$work/config.yaml"
assert_contains "$(cat "$work/output")" "$work/config.yaml is right" 'what --check says'
assert_eq "$(ls "$work/store")" '' 'files that --check made'
assert_nothing_left

# ---- 1: beside one that runs
start_dataplane "$work/config.yaml"
bad runtime_dir=/run/other device="pcap:$frames/udp.pcap"
refused 1 "$work/store" 'in use by another appliance' 'stop it'
bad store="$work/second" device="pcap:$frames/udp.pcap"
refused 1 /run/sluice "$dataplane_pid" 'stop it'
bad runtime_dir=/run/other store="$work/second"
refused 1 "$appliance_if" "$dataplane_pid"
blast_windowed 1 "$work/sent"
check_identities
stop_dataplane
assert_nothing_left

# ---- 1: the store was made otherwise
bad partitions=17
refused 1 "$work/bad.yaml:$(grep -n 'name: plays' "$work/bad.yaml" | cut -d : -f 1)" "'17'" 'was made with 16' 'partitions: 16'
assert_content "$work/sent"
check_store --check
