"""What other engines take, and the targets: peers.toml."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from mcubuild.settings import Settings, read_toml

_FILE = Path(__file__).with_name("peers.toml")


class Result(Settings):
    """Of one network; None: not known, or not aimed at."""

    m4: float | None = None
    """Cycles a multiply-accumulate on a Cortex-M4, with memory that never waits."""
    m7: float | None = None
    """The same on a Cortex-M7."""
    arena: float | None = None
    """kB."""
    note: str = ""
    """What to know about it."""


class Peer(Settings):
    """Another engine."""

    name: str
    origin: str
    """Version, and how its figures came about."""


class Compared(Settings):
    """A network."""

    name: str
    target: Result = Result()
    peers: Mapping[str, Result] = {}
    """By name of the peer."""


class Peers(Settings):
    """The whole file."""

    peer: tuple[Peer, ...] = Field(min_length=1)
    network: tuple[Compared, ...]

    def of(self, name: str) -> Compared:
        """What is known of a network, which may be nothing."""
        return next((network for network in self.network if network.name == name), Compared(name=name))


def read_peers() -> Peers:
    """The file."""
    return read_toml(_FILE, Peers)
