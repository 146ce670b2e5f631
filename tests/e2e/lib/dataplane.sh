# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Part of tests/e2e/lib.sh: a data plane under test and its figures.
# shellcheck source=../../../scripts/lib/cpus.sh
source "$top/scripts/lib/cpus.sh"

dataplane_pid=
dataplane_log=
dataplane_report=
dataplane_starts=0

# write_config [KEY=VALUE]...: prints a configuration. Keys, with their defaults:
#   device=af_xdp:sl0   store=$work/store (or several, with commas)      runtime_dir=/run/sluice
#   stream=plays        port=5000             partitions=16            key=flow (or OFFSET:LENGTH)
#   durability=durable  batch_bytes=524288    linger_us=1000           retention_bytes=0
#   segment_bytes=16777216                    in_flight_max=8          keep_source=false
#   segment_age_s=0     retention_age_s=0     reserve_bytes= (empty: automatic)
#   mbufs=32768         rx_descriptors=4096   queues=0
#   rx_cpus= worker_cpus= main_cpu= ring_entries= (empty: left to the data plane; lists as 0,1)
#   stage_cycles=false  retry_limit=5         backoff_us_max=1000000   ledger_interval_s=60
# A second stream, or whatever else, is for the test to add.
write_config() {
	local device=af_xdp:$appliance_if store=$work/store runtime_dir=/run/sluice stream=plays port=5000 \
		partitions=16 key=flow durability=durable batch_bytes=524288 linger_us=1000 \
		retention_bytes=0 segment_age_s=0 retention_age_s=0 reserve_bytes='' segment_bytes=16777216 in_flight_max=8 keep_source=false mbufs=32768 \
		rx_descriptors=4096 queues=0 rx_cpus='' worker_cpus='' main_cpu='' ring_entries='' \
		stage_cycles=false retry_limit=5 backoff_us_max=1000000 ledger_interval_s=60 setting
	for setting in "$@"; do
		[[ -v ${setting%%=*} ]] || fail "write_config knows no key ${setting%%=*}"
		local "$setting"
	done
	local IFS=,
	# shellcheck disable=SC2086 # the list is split
	mkdir -p $store
	cat <<-YAML
		runtime_dir: $runtime_dir
		ports:
		  - device: "$device"
		    queues: $queues
		    rx_descriptors: $rx_descriptors
		streams:
		  - name: $stream
		    port: $port
		    partitions: $partitions
		    key: "$key"
		    class: default
		    keep_source: $keep_source
		classes:
		  - name: default
		    durability: $durability
		    batch_bytes: $batch_bytes
		    linger_us: $linger_us
		    retention_bytes: $retention_bytes
		    segment_age_s: $segment_age_s
		    retention_age_s: $retention_age_s
		store:
		  paths: ["${store//,/\", \"}"]
		  segment_bytes: $segment_bytes
		  in_flight_max: $in_flight_max
		  retry_limit: $retry_limit
		  backoff_us_max: $backoff_us_max
		  ledger_interval_s: $ledger_interval_s
		  ${reserve_bytes:+reserve_bytes: $reserve_bytes}
		memory:
		  mbufs: $mbufs
	YAML
	[ -z "$ring_entries" ] || echo "  ring_entries: $ring_entries"
	if [ "$rx_cpus$worker_cpus$main_cpu$stage_cycles" != false ]; then
		echo 'lcores:'
		echo "  stage_cycles: $stage_cycles"
		[ -z "$rx_cpus" ] || echo "  rx_cpus: [$rx_cpus]"
		[ -z "$worker_cpus" ] || echo "  worker_cpus: [$worker_cpus]"
		[ -z "$main_cpu" ] || echo "  main_cpu: $main_cpu"
	fi
}

# Each start has its own log and report in $work, so that a failure shows all of them.
start_dataplane() { # CONFIG [ARG]...
	local config=$1
	shift
	dataplane_starts=$((dataplane_starts + 1))
	dataplane_log=$work/dataplane-$dataplane_starts.log
	dataplane_report=$work/report-$dataplane_starts.json
	cpus_all "$dataplane" --config "$config" --report "$dataplane_report" "$@" >"$dataplane_log" 2>&1 &
	dataplane_pid=$!
	wait_until 'the data plane is running' dataplane_is_running
}

# Polling lcores take their CPUs almost whole. A test that gives them every CPU of a small machine calls
# this, so that sender and shell get a share.
keep_up_with_pollers() {
	renice --priority -20 $$ >/dev/null
}

dataplane_state() {
	"$sluicectl" status --json 2>/dev/null | jq -r .state
}

# The process id too: the segment of one that was killed still says that it runs.
dataplane_is_running() {
	[ "$("$sluicectl" status --json 2>/dev/null | jq -r '"\(.state) \(.pid)"')" = "running $dataplane_pid" ]
}

