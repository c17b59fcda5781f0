"""The sidecar, which also writes how many tasks it has into a file whenever it gets SIGUSR1.

TASKS_FILE=tasks python -m benchmarks.faults.watched serve ...
"""

import asyncio
import os
import signal
from pathlib import Path

from eventscache.cli.main import main


def _write(*_: object) -> None:
    path = Path(os.environ["TASKS_FILE"])
    new = path.with_suffix(".new")
    new.write_text(str(len(asyncio.all_tasks())), encoding="ascii")
    new.rename(path)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _write)
    main()
