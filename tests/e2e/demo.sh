#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The demo at a smaller scale: every event is read back as it was sent, the figures say so, nothing stays.
source "$(dirname "$0")/lib.sh"

pages=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
before=$(<$pages)
export TMPDIR=$work
# Fewer than the fill ring of the driver has buffers: nothing is lost, however long the machine stands still.
(cpus_all scripts/run --count 2000 --rate 20000 --json "$work/figures.json")

for figure in sent received stored read_back; do
	assert_eq "$(jq .$figure "$work/figures.json")" 2000 "figure $figure"
done
for figure in lost unaccounted; do
	assert_eq "$(jq .$figure "$work/figures.json")" 0 "figure $figure"
done
assert_eq "$(jq '.seconds > 0' "$work/figures.json")" true 'the figure seconds is there'

assert_eq "$(<$pages)" "$before" 'reserved hugepages'
assert_eq "$(ip netns list)" '' 'network namespaces left'
assert_eq "$(find "$work" -mindepth 1 -maxdepth 1 -name 'sluice.*')" '' 'temporary directories left'
[ ! -e /sys/class/net/sluice0 ] || fail 'the veth pair is left'
[ ! -e /run/sluice-demo ] || fail 'the runtime directory is left'
