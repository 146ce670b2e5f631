#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What sluicectl says about itself: each command's man page has been built, is what the program prints,
# passes groff without a warning, and names every option and every exit code that the help names.
E2E_HUGEPAGES=0
source "$(dirname "$0")/lib.sh"

man_dir=$(dirname "$sluicectl")/../../man

# check_page WORD...: the command `sluicectl WORD...`
check_page() {
	local name help option options=0
	name=$(IFS=- && echo "sluicectl${*:+-$*}")
	help=$("$sluicectl" "$@" --help)
	"$sluicectl" "$@" --man >"$work/page"
	cmp "$work/page" "$man_dir/$name.1" || fail "man/$name.1 is not what $name --man prints"
	groff -man -Tutf8 -ww "$work/page" >"$work/formatted" 2>"$work/warnings"
	assert_eq "$(cat "$work/warnings")" '' "warnings of groff for $name"
	sed 's/\x1b\[[0-9;]*m//g; s/.\x08//g; s/‐/-/g; s/−/-/g' "$work/formatted" >"$work/plain"
	while read -r option; do
		grep -q -- "$option" "$work/plain" || fail "man page of $name does not name $option"
		options=$((options + 1))
	done < <(grep -o -- '--[a-z-]*' <<<"$help" | sort -u)
	assert_ge $options 3 "options in the help of $name"
	for code in 0 1 2 3 4 5 6; do
		grep -q -E "^ +$code( |\$)" "$work/plain" || fail "man page of $name does not name exit code $code"
		grep -q -E "^ +$code( |\$)" <<<"$help" || fail "help of $name does not name exit code $code"
	done
}

check_page
commands=$("$sluicectl" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
assert_ge "$(wc -w <<<"$commands")" 5 'commands in the help'
for command in $commands; do
	check_page "$command"
done
check_page config check
store_commands=$("$sluicectl" store --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
assert_ge "$(wc -w <<<"$store_commands")" 1 'commands in the help of store'
for command in $store_commands; do
	check_page store "$command"
done
assert_eq "$(find "$man_dir" -name 'sluicectl*.1' | wc -l)" $(($(wc -w <<<"$commands $store_commands") + 2)) 'man pages built'
