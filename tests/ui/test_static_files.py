"""The files of the live view, as the server sends them."""

import gzip
import re
from pathlib import Path

import pytest

from eventscache.server.routes.static_files import HEADERS, served
from tests.support.live_view import Server
from tests.support.paths import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOLDER = ROOT / "eventscache" / "ui"
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())
INDEX = (FOLDER / "index.html").read_text(encoding="utf-8")


async def test_every_file_is_served_with_its_type_and_strict_headers(server: Server):
    types = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
    for name in FILES:
        status, headers, body = await server.get(f"/ui/{'' if name == 'index.html' else name}")

        assert (status, body) == (200, served((FOLDER / name).read_bytes(), Path(name).suffix))
        assert headers["Content-Type"] == types.get(name.rpartition(".")[2], "text/javascript; charset=utf-8")
        assert HEADERS.items() <= headers.items()
        assert "Set-Cookie" not in headers


async def test_the_policy_allows_no_code_but_the_files():
    policy = HEADERS["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'; trusted-types 'none'" in policy
    assert "unsafe" not in policy
    assert HEADERS["Referrer-Policy"] == "no-referrer"
    assert HEADERS["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/ui"])
async def test_the_root_redirects_to_the_view(server: Server, path: str):
    status, headers, _ = await server.get(path)

    assert (status, headers["Location"]) == (302, "ui/")
    assert HEADERS.items() <= headers.items()


async def test_nothing_else_is_served(server: Server):
    paths = ("/ui/nothing.html", "/ui/../server/app.py", "/ui/%2e%2e/app.py", "/ui/index.html", "/ui/index.html/")
    for path in (*paths, "/ui/lib", "/ui/lib/", "/ui/dom.js", "/ui/lib%2fdom.js"):
        assert (await server.get(path))[0] == 404


async def test_all_files_together_are_small():
    contents = [served((FOLDER / name).read_bytes(), Path(name).suffix) for name in FILES]
    assert sum(map(len, map(gzip.compress, contents))) < 90_000
    assert sum(map(len, contents)) < 200 * 1024


async def test_comments_are_not_served_and_nothing_else_is_missing():
    script = b'/** What it is.\n * More.\n */\n\n\tconst a = "//x"; // gone\n\t// gone\n\tf("; // kept"); /* kept */\n'
    assert served(script, ".js") == b'const a = "//x";\nf("; // kept"); /* kept */\n'
    assert served(script, ".html") == script


async def test_files_are_compressed_for_clients_that_accept_gzip(server: Server):
    _, compressed, body = await server.get("/ui/app.js", Accept_Encoding="gzip, br")
    _, plain, same = await server.get("/ui/app.js", Accept_Encoding="identity")

    assert compressed["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain
    assert body == same
    assert int(compressed["Content-Length"]) < int(plain["Content-Length"]) / 2
    assert compressed["Vary"] == plain["Vary"] == "Accept-Encoding"


async def test_the_page_has_no_inline_code_or_style():
    assert not re.search(r"<style|style=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", INDEX)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", INDEX)
