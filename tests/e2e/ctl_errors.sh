#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Every way in which sluicectl can fail without a data plane: one line on standard error that says what to
# do, nothing on standard output, and the exit code of the table in `sluicectl --help`.
E2E_HUGEPAGES=0
source "$(dirname "$0")/lib.sh"

# fails CODE PART ARG...: sluicectl ARG... ends with CODE and one line that contains PART.
fails() {
	local expected=$1 part=$2 status=0
	shift 2
	"$sluicectl" "$@" >"$work/out" 2>"$work/err" || status=$?
	[ $status -eq "$expected" ] || fail "sluicectl $*: exit code $status, expected $expected: $(cat "$work/err")"
	assert_eq "$(wc -l <"$work/err")" 1 "lines of error of sluicectl $*"
	assert_contains "$(cat "$work/err")" "$part" "error of sluicectl $*"
	assert_eq "$(wc -c <"$work/out")" 0 "bytes of output of sluicectl $*"
}

# ---- 2: wrong options and arguments
fails 2 'a command is missing'
fails 2 "unknown command 'stat'" stat
fails 2 "unknown option '--jsn'" status --jsn
fails 2 "unexpected argument 'now'" status now
fails 2 "--interval: value '0'" stats --watch --interval 0
fails 2 "--interval: value '1s'" stats --watch --interval 1s
fails 2 "--count: value '-1'" stats --watch --count -1
fails 2 'must name a directory' --runtime-dir '' status
fails 2 'STREAM is missing' read
fails 2 "--from: value '12x'" read plays --from 12x
fails 2 "--from: value '99999999999999999999'" read plays --from 99999999999999999999
fails 2 "--partition: value '65536'" read plays --partition 65536
fails 2 "--count: value '0'" read plays --count 0
fails 2 "must be raw, lines, text or json" read plays --format xml
fails 2 'must name a directory' read plays --store ''
fails 2 'a command is missing' config
fails 2 "unknown command 'chekc'" config chekc "$work/config.yaml"
fails 2 'FILE is missing' config check

# ---- 3: no data plane
for command in status stats 'stats --watch' drops 'drops --check' 'read plays'; do
	# shellcheck disable=SC2086
	fails 3 "no data plane is running in '/run/sluice'" $command
	# shellcheck disable=SC2086
	fails 3 "no data plane is running in '$work/nowhere'" $command --runtime-dir "$work/nowhere"
done
fails 3 'or name a store with --store' read plays

# ---- 4: configurations that are none
fails 4 "$work/absent.yaml" config check "$work/absent.yaml"
mkdir -p "$work/store"
write_config >"$work/config.yaml"
"$sluicectl" config check "$work/config.yaml" >"$work/output"
assert_contains "$(cat "$work/output")" 'partitions  16' 'summary of a good configuration'
assert_eq "$("$sluicectl" config check --json "$work/config.yaml" | jq -c '[.ok, .ports, .streams, .partitions]')" \
	'[true,1,1,16]' 'the same as JSON'
write_config port=70000 >"$work/bad.yaml"
fails 4 "$work/bad.yaml:" config check "$work/bad.yaml"
assert_contains "$(cat "$work/err")" 70000 'the value in the error'

# ---- 5 and 1: stores that are none, or damaged
fails 5 "$work/nowhere" read plays --store "$work/nowhere"
fails 5 "$work/store" read plays --store "$work/store"
head -c 8388608 /dev/urandom >"$work/store/store.meta"
fails 1 "$work/store" read plays --store "$work/store"

# ---- 6: segments and outputs that the system refuses
mkdir "$work/foreign"
head -c 65536 /dev/urandom >"$work/foreign/shm"
fails 6 "$work/foreign/shm" status --runtime-dir "$work/foreign"
status=0
"$sluicectl" config check "$work/config.yaml" >/dev/full 2>"$work/err" || status=$?
assert_eq $status 6 'exit code when the output is full'
assert_contains "$(cat "$work/err")" 'No space left on device' 'the error of a full output'

# ---- 0: a reader that goes away is no error
exec 8> >(true)
wait $!
"$sluicectl" config check "$work/config.yaml" >&8
exec 8>&-
