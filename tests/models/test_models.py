"""Networks are those of their papers, by their parameter counts, and run at the sizes that the experiments use."""

import json

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

from adai.experiments import registry
from adai.models import MODELS, memory_format
from adai.records import RecordError


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


# github.com/kuangliu/pytorch-cifar prints 11.17 and 21.28 million for its ResNet-18 and 34, and its GoogLeNet counts
# 6,166,250; labml.ai's page on distillation prints 14,728,266 for VGG-16. Those forms have 10 classes.
@pytest.mark.parametrize(
    ("name", "published"),
    [("resnet18", 11_173_962), ("resnet34", 21_282_122), ("vgg16", 14_728_266), ("googlenet", 6_166_250)],
)
def test_networks_have_their_published_number_of_parameters(name, published):
    assert parameters(MODELS[name]()) == published


def test_resnet50_is_the_published_one():
    # torchvision's documentation prints 25,557,032 for 1,000 classes.
    assert parameters(MODELS["resnet50"]()) == 25_557_032
    # Its stem halves the image twice, and three of its four stages once: 224 pixels become 7.
    model = MODELS["resnet50"](width=4, classes=5).eval()
    assert model.stages(model.stem(torch.zeros(1, 3, 224, 224))).shape == (1, 4 * 4 * 8, 7, 7)


@pytest.mark.parametrize("name", ["resnet50", "resnet14"])
def test_bottleneck_networks_take_images_of_64_pixels(name):
    assert MODELS[name](width=4, classes=7).eval()(torch.zeros(2, 3, 64, 64)).shape == (2, 7)


def test_the_narrow_network_is_of_the_same_family():
    small, large = MODELS["resnet14"](width=16), MODELS["resnet50"]()
    kinds = [{type(module).__name__ for module in model.modules()} for model in (small, large)]
    # Each of its blocks is the first of a stage, so that none has a shortcut without parameters.
    assert kinds[0] == kinds[1] - {"Identity"} and parameters(small) < parameters(large) / 14


def test_densenet_differs_from_torchvisions_by_stem_and_head_alone():
    # torchvision's documentation prints 7,978,856 for ImageNet: a 7 × 7 stem and 1,000 classes of 1,024 features.
    stem, head = 64 * 3 * (7 * 7 - 3 * 3), (1000 - 10) * (1024 + 1)
    assert parameters(MODELS["densenet121"]()) == 7_978_856 - stem - head


@pytest.mark.parametrize(("name", "option_a"), [("resnet20", 269_722)])
def test_cifar_resnets_differ_from_he_et_al_by_their_shortcuts_alone(name, option_a):
    # 0.27 million in Table 6 of He et al. (2016), with shortcuts that have no parameters. Ours have a convolution
    # and a normalisation at the two places where the shape changes.
    shortcuts = sum(inputs * outputs + 2 * outputs for inputs, outputs in ((16, 32), (32, 64)))
    assert parameters(MODELS[name]()) == option_a + shortcuts


@pytest.mark.parametrize("name", ["resnet18", "resnet10", "resnet8", "resnet20", "vgg16", "densenet121", "googlenet"])
@pytest.mark.parametrize("size", [16, 32, 64])
def test_they_take_images_of_every_size_and_give_a_logit_a_class(name, size):
    model = MODELS[name](width=4, classes=7).eval()
    assert model(torch.zeros(2, 3, size, size)).shape == (2, 7)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_residual_block_that_adds_nothing_passes_on_its_input(name):
    model = MODELS[name](width=4, classes=7).eval()
    first, second = model.stages[0], model.stages[1]
    last = "bn3" if name == "resnet50" else "bn2"
    for block in (first, second):
        nn.init.zeros_(getattr(block, last).weight)
    images = model.stem(torch.rand(2, 3, 32, 32))
    assert torch.equal(first(images), F.relu(first.shortcut(images)))
    assert torch.equal(second(first(images)), first(images))


def test_a_dense_layer_passes_on_all_that_it_was_given():
    model = MODELS["densenet121"](width=4).eval()
    layer = next(module for module in model.modules() if type(module).__name__ == "DenseLayer")
    given = torch.rand(2, 8, 5, 5)
    assert layer(given).shape == (2, 12, 5, 5) and torch.equal(layer(given)[:, :8], given)


@pytest.mark.parametrize(("name", "quarter"), [("resnet18", 16), ("vgg16", 16), ("densenet121", 8), ("googlenet", 48)])
def test_width_scales_the_network(name, quarter):
    assert parameters(MODELS[name](width=quarter)) < parameters(MODELS[name]()) / 14


@pytest.mark.parametrize("depth", [7, 9, 0])
def test_a_depth_that_no_cifar_resnet_has_is_refused(depth):
    with pytest.raises(ValueError, match=f"depth is {depth}"):
        MODELS["resnet20"](depth=depth)


# ── how they lie in memory ──

CPU = torch.device("cpu")


@pytest.mark.parametrize(("name", "width"), [("resnet8", 4), ("resnet10", 15), ("resnet34", 8), ("resnet14", 2)])
def test_on_a_cpu_a_network_that_would_make_onednn_destroy_memory_stays_contiguous(name, width):
    assert memory_format(MODELS[name](width=width), CPU) == torch.contiguous_format
    assert memory_format(MODELS[name](width=width), torch.device("cuda")) == torch.channels_last


@pytest.mark.parametrize(("name", "width"), [("resnet8", 16), ("resnet18", 64), ("vgg16", 4), ("densenet121", 4)])
def test_every_other_network_has_its_channels_last(name, width):
    assert memory_format(MODELS[name](width=width), CPU) == torch.channels_last


def laptop_networks() -> list[tuple[str, str, int]]:
    """The networks of the records that were made on images: name, options, pixels a side."""
    found = set()
    for experiment in registry.EXPERIMENTS:
        try:
            specs = registry.specs(experiment, "laptop").values()
        except RecordError:
            continue
        for spec in specs:
            if getattr(spec, "dataset", None) in ("cifar10", "tiny_imagenet"):
                found.add((spec.model, json.dumps(spec.model_options), spec.dataset_options.get("size", 64)))
    assert found
    return sorted(found)


@pytest.mark.parametrize(("name", "options", "size"), laptop_networks())
def test_at_laptop_scale_each_convolution_has_the_gradient_of_its_contiguous_twin(name, options, size):
    """So the records, all made with channels last, followed the gradients that their networks have."""
    torch.manual_seed(0)
    model, images = MODELS[name](**json.loads(options)), torch.rand(64, 3, size, size)
    assert memory_format(model, CPU) == torch.channels_last
    seen = []

    def keep(part: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        output.register_hook(lambda slope: seen.append((part, inputs[0].detach(), slope)))

    convolutions = [part for part in model.modules() if isinstance(part, nn.Conv2d)]
    for part in convolutions:
        part.register_forward_hook(keep)
    model.to(memory_format=torch.channels_last)
    F.cross_entropy(model(images.contiguous(memory_format=torch.channels_last)), torch.arange(64) % 10).backward()
    assert len(seen) == len(convolutions)
    # One by one, from the same inputs: through whole networks rounding grows, as ReLUs change sides.
    for part, inputs, slope in seen:
        exact = [tensor.contiguous().double() for tensor in (inputs, slope)]
        expected = conv2d_weight(exact[0], part.weight.shape, exact[1], part.stride, part.padding)
        assert (part.weight.grad - expected).abs().max() <= 1e-4 * expected.abs().max(), part
