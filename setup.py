"""The one compiled part. It is optional: without a C compiler the installation goes on, and Pillow resizes pictures, to
the same bits. Everything else stands in pyproject.toml.
"""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "contralto.image._resample",
            ["src/contralto/image/_resample.c"],
            extra_compile_args=["-O3"],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
