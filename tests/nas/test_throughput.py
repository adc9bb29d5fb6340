from mcubuild.nas.space.family import Family
from mcubuild.nas.training.throughput import lines, measure
from mcubuild.spec.supernet import SupernetSettings
from tests.nas.toy import LEARNING, SPACE, split


def test_throughput_of_a_few_steps() -> None:
    settings = SupernetSettings(batch=16, subnets=0)
    found = measure(Family(SPACE), split(40, 1), settings, learning=LEARNING, steps=3)
    assert found.images > 1
    assert found.outside is None or 0.05 < found.outside < 1
    assert set(found.stages) == {"batch", "gradients", "update"}
    assert found.stages["gradients"] > found.stages["batch"] > 0
    assert found.loaded > found.images
    speed, loaded, stages = lines(found)
    assert "images/s" in speed and "batches alone" in loaded and "gradients" in stages
