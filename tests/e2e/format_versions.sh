#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A store of an older or a newer format version is refused with its number and the remedy, and no byte of it is changed;
# a frozen store of version 1 is gone on with.
source "$(dirname "$0")/lib.sh"

logs=$top/tests/fixtures/logs/logs_test.py

unpack() { # IMAGE
	rm -rf "$work/store" "$work/unpacked"
	mkdir "$work/unpacked"
	"$logs" --unpack "$1" "$work/unpacked"
	mv "$work/unpacked/$1" "$work/store"
}

sums() { # [FIND EXPRESSION]...: names, sizes and contents
	(cd "$work/store" && find . "$@" -printf '%p %s %y\n' && find . "$@" -type f -exec sha256sum {} +) | LC_ALL=C sort
}

make_veth
write_config >"$work/config.yaml"
for version in 0 99; do
	unpack version-$version
	sums >"$work/before"
	expect_status 1 "$dataplane" --config "$work/config.yaml"
	for part in "$work/store" "format version $version" 'knows version 1' 'the program that wrote it' 'empty directory'; do
		assert_contains "$(cat "$work/output")" "$part" "the refusal of version $version"
	done
	assert_nothing_left
	sums | diff "$work/before" - || fail "a store of version $version was changed"
done

# Recovery counts the start in lane.meta before it looks at the log; the log it leaves alone.
unpack version-99-batches
sed -e 's/partitions: 16/partitions: 3/' -e 's/^classes:/  - {name: skips, port: 5001, partitions: 1, class: default}\n&/' \
	"$work/config.yaml" >"$work/frozen.yaml"
sums ! -name lane.meta >"$work/before"
expect_status 1 "$dataplane" --config "$work/frozen.yaml"
assert_contains "$(cat "$work/output")" version 'the refusal of batches of version 99'
assert_nothing_left
sums ! -name lane.meta | diff "$work/before" - || fail 'a log of version 99 was changed'

for image in sealed unsealed torn terms; do
	unpack $image
	for stream in plays skips; do
		"$sluicectl" read $stream --store "$work/store" --format json >"$work/$stream.before"
	done
	start_dataplane "$work/frozen.yaml"
	blast --count 40 --flows 4
	wait_until "the new events are stored in $image" stored_is 40
	stop_dataplane 0
	check_store --check
	for stream in plays skips; do
		"$sluicectl" read $stream --store "$work/store" --format json | LC_ALL=C sort >"$work/$stream.after"
		LC_ALL=C sort "$work/$stream.before" | LC_ALL=C comm -23 - "$work/$stream.after" >"$work/gone"
		assert_eq "$(wc -l <"$work/gone")" 0 "$image: events of $stream that are gone: $(head -n 1 "$work/gone")"
	done
	assert_eq "$(cat "$work"/*.after | wc -l)" $(($(cat "$work"/*.before | wc -l) + 40)) "$image: events"
done
