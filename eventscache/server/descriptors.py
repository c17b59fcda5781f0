"""Open files: each connection takes one, and the system allows only so many."""

import resource


def connections_that_fit(wanted: int, others: int) -> int:
    """Return how many of the wanted connections may be open at a time, beside `others` that the process needs.

    The process's own limit of open files is raised as far as needed and allowed.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + others
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - others)
