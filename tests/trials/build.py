"""A build of two networks that takes seconds, with all that belongs to it in one folder."""

from pathlib import Path

from mcubuild.store import digest_file
from tests.e2e.checkout import IMAGES, Checkout, draw_images
from tests.importers.networks import random_network

BROUGHT = "spec=specs/brought.toml"
"""A network that exists already: seconds."""
BOTH = "spec=specs/*.toml"
"""That one and one that is searched for."""


class Small(Checkout):
    """A checkout with both specs; store and temporary files are beside it."""

    def __init__(self, folder: Path, **variables: str) -> None:
        """Write it to ``folder``; its builds have the environment's ``variables``."""
        folder.mkdir(exist_ok=True)
        self._variables = variables
        super().__init__(folder / "checkout", folder / "store")
        self._temporary = folder / "tmp"
        self._temporary.mkdir()
        draw_images(self.path / "photos")
        self.write_spec(IMAGES, "net")
        (self.path / "specs" / "net.tflite").write_bytes(random_network(3, 6).finish())
        self.write_spec('board = "stm32f746"\n[model]\nfile = "net.tflite"\n', "brought")

    def environment(self, **changes: str) -> dict[str, str]:
        """See Checkout."""
        return super().environment(TMPDIR=str(self._temporary), **self._variables, **changes)


def digests(small: Checkout) -> dict[str, str]:
    """SHA-256 of all artifacts, by path below build/."""
    build = small.path / "build"
    files = (path for path in build.glob("*/**/*") if path.is_file() and ".specs" not in path.parts)
    return {path.relative_to(build).as_posix(): digest_file(path) for path in files}
