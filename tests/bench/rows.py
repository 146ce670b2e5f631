# SPDX-License-Identifier: BSD-3-Clause
"""What can be measured: a table of names in the order of importance, each with the function that makes
its rows. Names of rows are stable: others compare them."""

import dataclasses
import functools
import typing

import rows_capacity
import rows_kernel
import rows_latency
import rows_layout
import rows_recovery
import rows_store


@dataclasses.dataclass(frozen=True)
class Measure:
    """seconds: about how long, for --budget, which scales it by how the rows before it went."""
    name: str
    seconds: int
    run: typing.Callable


def _measure(name, seconds, function, *arguments, **more):
    def run(bench):
        return function(bench, *arguments, **more)
    return Measure(name, seconds, functools.wraps(function)(run))


def _partitions(count, zipf=0.0):
    name = f"capacity_64_p{count}{'_zipf' if zipf else ''}"
    return _measure(name, 170, rows_capacity.capacity_partitions, count, zipf)


# Neighbours share a store, which takes long to fill.
_ALL = (
    _measure("capacity_64", 120, rows_capacity.capacity_received, "64", 64),
    _measure("capacity_64_copied", 120, rows_capacity.capacity_received, "64_copied", 64, copied=True),
    _measure("stage_cycles_64", 80, rows_layout.stage_cycles),
    _measure("write_512k_us", 30, rows_layout.write_alone),
    _measure("idle_cpu", 10, rows_layout.idle),
    _measure("capacity_imix", 150, rows_capacity.capacity_written, "imix", "imix"),
    _measure("capacity_1400", 120, rows_capacity.capacity_written, "1400", 1400),
    _measure("capacity_512", 120, rows_capacity.capacity_written, "512", 512),
    _measure("store_write_512k", 100, rows_store.write),
    _measure("store_verify", 80, rows_store.verify),
    _measure("store_read", 70, rows_store.read),
    _measure("store_durable_added_us", 100, rows_store.durable_added),
    _measure("recovery_ms_per_gib", 80, rows_recovery.of_a_segment),
    _measure("recovery_ms_p16", 90, rows_recovery.by_store_size, 16),
    _measure("recovery_ms_p1024", 90, rows_recovery.by_store_size, 1024),
    _partitions(1024),
    _partitions(1024, 1.0),
    _partitions(4096),
    _partitions(4096, 1.0),
    _partitions(1),
    _partitions(128),
    _measure("ndr_64", 300, rows_capacity.non_drop_rate, "64", 64),
    _measure("latency_64", 80, rows_latency.receive_to_durable),
    _measure("baseline_recvmmsg_64", 25, rows_kernel.recvmmsg, 64),
    _measure("baseline_recvmmsg_1400", 25, rows_kernel.recvmmsg, 1400),
    _measure("baseline_recvmmsg_512", 25, rows_kernel.recvmmsg, 512),
    _measure("baseline_rsyslog", 25, rows_kernel.rsyslog),
    _measure("baseline_recvmmsg_gro_64", 25, rows_kernel.recvmmsg, 64, gro=True),
    _measure("baseline_recvmmsg_gro_1400", 25, rows_kernel.recvmmsg, 1400, gro=True),
    _measure("two_cores_64", 90, rows_layout.two_cores),
    _partitions(16, 1.0),
    _partitions(128, 1.0),
    _partitions(1, 1.0),
    _measure("ndr_1400", 400, rows_capacity.non_drop_rate, "1400", 1400),
    _measure("ndr_imix", 400, rows_capacity.non_drop_rate, "imix", "imix"),
    _measure("ndr_512", 400, rows_capacity.non_drop_rate, "512", 512),
)
MEASURES = {measure.name: measure for measure in _ALL}


def _called(*prefixes):
    return tuple(name for name in MEASURES if name.startswith(prefixes))


GROUPS = {
    "core": ("capacity_64", "write_512k_us", "idle_cpu", "capacity_1400"),
    "partitions": _called("capacity_64"),
    "ndr": _called("ndr_"),
    "latency": ("write_512k_us", "ndr_64", "latency_64"),
    "store": _called("store_", "recovery_"),
    "baselines": _called("baseline_"),
    "all": tuple(MEASURES),
}
