"""Which tests are left out of a fast run, and which run in the same process when several share them."""

import pytest

# Tests whose servers or browser take long to start. All other modules are groups of their own.
GROUPS = {
    "tests/ui/": "browser",
    "tests/faults/test_cluster.py": "servers",
    "tests/faults/test_sentinel.py": "servers",
    "tests/sources/jitsu_redis/test_failover.py": "servers",
    "tests/storage/redis/test_server_watch.py": "servers",
    "tests/storage/redis/test_topologies.py": "servers",
    "tests/storage/test_exactness.py": "servers",
    "tests/storage/test_idempotence.py": "servers",
}
# Marks by folder.
FOLDERS = {
    "tests/clients/": "clients",
    "tests/deployment/": "servers",
    "tests/faults/": "servers",
    "tests/server/test_schema_fuzz.py": "slow",
    "tests/simulation/": "simulation",
    "tests/sources/jitsu_redis/": "servers",
}
# Marks by fixture.
SHARED = {"browser": "browser", "_redis_clusters": "servers", "_sentinel_trio": "servers"}
MARKS = {
    **SHARED,
    "_tls_redis": "servers",
    "certificates": "servers",
    "serve": "slow",  # starts the command, a process
    "built": "slow",  # builds the wheel
}
# Groups that take long begin first, so that no process is alone with one in the end.
ORDER = ("browser", "servers", "clients", "simulation", "slow")


def group_of(nodeid: str) -> str:
    """Return the name of the group that a test belongs to."""
    module = nodeid.partition("::")[0]
    return next((group for start, group in GROUPS.items() if module.startswith(start)), module)


def mark(items: list[pytest.Item]) -> None:
    """Mark tests by their folder and by what they use."""
    for item in items:
        for folder, name in FOLDERS.items():
            if item.nodeid.startswith(folder):
                item.add_marker(name)
        fixtures = {*getattr(item, "fixturenames", ())}
        for fixture in sorted(fixtures & MARKS.keys()):
            item.add_marker(MARKS[fixture])
        for fixture in fixtures & SHARED.keys():
            if group_of(item.nodeid) != SHARED[fixture]:
                raise pytest.UsageError(f"{item.nodeid} uses {fixture}: its module belongs into GROUPS")


def sort(items: list[pytest.Item]) -> None:
    """Bring the groups into the order in which they begin."""
    ranks = {group_of(item.nodeid): len(ORDER) for item in items}
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        rank = next((rank for rank, name in enumerate(ORDER) if name in marks), len(ORDER))
        group = group_of(item.nodeid)
        ranks[group] = min(ranks[group], rank)
    items.sort(key=lambda item: ranks[group_of(item.nodeid)])
