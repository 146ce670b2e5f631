#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# scripts add the hugepages that are missing, take back exactly those, and refuse what would eat the machine.
source "$(dirname "$0")/lib.sh"
# shellcheck source=../../scripts/lib/hugepages.sh
source "$top/scripts/lib/hugepages.sh"

total() {
	cat /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
}

before=$(total)
hugepages_reserve "$(hugepages_free)"
assert_eq $hugepages_added 0 'pages added when enough are free'

hugepages_reserve $(($(hugepages_free) + 4))
assert_ge $hugepages_added 1 'pages added when some are missing'
assert_eq "$(total)" $((before + hugepages_added)) 'pages with those added'
hugepages_release
assert_eq "$(total)" "$before" 'pages when they are taken back'
hugepages_release
assert_eq "$(total)" "$before" 'pages when they are taken back a second time'

! hugepages_reserve 100000000 2>"$work/output" || fail 'a machine with 190 TiB was found'
assert_contains "$(cat "$work/output")" 'MiB of memory are available' 'the refusal'
assert_eq "$(total)" "$before" 'pages after a refusal'
