# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Sourced by scripts/run: the steps of the demo, in their order.

runtime_dir=/run/sluice-demo # also holds what --stop needs to know
namespace=sluice-demo
appliance_if=sluice0
sender_if=sluice1
# 198.18.0.0/15 is set aside for tests of network devices (RFC 2544): no real network is in the way.
appliance_v4=198.18.99.1
sender_v4=198.18.99.2
appliance_v6=fd5c:7a1e::1
sender_v6=fd5c:7a1e::2
udp_port=9000 # configs/demo.yaml
hugepages_needed=400
flows=8
users=5000

count=1000000
rate=220000
json_file=
keep=
work=
dataplane_pid=
sender_pid=
lock_fd=

usage() {
	sed -n '3,8s/^# //p' scripts/run
}

die() {
	echo "scripts/run: $*" >&2
	exit 1
}

parse_arguments() {
	while [ $# -gt 0 ]; do
		case $1 in
		-h | --help)
			usage
			exit 0
			;;
		--json | --count | --rate)
			if [ $# -lt 2 ]; then
				echo "scripts/run: $1 needs a value" >&2
				exit 2
			fi
			case $1 in
			--json) json_file=$2 ;;
			--count) count=$2 ;;
			--rate) rate=$2 ;;
			esac
			shift
			;;
		--keep) keep=1 ;;
		--stop) stop=1 ;;
		*)
			usage >&2
			exit 2
			;;
		esac
		shift
	done
	if ! [[ $count =~ ^[1-9][0-9]{0,8}$ && $rate =~ ^[1-9][0-9]{0,8}$ ]]; then
		echo "scripts/run: --count and --rate are whole numbers from 1 on, not $count and $rate" >&2
		exit 2
	fi
	if [ -n "$json_file" ]; then
		touch "$json_file" 2>/dev/null || die "cannot write $json_file"
	fi
}

# ---- what outlives a demo: --keep, and one that was killed outright

# Takes down what an earlier demo left. The caller holds the lock, so nobody else is using it.
remove_leftovers() {
	local state=$runtime_dir/demo.state pid sender directory
	if [ -f $state ]; then
		{
			read -r pid kept_hugepages directory
			read -r sender || sender=0
		} <$state
		stop_leftover "$sender" $sluice_blast
		stop_leftover "$pid" $dataplane
		hugepages_added=$((hugepages_added + kept_hugepages))
		[[ $directory != */sluice.* ]] || rm -rf --one-file-system "$directory"
	fi
	remove_network
	rm -rf $runtime_dir
}

stop_leftover() { # PID PROGRAM
	if [ "$(readlink "/proc/$1/exe" 2>/dev/null)" = "$(realpath "$2")" ]; then
		stop_process "$1"
	fi
}

remove_network() {
	ip link delete $appliance_if 2>/dev/null || true
	ip netns delete $namespace 2>/dev/null || true
}

# So that the next run can take down what this one may leave.
write_state() {
	printf '%s\n' "${dataplane_pid:-0} $hugepages_added $work" "${sender_pid:-0}" >$runtime_dir/demo.state
}

# SIGTERM; who does not end within the drain is killed.
stop_process() { # PID
	local give_up=$((SECONDS + 30))
	kill -TERM "$1" 2>/dev/null || return 0
	while kill -0 "$1" 2>/dev/null && [ "$(ps -o stat= -p "$1")" != Z ]; do
		if [ $SECONDS -ge $give_up ]; then
			kill -KILL "$1"
		fi
		sleep 0.05
	done
}

clean_up() {
	local status=$?
	trap '' INT TERM HUP
	if [ -n "$sender_pid" ]; then
		kill -TERM "$sender_pid" 2>/dev/null || true
		wait "$sender_pid" 2>/dev/null || true
	fi
	if [ -n "$dataplane_pid" ]; then
		stop_process "$dataplane_pid"
		wait "$dataplane_pid" 2>/dev/null || true
	fi
	if [ -n "$lock_fd" ]; then
		remove_network
		rm -rf $runtime_dir
		[ -z "$work" ] || rm -rf --one-file-system "$work"
	fi
	hugepages_release
	exit $status
}

