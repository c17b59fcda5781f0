"""What setup.cfg cannot say: the one module in C."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        # Optional: where nothing compiles it, all works, and parsing takes several times as long.
        Extension(
            "eventscache.ingest.json._scan",
            ["eventscache/ingest/json/_scan.c"],
            extra_compile_args=["-O3"],
            optional=True,
        )
    ]
)
