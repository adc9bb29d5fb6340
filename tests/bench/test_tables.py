"""The file of the peers, and the tables."""

from mcubuild.bench.networks import NAMES
from mcubuild.bench.peers import read_peers
from mcubuild.bench.tables import Row, memory, notes, speed
from tests.bench.figures import figures


def row(name: str, cycles: float, arena: int) -> Row:
    fastest = {"m4": figures(2 * cycles), "m7": figures(cycles, arena=2 * arena)}
    aimed = figures(1.125 * cycles, arena=arena) if name == "kws" else None
    return Row(name, fastest, figures(1.25 * cycles, arena=arena), aimed)


def cells(lines: list[str], network: str) -> list[str]:
    (line,) = (line for line in lines if line.startswith(network))
    return line.split()[1:]


def test_every_figure_of_a_peer_has_an_origin() -> None:
    peers = read_peers()
    names = {peer.name for peer in peers.peer}
    assert all(peer.origin for peer in peers.peer)
    assert all(set(network.peers) <= names for network in peers.network)
    assert {network.name for network in peers.network} >= set(NAMES)
    assert peers.of("nobody's").peers == {}


def test_speed_stands_beside_target_and_peers() -> None:
    lines = list(speed([row("kws", 0.9e6, 10240), row("other", 1e6, 1)], read_peers()))
    expected = ["1.00", "M", "1.80", "1.70", "3.53", "-", "0.90", "0.95", "1.99", "-", "missed", "on", "M4"]
    assert cells(lines, "kws") == expected
    assert cells(lines, "other") == ["1.00", "M", "2.00", "-", "-", "-", "1.00", "-", "-", "-"]


def test_arenas_stand_beside_target_and_peers() -> None:
    lines = list(memory([row("kws", 1e6, 10240), row("resnet", 1e6, 30720)], read_peers()))
    assert cells(lines, "kws") == ["20.0", "10.0", "+25.0%", "10.5", "+12.5%", "22.3", "-"]
    assert cells(lines, "resnet") == ["60.0", "30.0", "+25.0%", "24", "-", "53.7", "-", "missed"]


def test_notes_name_what_is_not_alike() -> None:
    lines = "\n".join(notes([row("kws", 1e6, 1)], read_peers()))
    assert "GCC 12.2" in lines and "kws: refuses it" in lines and "resnet" not in lines
