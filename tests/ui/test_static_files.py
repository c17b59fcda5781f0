"""The files of the live view, as the server sends them."""

import gzip
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser

from eventscache.server.routes.static_files import HEADERS, served
from tests.support.live_view import Server
from tests.support.page_modules import changed, faults_of
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
    assert sum(map(len, contents)) < 200_000


async def test_scripts_and_style_sheets_are_served_without_comments_and_needless_space():
    script = b'/** What it is. */\n\nconst a = "//x"; // gone\n\tf(`/* kept */  ${a}`, /[/*] "/.test(a));\n'
    assert served(script, ".js") == b'const a="//x";f(`/* kept */  ${a}`,/[/*] "/.test(a));'
    assert served(b"/* gone */\na > b {\n\tcolor: red;\n}\n", ".css") == b"a>b{color:red}"
    assert served(script, ".svg") == script


async def test_html_is_served_without_its_indentation():
    assert served(b"<ul>\n\t<li>a\tb\n\t\tc\n", ".html") == b"<ul>\n<li>a\tb\nc\n"
    assert not re.search(r"<(pre|textarea)\b|white-space", INDEX)  # which would show it


async def test_each_module_as_served_is_the_same_program_as_its_file():
    files = {name: (FOLDER / name).read_bytes() for name in FILES if name.endswith(".js")}
    texts = {name: (content.decode(), served(content, ".js").decode()) for name, content in files.items()}

    assert faults_of({name: text for name, (_, text) in texts.items()}) == []
    assert changed(texts) == []


RULES = """
texts => texts.map(text => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  return [...sheet.cssRules].map(rule => rule.cssText.replace(/,\\s+/g, ","));
})
"""


async def test_each_style_sheet_as_served_has_the_same_rules(browser: Browser):
    page = await browser.new_page()
    for name in (name for name in FILES if name.endswith(".css")):
        content = (FOLDER / name).read_bytes()
        whole, small = await page.evaluate(RULES, [content.decode(), served(content, ".css").decode()])
        assert len(whole) > 30
        assert whole == small
    await page.close()


@pytest.mark.parametrize(
    "other",
    ["const a = `x ${b ? `c d` : 1}`", "const a = `x ${b ? ` c d ` : 2}`", "let a = `x ${b ? ` c d ` : 1}`"],
)
async def test_another_program_is_told_from_it(other: str):
    module = "/** What it is. */\nconst a = `x ${b ? ` c d ` : 1}`"

    assert changed({"same": (module, module.partition("\n")[2]), "other": (module, other)}) == ["other"]
    assert [name for name, _ in faults_of({"broken": f"{other};}}", "whole": other})] == ["broken"]


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
