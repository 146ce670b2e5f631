# SPDX-License-Identifier: BSD-3-Clause
"""Rows of what users have today: kernel sockets."""

import kernel_path
from load import FRAME_OVERHEAD
from row import join_notes, make_row

TEXT_FRAME = kernel_path.TEXT_BYTES + FRAME_OVERHEAD


def _rows(bench, name, unlike, runs):
    """unlike: the appliance's row that it stands beside, or ""."""
    lost = sum(found.lost for found in runs)
    sent = sum(found.sent for found in runs)
    limit = f"lost {100 * lost / sent:.1f} %" if lost else "nothing lost: the sender's CPU was the limit"
    other = bench.value_of(unlike)
    return [make_row(name, [found.rate for found in runs], "events/s", unlike if other else "",
                     [other] if other else (), join_notes([limit, *(found.disturbed for found in runs)])),
            make_row(f"cpu_seconds_per_million_{name}",
                     [1e6 * found.cpu_seconds / max(1, found.written) for found in runs], "s")]


def recvmmsg(bench, size, gro=False):
    """sluice-udp-sink; with gro, trains of datagrams of one flow are handed over whole."""
    name = f"baseline_recvmmsg_{'gro_' if gro else ''}{size}"
    runs = [kernel_path.sink(bench, size, gro, name) for _ in range(bench.scale.trials)]
    return _rows(bench, name, f"capacity_{size}", runs)


def rsyslog(bench):
    """Not durable, and of text: it has no other."""
    name = f"baseline_rsyslog_{TEXT_FRAME}"
    return _rows(bench, name, "", [kernel_path.rsyslog(bench, name) for _ in range(bench.scale.trials)])