# ---- steps

prepare() {
	[ "$(id -u)" -eq 0 ] || die 'needs root: network namespaces, AF_XDP, hugepages'
	scripts/deps
	scripts/build >/dev/null
	dataplane=build/dataplane/sluice-dataplane
	sluicectl=build/control/ctl/sluicectl
	sluice_blast=build/tests/load/sluice-blast
	mkdir -p /run/lock
	exec {lock_fd}>/run/lock/sluice-demo.lock
	if ! flock --nonblock $lock_fd; then
		lock_fd=
		die 'another demo is running: end it first'
	fi
	remove_leftovers
}

set_up() {
	mkdir -p $runtime_dir
	hugepages_reserve $hugepages_needed
	work=$(disk_make_directory "$PWD/build")
	write_state
	mkdir "$work/store"
	veth_create $namespace $appliance_if $sender_if $appliance_v4 $sender_v4 $appliance_v6 $sender_v6
	sed -e "s|af_xdp:[a-z0-9]*|af_xdp:$appliance_if|" -e "s|/var/lib/sluice[a-z/-]*|$work/store|" \
		-e "s|/run/sluice[a-z/-]*|$runtime_dir|" configs/demo.yaml >"$work/demo.yaml"
	add_layout >>"$work/demo.yaml"
}

