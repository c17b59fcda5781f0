"""What setup.cfg cannot say: the modules in C."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        # Optional: where nothing compiles them, all works, and taking and reading events costs several times as much.
        Extension(
            f"eventscache.{name}",
            [f"eventscache/{name.replace('.', '/')}.c"],
            extra_compile_args=["-O3"],
            optional=True,
        )
        for name in ("cache._splice", "ingest.json._scan", "server.http._head", "storage.redis._entries")
    ]
)
