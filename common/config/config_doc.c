/* SPDX-License-Identifier: BSD-3-Clause */
// Prints the tables of docs/configuration.md. Built, not installed.
#include "config_internal.h"

int main(void)
{
	sl_config_document(stdout);
	return 0;
}
