"""The published suite, over one file that all its storages share."""

from pathlib import Path

import pytest
from eventscache.storage.base import Storage
from eventscache.storage.options import StorageOptions
from eventscache.storage.plugins import storage_from_url
from eventscache.testing import StorageConformance


@pytest.fixture(scope="module")
def shared_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared") / "events.db"


class TestSqlite(StorageConformance):
    @pytest.fixture(autouse=True)
    def _file(self, shared_file: Path) -> None:
        self.path = shared_file

    def storage(self, options: StorageOptions) -> Storage:
        return storage_from_url(f"sqlite:///{self.path}", options)
