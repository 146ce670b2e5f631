#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# 1, 16 and 1024 partitions: each event goes to the partition that the keyed hash of its key names, offsets
# are dense in each of them, nothing is lost.
source "$(dirname "$0")/lib.sh"
make_veth

for partitions in 1 16 1024; do
	rm -rf "$work/store" "$work"/sent*
	write_config partitions=$partitions key=0:8 >"$work/config.yaml"
	start_dataplane "$work/config.yaml"
	blast_windowed 4 "$work/sent" --flows 8 --keys 5000
	check_identities
	stop_dataplane
	assert_eq "$(report_of '.partitions.streams[0].partitions | length')" $partitions 'partitions in the report'
	assert_eq "$(report_of '[.partitions.streams[0].partitions[].watermark] | add')" 4000 'sum of the watermarks'
	assert_content "$work/sent"
	check_store --check --key 0:8
	# More keys than partitions: most partitions have one.
	assert_ge "$(jq '.streams[0].partitions | length' "$work/reader.json")" $(((partitions + 1) / 2)) 'partitions used'
done
