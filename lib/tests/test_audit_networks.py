"""Famous networks: published receptive fields, and derivatives of the networks themselves."""

from functools import cache
from unittest import mock

import pytest
import torch
from torch import nn

from lib.audit import audit, models
from lib.tests.audit_oracle import boxes

# Receptive field, effective stride and effective padding at the last map, computed by Araujo,
# Norris and Sim ("Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019;
# table of their library receptive_field) for the TF-Slim models at 224 x 224. "vgg_a" is VGG-11.
PUBLISHED = {
    "alexnet_v2": (lambda: models.alexnet(first_padding=0), "pool5", 195, 32, 64),
    "vgg_a": (lambda: models.vgg(11), "pool5", 150, 32, 59),
    "vgg_16": (lambda: models.vgg(16), "pool5", 212, 32, 90),
    "resnet_v1_50": (lambda: models.resnet(50, "last unit"), None, 483, 32, 239),
    "resnet_v1_101": (lambda: models.resnet(101, "last unit"), None, 1027, 32, 511),
    "resnet_v1_152": (lambda: models.resnet(152, "last unit"), None, 1507, 32, 751),
    "inception_v3": (models.inception_v3, None, 1311, 32, 618),
    "mobilenet_v1": (lambda: models.mobilenet_v1("end"), None, 315, 32, 126),
}
# The same source, inside the networks: field, stride and padding where a stage ends.
INSIDE = {
    "resnet_v1_50": {"features.stage1": (35, 8, 15), "features.stage2": (99, 16, 47),
                     "features.stage3": (291, 32, 143)},
    "resnet_v1_152": {"features.stage1": (35, 8, 15), "features.stage2": (163, 16, 79),
                      "features.stage3": (1315, 32, 655)},
    "inception_v3": {"features.3a": (15, 4, 2), "features.5d": (127, 8, 50),
                     "features.6a": (159, 16, 58), "features.6e": (927, 16, 442),
                     "features.7a": (1055, 32, 490), "features.7b": (1183, 32, 554)},
    "mobilenet_v1": {"features.pointwise3": (19, 4, 6), "features.pointwise11": (219, 16, 94)},
    "vgg_16": {"pool1": (6, 2, 2), "conv4_1": (60, 8, 26), "pool4": (100, 16, 42)},
    "alexnet_v2": {"conv2": (51, 8, 16), "conv5": (163, 16, 64)},
}
# Networks as PyTorch users know them: no published table, checked by derivatives below.
OURS = {"AlexNet": (195, 32, 66), "VGG-11": (150, 32, 59), "VGG-16": (212, 32, 90),
        "ResNet-18": (435, 32, 217), "ResNet-34": (899, 32, 449), "ResNet-50": (427, 32, 213),
        "ResNet-101": (971, 32, 485), "ResNet-152": (1451, 32, 725), "GoogLeNet": (715, 32, 327),
        "Inception-v3": (1311, 32, 618), "MobileNet-v1": (315, 32, 157),
        "dilated stack": (63, 1, 31)}


# more of the same blocks as in ResNet-50
DEEP = pytest.mark.slow


def on_meta(factory):
    with torch.device("meta"):
        return factory()


@cache
def famous(name, size=224):
    return audit(on_meta(models.FAMOUS[name]), size)


def triple(geometry):
    return geometry.size, geometry.stride, geometry.padding


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=DEEP) if name in (     # notebook 14 has two of them as well
        "resnet_v1_50", "resnet_v1_101", "resnet_v1_152", "inception_v3") else name
    for name in PUBLISHED])
def test_published_tables_come_out(name):
    factory, layer, *expected = PUBLISHED[name]
    found = audit(on_meta(factory))
    if layer is None:
        geometries = found.last_map
    else:
        geometries = next(record for record in found.layers if record.name == layer).geometry
    assert [triple(axis) for axis in geometries] == [tuple(expected)] * 2
    ends = {}
    for call in found.trace.calls:
        for prefix in INSIDE.get(name, {}):
            if call.scope == prefix or call.scope.startswith(prefix + "."):
                ends[prefix] = [triple(axis) for axis in found.geometry(call.outputs[0])]
    assert ends == {prefix: [value] * 2 for prefix, value in INSIDE.get(name, {}).items()}


def thin(factory):
    """The same geometry with a sixteenth of the channels, so that derivatives take seconds."""
    def less(channels):
        return max(1, channels // 16) if channels != 3 else 3

    class Conv2d(nn.Conv2d):
        def __init__(self, inputs, outputs, window, stride=1, padding=0, dilation=1, groups=1,
                     bias=True):
            super().__init__(less(inputs), less(outputs), window, stride, padding, dilation,
                             less(groups) if groups > 1 else 1, bias)

    class BatchNorm2d(nn.BatchNorm2d):
        def __init__(self, channels):
            super().__init__(less(channels))

    replaced = {"Conv2d": Conv2d, "BatchNorm2d": BatchNorm2d}
    kept = {name: getattr(nn, name) for name in
            ("Sequential", "Module", "ReLU", "MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d",
             "Flatten", "Linear", "Identity")}
    with mock.patch.object(models, "nn", mock.Mock(**kept, **replaced)):
        model = factory()
    if hasattr(model, "features"):
        return model.features
    return nn.Sequential(*list(model)[:list(dict(model.named_children())).index("average")])


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=DEEP) if name in (
        "ResNet-101", "ResNet-152", "Inception-v3", "GoogLeNet") else name
    for name in OURS])
