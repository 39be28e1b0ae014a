"""The figures' definitions, pure: rows in, a report out. docs/figures-explained.md says each in plain words.

A share is {"count", "of", "low", "high"}: so many of so many, and between what it lies with 95 % certainty. It is None
of nobody.
"""

import math

Z = 1.959964  # of the normal distribution: 95 % lie within so many standard deviations
ENOUGH = 10  # people: nothing is claimed on fewer
QUESTION = "Will people come and take part in text discussions?"
GOALS = {"spoke": 50, "returned": 40, "voices": 80}  # percent, until the owner sets others


def share(count, of):
    """`count` of `of`, with its 95 % interval; None of nobody."""
    if not of:
        return None
    low, high = wilson(count, of)
    return {"count": count, "of": of, "low": round(low, 4), "high": round(high, 4)}


def wilson(count, of):
    """The 95 % interval of a share after Wilson (1927), which holds for few and near 0 and 1 as well."""
    middle = count / of + Z**2 / (2 * of)
    reach = Z * math.sqrt(count * (of - count) / of**3 + (Z / (2 * of)) ** 2)
    whole = 1 + Z**2 / of
    return max(0.0, (middle - reach) / whole), min(1.0, (middle + reach) / whole)


def verdict(spoke, returned, goals, came_in_the_last_week):
    """The answer to the owner's question, as far as the figures allow one: "yes", "no", "not_yet" or "too_early"."""
    if not is_enough(spoke):
        return "too_early"
    if not came_in_the_last_week or is_hopeless(spoke, goals["spoke"]) or is_hopeless(returned, goals["returned"]):
        return "no"
    if not is_enough(returned):
        return "too_early"
    is_reached = spoke["low"] * 100 >= goals["spoke"] and returned["low"] * 100 >= goals["returned"]
    return "yes" if is_reached else "not_yet"


def is_enough(share):
    return share is not None and share["of"] >= ENOUGH


def is_hopeless(share, goal):
    """Whether all of its interval is below half the goal."""
    return is_enough(share) and share["high"] * 100 < goal / 2
