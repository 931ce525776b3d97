"""Networks are those of their papers, by their parameter counts, and run at the sizes that the experiments use."""

import pytest
import torch

from adai.models import MODELS


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


# github.com/kuangliu/pytorch-cifar prints 11.17 and 21.28 million for these two forms.
@pytest.mark.parametrize(("name", "millions"), [("resnet18", 11.173962), ("resnet34", 21.282122)])
def test_resnets_have_their_published_number_of_parameters(name, millions):
    assert parameters(MODELS[name]()) / 1e6 == millions


@pytest.mark.parametrize(("name", "option_a"), [("resnet20", 269_722)])
def test_cifar_resnets_differ_from_he_et_al_by_their_shortcuts_alone(name, option_a):
    # 0.27 million in Table 6 of He et al. (2016), with shortcuts that have no parameters. Ours have a convolution
    # and a normalisation at the two places where the shape changes.
    shortcuts = sum(inputs * outputs + 2 * outputs for inputs, outputs in ((16, 32), (32, 64)))
    assert parameters(MODELS[name]()) == option_a + shortcuts


@pytest.mark.parametrize("name", ["resnet18", "resnet10", "resnet8", "resnet20"])
@pytest.mark.parametrize("size", [16, 32, 64])
def test_they_take_images_of_every_size_and_give_a_logit_a_class(name, size):
    model = MODELS[name](width=4, classes=7).eval()
    assert model(torch.zeros(2, 3, size, size)).shape == (2, 7)


def test_width_scales_the_network():
    assert parameters(MODELS["resnet18"](width=16)) < parameters(MODELS["resnet18"]()) / 15


@pytest.mark.parametrize("depth", [7, 9, 0])
def test_a_depth_that_no_cifar_resnet_has_is_refused(depth):
    with pytest.raises(ValueError, match=f"depth is {depth}"):
        MODELS["resnet20"](depth=depth)