def test_fields_of_networks_as_pytorch_users_know_them(name):
    found = famous(name)
    assert [triple(axis) for axis in found.last_map][1] == OURS[name]


@pytest.mark.parametrize("name", [
    "AlexNet", "VGG-16", "ResNet-18", "MobileNet-v1", "dilated stack",
    *(pytest.param(name, marks=DEEP) for name in (
        "Inception-v3", "ResNet-50", "ResNet-152", "GoogLeNet", "ResNet-18, last unit",
        "ResNet-50, last unit", "ResNet-50, 1x1", "MobileNet-v1, end"))])
def test_networks_see_what_their_derivatives_say(name):
    """A unit far from the border, in an image tall enough to hold its whole field."""
    variants = {"ResNet-50, last unit": lambda: models.resnet(50, "last unit"),
                "ResNet-18, last unit": lambda: models.resnet(18, "last unit"),
                "ResNet-50, 1x1": lambda: models.resnet(50, at="1x1"),
                "MobileNet-v1, end": lambda: models.mobilenet_v1("end")}
    factory = variants.get(name, models.FAMOUS.get(name))
    model = thin(factory)
    height = audit(model, 96).last_map[0].size + 96
    width = 96 if "Inception" in name or "AlexNet" in name else 40
    found = audit(model, (height, width))
    virtual = found.virtual[found.trace.outputs[0]]
    seen = found.seen[found.trace.outputs[0]]
    middle = virtual.shape[2] // 2
    unit = (0, 0, middle, 0)
    truth = boxes(model, (1, 3, height, width), lambda _: [unit],
                  torch.Generator().manual_seed(0))[unit]
    for axis, field in ((0, virtual), (1, seen)):
        low, minus_high = (int(edge) for edge in field.full(axis)[(slice(None), *unit)])
        assert (low, -minus_high) == truth[axis]


@DEEP
def test_where_the_stride_sits_changes_the_field():
    """PyTorch's ResNet-50 halves in the 3x3, the paper's in the 1x1, TF-Slim's in the last unit."""
    sizes = [audit(on_meta(lambda o=options: models.resnet(50, **o))).last_map[0].size
             for options in ({}, {"at": "1x1"}, {"stride": "last unit"})]
    assert sizes == [427, 483, 483]


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=DEEP) if name in (
        "ResNet-50", "ResNet-101", "ResNet-152", "GoogLeNet", "Inception-v3") else name
    for name in models.FAMOUS])
def test_branches_of_famous_networks_are_aligned(name):
    found = famous(name, 299 if name == "Inception-v3" else 224)
    assert all(join.aligned for join in found.joins)
    assert all(axis.everything for axis in found.output)


def test_a_size_that_windows_do_not_tile_leaves_pixels_unseen():
    """Inception-v3 is made for 299 pixels; of 224 its valid windows never reach the last three."""
    output = audit(on_meta(models.inception_v3), 224).output
    assert [(axis.everything, axis.seen) for axis in output] == [(False, 221)] * 2


def test_padding_at_the_end_misaligns_a_residual_branch():
    """TensorFlow's SAME padding with an even size: the known trap of strided shortcuts."""
    block = models.Residual(
        nn.Sequential(models.EndPadding(3, 2), nn.Conv2d(3, 8, 3, 2)),
        nn.Conv2d(3, 8, 1, 2))
    join, = audit(block, 32).joins
    assert not join.aligned
    assert join.problems == ("height: centers 0.0, 1.0", "width: centers 0.0, 1.0")


def test_an_image_has_224_pixels_and_the_channels_of_the_first_layer_unless_said():
    found = audit(on_meta(lambda: nn.Conv2d(5, 2, 3)))
    assert tuple(found.size) == (224, 224)
    with pytest.raises(ValueError, match="fails on an input of shape"):
        audit(on_meta(lambda: nn.Conv2d(5, 2, 3)), channels=4)


@pytest.mark.parametrize("stride, halving", [
    ("first unit", {2: [0], 3: [0], 4: [0]}), ("last unit", {1: [2], 2: [3], 3: [5]})])
def test_one_unit_of_a_stage_halves(stride, halving):
    net = on_meta(lambda: models.resnet(34, stride))
    found = {stage: [i for i, unit in enumerate(net.get_submodule(f"features.stage{stage}"))
                     if any(getattr(m, "stride", 1) in (2, (2, 2)) for m in unit.modules())]
             for stage in range(1, 5)}
    assert {stage: units for stage, units in found.items() if units} == halving
