from mcubuild.bench.paper import (
    ENGINES,
    PRINTED,
    SRAMS,
    figure_3,
    figure_12,
    lines_3,
    lines_12,
    paper_spaces,
    plots_3,
    plots_12,
)
from mcubuild.nas.space.arch import Space
from mcubuild.resolution import square

TEN = [space for space in paper_spaces() if (space.width, space.resolution.height) in PRINTED]
TINY, OURS = ENGINES


def test_with_tiny_engines_memory_the_papers_space_is_best() -> None:
    figure = figure_3(TEN, 60, seed=0)
    assert figure.best(TINY) == Space(0.5, square(144), 3, 100)
    assert figure.correlation(TINY) >= 0.7
    shares = {name: sum(row.share for row in rows) for name, rows in figure.rows.items()}
    assert shares[OURS] > shares[TINY], "less memory a network: more of them fit"
    lines = list(lines_3(figure))
    assert any(line.startswith("w0.5-r144") and " 52.0 " in line for line in lines)
    tiny, ours = plots_3(figure)
    assert TINY in tiny.name and OURS in ours.name and tiny.legend[0] == ("winner", "w0.5-r144")
    assert 1 < len(tiny.curves) <= len(ours.curves) <= len(PRINTED)
    assert any(line.startswith(f"{TINY}: of the ten w0.5-r144 is best") for line in lines)


def test_more_sram_buys_resolution_and_more_flash_width() -> None:
    spaces = [Space(width, square(side), 3, 100) for width in (0.3, 0.5, 0.7) for side in (96, 160)]
    found = figure_12(spaces, 10, seed=0)
    won = {limits: row.space for limits, row in found[TINY].items() if row}
    assert won[192 << 10, 512 << 10].resolution < won[512 << 10, 512 << 10].resolution
    assert won[512 << 10, 512 << 10].width < won[512 << 10, 2048 << 10].width
    assert [len(curve.points) for curve in plots_12(found)[0].curves] == [len(SRAMS)] * 3
    assert sum("512 kB" in line for line in lines_12(found)) >= 2