dataplane_is_gone() {
	! kill -0 "$dataplane_pid" 2>/dev/null
}

wait_for_dataplane() { # EXPECTED_STATUS: it ends by itself, or has been told to
	local expected=$1 status=0
	wait_until 'the data plane has ended' dataplane_is_gone
	wait "$dataplane_pid" || status=$?
	dataplane_pid=
	[ $status -eq "$expected" ] ||
		fail "the data plane ended with exit code $status, expected $expected: $(tail -n 3 "$dataplane_log")"
}

stop_dataplane() { # [EXPECTED_STATUS]
	kill -TERM "$dataplane_pid"
	wait_for_dataplane "${1:-0}"
	[ -n "${lost_on_purpose-}" ] || check_report
}

kill_dataplane() {
	kill -KILL "$dataplane_pid"
	wait "$dataplane_pid" 2>/dev/null || true
	dataplane_pid=
}

# After a stop, or a start that failed: no socket, segment or lock's holder, no program, no hugepage file,
# no file of DPDK's, no process.
assert_nothing_left() {
	assert_eq "$(find /run/sluice -mindepth 1 ! -name lock 2>/dev/null || true)" '' 'files left in the runtime directory'
	assert_eq "$(find /run/dpdk -mindepth 1 ! -name testpmd 2>/dev/null || true)" '' "DPDK's files left"
	assert_eq "$(find /dev/hugepages -type f 2>/dev/null || true)" '' 'files left in hugepages'
	if [ -e "/sys/class/net/$appliance_if" ]; then
		assert_eq "$(ip -json link show "$appliance_if" | jq -r '.[0].xdp.prog.name // empty')" '' 'XDP program left'
	fi
	assert_eq "$(pgrep sluice-datapl || true)" '' 'processes left'
}

blast() {
	local target=(--to "$appliance_v4:5000") argument
	for argument in "$@"; do
		[ "$argument" != --to ] || target=()
	done
	in_sender "$sluice_blast" send "${target[@]}" "$@"
}

# In the background; the process itself, so that it can be told to stop.
blast_pid=
start_blast() { # ARG...
	nsenter --net=/run/netns/sender "$sluice_blast" send --to "$appliance_v4:5000" "$@" >"$work/blast.log" 2>&1 &
	blast_pid=$!
}

# Once the data plane is gone the kernel answers "port unreachable", which ends a sender too.
stop_blast() {
	kill -TERM "$blast_pid" 2>/dev/null || true
	wait "$blast_pid" || grep -q 'refused' "$work/blast.log" || fail "sluice-blast: $(cat "$work/blast.log")"
	blast_pid=
}

# Lossless whatever else this machine does: the driver leaves 2048 buffers with the kernel, and no more than
# a thousand datagrams are ever on their way. Each thousand is a run of its own.
blast_windowed() { # COUNT RECORD [ARG]...: COUNT thousands; appends to RECORD, summaries in RECORD.json.N
	local count=$1 record=$2 before number
	shift 2
	before=$(stat_of .totals.stored)
	for ((number = 1; number <= count; number++)); do
		blast --payload play --count 1000 --run-id $((++blast_runs)) --record "$work/part" \
			--json "$record.json.$number" "$@" >"$work/blast.log" 2>&1 || fail "sluice-blast: $(cat "$work/blast.log")"
		cat "$work/part" >>"$record"
		wait_until 'what was sent is stored' stored_is $((before + number * 1000))
	done
}
blast_runs=0

# ---- figures

stat_of() { # JQ_PATH
	"$sluicectl" stats --json | jq "$1"
}

drop_of() { # REASON
	"$sluicectl" drops --json |
		jq --arg reason "$1" '[.reasons[] | select(.reason == $reason) | .count] | add // error("no such reason")'
}

stored_is() {
	[ "$(stat_of .totals.stored)" -eq "$1" ]
}

stored_ge() {
	[ "$(stat_of .totals.stored)" -ge "$1" ]
}

report_of() { # JQ_PATH
	jq -r "$1" "$dataplane_report"
}

reported_drop_of() { # REASON
	jq --arg reason "$1" '[.drops.reasons[] | select(.reason == $reason) | .count] | add // error("no such reason")' \
		"$dataplane_report"
}

# ---- identities

check_identities() {
	local status=0
	"$sluicectl" drops --check >"$work/identities" 2>&1 || status=$?
	if [ $status -ne 0 ]; then
		cat "$work/identities" >&2
		fail "sluicectl drops --check ended with exit code $status"
	fi
}

