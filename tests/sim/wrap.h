/* SPDX-License-Identifier: BSD-3-Clause */
// The simulation's only way into the product: the linker sends the archives' calls of these names
// here (--wrap, meson.build lists them). The product's code is the shipped one, byte for byte.
#pragma once

#include "base.h"

// Defines what the linker calls instead of name; __real_NAME is the one that was meant.
#define SIM_WRAP(type, name, ...) \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)
