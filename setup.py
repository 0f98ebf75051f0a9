"""What pyproject.toml cannot say.

The one compiled part is optional: without a C compiler the installation goes on, and Pillow resizes pictures, to the
same bits. And a wheel has the recipes in the package, at contralto/recipes, where `contralto train tiny` finds them.
"""

from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

RECIPES = sorted(path for path in Path("recipes").rglob("*") if path.suffix in (".py", ".md"))


class BuildWithRecipes(build_py):
    """Copies the recipes beside the modules; a checkout that is installed as editable has them already."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for path in RECIPES:
                target = Path(self.build_lib, "contralto", path)
                self.mkpath(str(target.parent))
                self.copy_file(str(path), str(target), preserve_mode=False)


setup(
    cmdclass={"build_py": BuildWithRecipes},
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