# The sender, and all else, keeps off CPUs that are polled: there it would be woken too late to keep its
# rate. A third CPU parts receiving from writing: the fill ring of the af_xdp driver bridges 2048 frames,
# 9 ms at this rate, and a write to a busy disk may block for longer.
add_layout() {
	local cpus
	mapfile -t cpus < <(cpus_list)
	if [ ${#cpus[@]} -ge 3 ]; then
		cpus_leave 2
		printf 'lcores:\n  rx_cpus: [%s]\n  worker_cpus: [%s]\n' "${cpus[-1]}" "${cpus[-2]}"
	else
		cpus_leave 1
	fi
}

dataplane_is_running() {
	[ "$(ctl status --json 2>/dev/null | jq -r '"\(.state) \(.pid)"')" = "running $dataplane_pid" ]
}

ctl() {
	"$sluicectl" --runtime-dir $runtime_dir "$@"
}

# The lock must not live on in the data plane, nor in anything else that may outlive this shell.
start_dataplane() {
	cpus_all "$dataplane" --config "$work/demo.yaml" --report "$work/report.json" \
		>"$work/dataplane.log" 2>&1 </dev/null {lock_fd}>&- &
	dataplane_pid=$!
	write_state
	until dataplane_is_running; do
		if ! kill -0 $dataplane_pid 2>/dev/null; then
			dataplane_pid=
			cat "$work/dataplane.log" >&2
			die 'the data plane did not start'
		fi
		sleep 0.05 {lock_fd}>&-
	done
}

# Without a shell between, so that the process itself can be told to stop.
start_sender() {
	nsenter --net=/run/netns/$namespace $sluice_blast send --to $appliance_v4:$udp_port \
		--payload play --count "$count" --rate "$rate" --flows $flows --keys $users --record "$work/sent" --json "$work/sender.json" \
		>"$work/sender.log" 2>&1 </dev/null {lock_fd}>&- &
	sender_pid=$!
	write_state
}

# One line of figures: time_ns, received, stored, dropped, and the reasons with their counts.
sample() {
	{
		ctl stats --json
		ctl drops --json
	} | jq -rs '([.[0].ports[].xdp | {xsk_ring_full, xsk_fill_empty, xsk_rx_dropped}
			| to_entries[] | {reason: .key, count: .value}] + .[1].reasons | map(select(.count > 0))) as $drops
		| [.[0].time_ns, .[0].totals.datagrams, .[0].totals.stored, ($drops | map(.count) | add // 0),
		($drops | map("\(.reason) \(.count)") | join(", "))] | @tsv'
}

grouped() { # NUMBER: 1234567 as 1,234,567
	local number=$1 text=
	while [ ${#number} -gt 3 ]; do
		text=,${number: -3}$text
		number=${number:0:-3}
	done
	echo "$number$text"
}

# Shows progress until all that was sent is stored or dropped; or, when some is missing, until nothing
# moves any more: what is missing then, the comparison tells.
watch_progress() {
	local time_ns received stored dropped reasons last_time=0 last_received=0 last_stored=0 still=0
	while :; do
		IFS=$'\t' read -r time_ns received stored dropped reasons < <(sample {lock_fd}>&-) ||
			die "the data plane is gone: $(tail -n 3 "$work/dataplane.log")"
		if [ "$last_time" -gt 0 ]; then
			show_progress $(((time_ns - last_time) / 1000000))
		fi
		if [ "$last_received" = "$received" ] && [ "$last_stored" = "$stored" ]; then
			still=$((still + 1))
		else
			still=0
		fi
		if ! kill -0 "$sender_pid" 2>/dev/null &&
			{ [ $((stored + dropped)) -ge "$count" ] || [ $still -ge 5 ]; }; then
			break
		fi
		last_time=$time_ns last_received=$received last_stored=$stored
		sleep 0.5 {lock_fd}>&-
	done
	[ ! -t 1 ] || echo
}

# On a terminal the line stays where it is. Variables are those of watch_progress.
show_progress() { # MILLISECONDS
	local interval=$(($1 > 0 ? $1 : 1)) line
	printf -v line '  received %11s (%s/s)   stored %11s (%s/s)   dropped %s%s' \
		"$(grouped "$received")" "$(grouped $(((received - last_received) * 1000 / interval)))" \
		"$(grouped "$stored")" "$(grouped $(((stored - last_stored) * 1000 / interval)))" \
		"$(grouped "$dropped")" "${reasons:+ ($reasons)}"
	if [ -t 1 ]; then
		printf '\r%s\033[K' "$line"
	else
		echo "$line"
	fi
}

finish_sender() {
	local status=0
	wait "$sender_pid" || status=$?
	sender_pid=
	if [ $status -ne 0 ]; then
		cat "$work/sender.log" >&2
		die "the sender ended with exit code $status"
	fi
}

finish_dataplane() {
	local status=0
	kill -TERM "$dataplane_pid"
	wait "$dataplane_pid" || status=$?
	dataplane_pid=
	if [ $status -ne 0 ]; then
		cat "$work/dataplane.log" >&2
		die "the data plane ended with exit code $status"
	fi
}

sorted() { # FILE: one event a line, in the order of bytes
	LC_ALL=C sort --parallel="$(nproc)" --buffer-size=512M --temporary-directory="$work" "$1" >"$1.sorted"
	rm "$1"
}

# What the independent reader finds against what the sender recorded; sluicectl must find the same.
compare() {
	python3 tests/reader/sluice_reader.py "$work/store" --stream plays --format lines \
		--summary "$work/reader.json" >"$work/read" || die 'the independent reader finds damage in the store'
	"$sluicectl" read plays --store "$work/store" --format lines >"$work/ctl" ||
		die 'sluicectl cannot read the store'
	sent=$(wc -l <"$work/sent")
	read_back=$(wc -l <"$work/read")
	sorted "$work/sent"
	sorted "$work/read"
	sorted "$work/ctl"
	lost=$(LC_ALL=C comm -23 "$work/sent.sorted" "$work/read.sorted" | wc -l)
	foreign=$(LC_ALL=C comm -13 "$work/sent.sorted" "$work/read.sorted" | wc -l)
	same=true
	cmp -s "$work/read.sorted" "$work/ctl.sorted" || same=false
	rm "$work"/*.sorted
}

# Sent, but neither stored nor counted anywhere; or the other way round. Then the appliance's own ledger.
account() {
	received=$(jq .stats.totals.datagrams "$work/report.json")
	stored=$(jq .stats.totals.stored "$work/report.json")
	local counted
	counted=$(jq '.stats.totals.stored + .drops.dropped_frames + .drops.dropped_events
		+ ([.stats.ports[].xdp | .xsk_ring_full + .xsk_fill_empty + .xsk_rx_dropped] | add)' \
		"$work/report.json")
	unaccounted=$((sent > counted ? sent - counted : counted - sent))
	ledger_ok=$(jq .ledger.ok "$work/report.json")
}

show_table() {
	local name
	echo
	for name in sent received stored read_back lost unaccounted; do
		printf '  %-12s %12s\n' "${name/_/ }" "$(grouped "${!name}")"
	done
	printf '  %-12s %12s\n' seconds "$seconds"
	echo
}

write_json() {
	[ -n "$json_file" ] || return 0
	jq -n --argjson sent "$sent" --argjson received "$received" --argjson stored "$stored" \
		--argjson read_back "$read_back" --argjson lost "$lost" --argjson unaccounted "$unaccounted" \
		--argjson seconds "$seconds" '$ARGS.named' >"$json_file"
}

# Says what is wrong, if anything; the figures alone decide.
verdict() {
	local problems=()
	[ "$sent" -eq "$count" ] || problems+=("the sender was to send $count")
	[ "$lost" -eq 0 ] || problems+=("$lost events were sent and are not in the store")
	[ "$foreign" -eq 0 ] || problems+=("$foreign events are in the store and were never sent, or are there twice")
	[ "$unaccounted" -eq 0 ] || problems+=("$unaccounted events are in no counter, or in two")
	[ "$ledger_ok" = true ] || problems+=("an identity of the data plane's ledger does not hold")
	[ "$same" = true ] || problems+=('sluicectl read gives other events than the independent reader')
	if [ ${#problems[@]} -gt 0 ]; then
		printf '  FAILED: %s\n' "${problems[@]}"
		jq -r '(.drops.reasons[] | select(.count > 0) | "  dropped: \(.count) \(.unit) \(.reason): \(.help)"),
			(.stats.ports[] | .device as $port | .xdp | {xsk_ring_full, xsk_fill_empty, xsk_rx_dropped}
			| to_entries[] | select(.value > 0) | "  lost at port \($port): \(.value) frames \(.key)"),
			(.stats.rx[] | "  longest turn of RX lcore \(.lcore): \(.turn_ns_max / 1e6) ms"),
			(.stats.workers[] | "  longest write of worker lcore \(.lcore): \(.write_ns_max / 1e6) ms")' \
			"$work/report.json"
		return 1
	fi
	echo "  Every event was read back as it was sent, by the independent reader and by sluicectl."
}

leave_running() {
	start_dataplane
	cat <<-TEXT

		The data plane runs again on the same store. Try:
		  echo hello | ip netns exec $namespace nc -u -q 0 $appliance_v4 $udp_port
		  $sluicectl --runtime-dir $runtime_dir status
		  $sluicectl --runtime-dir $runtime_dir stats --watch
		  $sluicectl --runtime-dir $runtime_dir drops --check
		  $sluicectl --runtime-dir $runtime_dir read plays --count 3
		  scripts/run --stop
	TEXT
	# It stays: clean_up must not find it.
	trap - EXIT INT TERM HUP
	disown "$dataplane_pid"
	exec {lock_fd}>&-
}

main() {
	stop=
	parse_arguments "$@"
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	prepare
	[ -z "$stop" ] || exit 0
	set_up
	echo "$(grouped "$count") play events at $(grouped "$rate")/s from $flows source ports, $(grouped $users) users"
	start_dataplane
	local start
	start=$(date +%s%N)
	start_sender
	watch_progress
	finish_sender
	finish_dataplane
	seconds=$(awk "BEGIN { printf \"%.2f\", ($(date +%s%N) - $start) / 1e9 }")
	compare
	account
	show_table
	write_json
	local status=0
	verdict || status=1
	[ -z "$keep" ] || leave_running
	exit $status
}
