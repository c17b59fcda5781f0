"""One of several processes on one file.

Prints that it is ready, waits for a line, inserts its batches, and prints the answer to each.
"""

import asyncio
import json
import random
import sys
from pathlib import Path

from eventscache.errors import StorageUnavailable
from eventscache.storage.messages import Admission, Batch, Quota
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace, Stream
from eventscache.testing import Writer, error, numbered, success

from eventscache_sqlite import SqliteStorage

QUOTA = Quota(50, 200_000)
STREAMS = [Stream(Namespace.TOKEN, name) for name in ("hot", "a", "b", "c", "d", "e")]


async def insert(storage: SqliteStorage, batch: Batch) -> Admission:
    while True:
        try:
            return await storage.insert(batch)
        except StorageUnavailable:
            continue  # the file was busy for long; the same batch again


async def main(path: Path, seed: int, batches: int) -> None:
    choose = random.Random(seed)
    async with SqliteStorage(path, StorageOptions(timeout_seconds=5)) as storage:
        print("ready", flush=True)
        sys.stdin.readline()
        writers = [Writer(storage, stream, QUOTA) for stream in STREAMS]
        for _ in range(batches):
            number = choose.choice([0, 0, 0, 1, 2, 3, 4, 5])
            events = numbered(choose.randint(1, 150))
            offers = (error if choose.random() < 0.3 else success)(*events)
            admission = await insert(storage, writers[number].batch(offers))
            decisions = [
                [count, decision.admitted if decision else 0]
                for decision, count in (
                    (admission.all, len(offers)),
                    (admission.error, sum(offer.to_error for offer in offers)),
                )
            ]
            print(json.dumps([STREAMS[number].id, admission.at_us, *decisions]), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