# The data plane's own ledger, and two of its identities summed up a second time here: every frame and
# every event ended in exactly one counter.
check_report() {
	[ -s "$dataplane_report" ] || fail "the data plane left no report in $dataplane_report"
	if [ "$(report_of .ledger.ok)" != true ]; then
		jq '.ledger.identities[] | select(.ok | not)' "$dataplane_report" >&2
		fail 'an identity of the final report does not hold'
	fi
	assert_eq "$(report_of .stats.totals.frames)" \
		"$(report_of '.stats.totals.datagrams + ([.drops.reasons[] | select(.unit == "frames") | .count] | add)')" \
		'frames received = datagrams + dropped frames'
	assert_eq "$(report_of .stats.totals.events)" \
		"$(report_of '.stats.totals.stored + ([.drops.reasons[] | select(.unit == "events") | .count] | add)')" \
		'events decoded = stored + dropped events'
}

# From the log alone, by both readers, which must say the same of each start. In $work/offline.json.
check_offline() { # [EXPECTED_STATUS]
	local status=0 keys='{boot, start_ns, ledgers, lanes, sequence, ledger_ns, whole, events, stored, frames, waiting_events,
		dropped_events, failed_lanes, clean: (.end == "clean")}'
	"$sluicectl" drops --check --offline "$work/store" --json >"$work/offline.json" || status=$?
	check_store --check --summary "$work/offline-summary.json"
	if [ $status -ne "${1:-0}" ]; then
		jq '.wrong' "$work/offline.json" >&2
		fail "sluicectl drops --check --offline ended with exit code $status, expected ${1:-0}"
	fi
	assert_eq "$(jq -c ".starts | map($keys)" "$work/offline.json")" \
		"$(jq -c ".ledgers.starts | map($keys)" "$work/offline-summary.json")" 'starts, as both readers find them in the log'
	assert_eq "$(jq '.ledgers.wrong == []' "$work/offline-summary.json")" "$(jq .ok "$work/offline.json")" \
		"the verdict of the independent reader on the ledgers, $(jq -c '.ledgers.wrong[:5]' "$work/offline-summary.json")"
}

check_store() { # [ARG]...
	python3 "$reader" "$work/store" "$@" >"$work/store-check" 2>&1 || {
		cat "$work/store-check" >&2
		fail "the independent reader finds fault with $work/store"
	}
}

# ---- a generator for memif ports

testpmd_pid=
testpmd_frames= # sent, after stop_testpmd

# Keeps its command prompt open on a pipe, so that it can be asked to stop and says what it sent.
start_testpmd() { # SOCKET [TESTPMD_ARG]...
	local socket=$1
	shift
	mkfifo "$work/testpmd-commands"
	exec 8<>"$work/testpmd-commands"
	stdbuf -oL dpdk-testpmd --lcores '0@0,1@0' --in-memory --no-pci --file-prefix testpmd --log-level lib.eal:error \
		--vdev "net_memif0,role=client,id=0,socket=$socket,socket-abstract=no" -- \
		--interactive --forward-mode=txonly --total-num-mbufs=4096 --no-lsc-interrupt \
		--tx-ip=198.18.0.1,198.18.0.2 --tx-udp=1024,5000 "$@" \
		<"$work/testpmd-commands" >"$work/testpmd.log" 2>&1 &
	testpmd_pid=$!
	echo start >&8
}

# It sends no more, and all is received. The process stays until end_testpmd, behind stop_dataplane: DPDK's
# memif unmaps the rings of a peer that leaves, also below an lcore that polls them at that moment.
stop_testpmd() {
	echo stop >&8
	wait_until 'dpdk-testpmd has stopped' grep -q 'Accumulated forward statistics' "$work/testpmd.log"
	wait_until 'dpdk-testpmd has counted' testpmd_has_counted
	testpmd_frames=$(testpmd_count)
	wait_until "the data plane has received $testpmd_frames frames" memif_frames_are "$testpmd_frames"
}

end_testpmd() {
	echo quit >&8
	wait $testpmd_pid || fail "dpdk-testpmd ended with exit code $?"
	forget_testpmd
}

# One that still sends, to a data plane that has left: for the same reason it may end by itself.
kill_testpmd() {
	kill -KILL $testpmd_pid 2>/dev/null || true
	wait $testpmd_pid || true
	rm -rf /run/dpdk/testpmd
	forget_testpmd
}

forget_testpmd() {
	testpmd_pid=
	exec 8>&-
	rm "$work/testpmd-commands"
}

testpmd_count() {
	sed -n '/Accumulated forward statistics/,$ s/.*TX-packets: *\([0-9]*\).*/\1/p' "$work/testpmd.log"
}

testpmd_has_counted() {
	[ -n "$(testpmd_count)" ]
}

memif_frames_are() {
	[ "$(stat_of '[.ports[] | select(.device | startswith("memif:")) | .frames] | add')" -eq "$1" ]
}

frames_are() {
	[ "$(stat_of .totals.frames)" -eq "$1" ]
}
