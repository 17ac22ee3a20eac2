"""How a URL opens a store."""

import pytest

from pipelines.errors import RequestError
from pipelines.store.local import LocalStore
from pipelines.store.memory import MemoryStore
from pipelines.store.opening import STORES, open_store


class TestOpenStore:
    @pytest.mark.parametrize("url", ["{folder}", "file://{folder}", "file://localhost{folder}"])
    def test_a_path_or_a_file_url_opens_the_folder(self, tmp_path, url):
        ref = LocalStore(tmp_path / "a store").put(b"rows")
        folder = str(tmp_path / "a store")
        written = folder.replace(" ", "%20") if url.startswith("file") else folder
        assert open_store(url.format(folder=written)).get(ref) == b"rows"

    def test_a_scheme_that_no_store_has_is_named_with_what_would_do(self):
        with pytest.raises(RequestError, match=r"opens ftp:// URLs.*file://.*s3://") as refused:
            open_store("ftp://me:secret@bucket/models")
        assert "secret" not in str(refused.value)

    def test_a_folder_of_another_machine_is_refused(self):
        with pytest.raises(RequestError, match="file:///absolute/path"):
            open_store("file://elsewhere/folder")

    def test_a_line_adds_a_store(self, monkeypatch):
        known = MemoryStore()
        monkeypatch.setitem(STORES, "memory", lambda url, _: {"memory://here": known}[url])
        assert open_store("memory://here") is known
