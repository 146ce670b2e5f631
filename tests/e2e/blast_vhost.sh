#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# sluice-blast as the guest's side of a vhost-user port, by DPDK's virtio_user: each frame arrives whole, in order
# and once, at a rate and with a mix, as over a memif.
source "$(dirname "$0")/lib.sh"
source "$e2e_dir/lib/sink.sh"
socket=$work/vhost.sock
sink_device=net_vhost0,iface=$socket
blast_device=net_virtio_user0,path=$socket,queue_size=1024
undelivered=null

check_send '64-byte frames flat out' "${to[@]}" -- --rate 0 --count 300000
assert_eq "$(sent frame_bytes)" $(($(sent frames) * 64)) 'bytes of 64-byte frames'
check_send 'IMIX at a rate' "${to[@]}" --imix simple -- --count 12000 --rate 50000
assert_eq "$(sent frame_bytes)" $((1000 * (7 * 64 + 4 * 570 + 1518))) 'bytes of the mix'
