"""How mcubuild is packed: boards and templates, which lie beside the package in its checkout, are put inside of it.

Setuptools loads this file alone, so it imports nothing else of mcubuild.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from setuptools import Command
from setuptools.command.build import build

FOLDERS = ("boards", "kernels_templates")


class Build(build):  # type: ignore[misc]
    """Builds the packages, then what they bring along."""

    def initialize_options(self) -> None:
        """Work apart from build/, which is for results, and where no earlier files are."""
        super().initialize_options()
        self._place = TemporaryDirectory()
        self.build_base = self._place.name

    sub_commands = [*build.sub_commands, ("build_brought", None)]  # noqa: RUF012 (setuptools declares it)


class BuildBrought(Command):  # type: ignore[misc]
    """Copies the folders beside the package into it; where it is installed as it lies, there is nothing to do."""

    description = "copy boards and templates into the package"
    user_options = [("build-lib=", "d", "folder to build into")]  # noqa: RUF012 (setuptools declares it)
    editable_mode = False

    def initialize_options(self) -> None:
        """See setuptools."""
        self.build_lib: str | None = None

    def finalize_options(self) -> None:
        """See setuptools."""
        self.set_undefined_options("build", ("build_lib", "build_lib"))

    def run(self) -> None:
        """Copy."""
        if not self.editable_mode:
            for target, source in self.get_output_mapping().items():
                self.mkpath(str(Path(target).parent))
                self.copy_file(source, target)

    def get_source_files(self) -> list[str]:
        """What a source distribution needs."""
        return sorted(str(path) for folder in FOLDERS for path in Path(folder).rglob("*") if path.is_file())

    def get_outputs(self) -> list[str]:
        """What is built."""
        return list(self.get_output_mapping())

    def get_output_mapping(self) -> dict[str, str]:
        """What is built, and from what."""
        return {str(Path(str(self.build_lib), "mcubuild", path)): path for path in self.get_source_files()}
