# SPDX-License-Identifier: BSD-3-Clause
"""Binary search for the highest rate at which something still holds."""


def highest_passing(low, high, passes, steps):
    """The highest rate tried that passes, `high` being tried first; `low` when none does. After `steps`
    halvings the answer is known within (high - low) / 2 ** steps."""
    if high <= low or passes(high):
        return max(low, high)
    for _ in range(steps):
        middle = (low + high) / 2
        if passes(middle):
            low = middle
        else:
            high = middle
    return low
