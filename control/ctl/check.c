/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/check.h"

#include "ctl/ctl.h"
#include "ctl_client.h"
#include "ledger.h"

#include <errno.h>
#include <string.h>

// A snapshot takes a turn of each lcore and the way through the rings; a worker that waits for a
// slow drive still turns.
#define SNAPSHOT_DEADLINE_MS 10000
// Somebody else may ask for snapshots too, each time between our two.
#define TRY_COUNT_MAX 10
// A driver counts a burst after it has taken it from the kernel's ring, and may be preempted in
// between. What is lost stays lost: a second look tells the two apart.
#define LOOK_COUNT_MAX 5

static int snapshot_take(const char *runtime_dir, uint64_t *snapshot, struct sl_err *err)
{
	int rc = sl_ctl_snapshot(runtime_dir, SNAPSHOT_DEADLINE_MS, snapshot, err);

	if (rc == -EACCES || rc == -EPERM || rc == -ENOMEM)
		return SL_CTL_FAILED;
	return rc == 0 ? SL_CTL_OK : SL_CTL_NO_DATAPLANE;
}

// One look: ports before and after, and all counters of one snapshot in between.
static int look(struct sl_ledger *ledger, const struct sl_shm *shm, const char *runtime_dir,
	struct sl_err *err)
{
	struct sl_shm_port ports_before[SL_PORT_COUNT_MAX];
	uint64_t snapshot;

	int code = snapshot_take(runtime_dir, &snapshot, err);
	if (code != SL_CTL_OK)
		return code;
	for (int i = 0; i < TRY_COUNT_MAX; i++) {
		memcpy(ports_before, shm->ports,
			SL_MIN(shm->header->port_count, SL_PORT_COUNT_MAX) * sizeof(*shm->ports));
		code = snapshot_take(runtime_dir, &snapshot, err);
		if (code != SL_CTL_OK)
			return code;
		int rc = sl_ledger_at_snapshot(ledger, shm, snapshot, ports_before);
		if (rc == 0)
			return SL_CTL_OK;
		if (rc != -EAGAIN) {
			sl_err_set(err, rc, "no memory for the ledger");
			return SL_CTL_FAILED;
		}
	}
	sl_err_set(err, -EAGAIN,
		"other snapshots came between ours, %d times in a row; try again when nobody else "
		"checks",
		TRY_COUNT_MAX);
	return SL_CTL_NO_DATAPLANE;
}

// True when all that does not hold was sampled from drivers and the kernel while they count.
static bool only_samples_differ(const struct sl_ledger *ledger)
{
	for (size_t i = 0; i < ledger->line_count; i++)
		if (!ledger->lines[i].ok && !ledger->lines[i].is_sampled)
			return false;
	return true;
}

int sl_check_run(struct sl_ledger *ledger, const struct sl_shm *shm, const char *runtime_dir,
	struct sl_err *err)
{
	for (int i = 1;; i++) {
		int code = look(ledger, shm, runtime_dir, err);
		if (code != SL_CTL_OK || sl_ledger_holds(ledger) || i == LOOK_COUNT_MAX ||
			!only_samples_differ(ledger))
			return code;
		sl_ledger_free(ledger);
	}
}
