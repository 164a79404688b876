"""The forward pass in NumPy against torch's, and files that hold no listener."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from abr_alloc.learning.listener_network import ListenerNet, to_tensors
from abr_alloc.listener.network import FEATURES, Network


@pytest.fixture(scope="module")
def trained() -> ListenerNet:
    """A network of random weights whose normalisation has seen something."""
    torch.manual_seed(0)
    network = ListenerNet()
    for _ in range(40):
        network.embed(*sounds(4))
    return network.eval()


def sounds(num: int, frames: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(num)
    reference = rng.uniform(-60, 0, (num, 4, 32, frames)).astype(np.float32)
    coded = np.maximum(reference + rng.normal(0, 6, reference.shape), -70).astype(np.float32)
    return torch.from_numpy(reference), torch.from_numpy(coded)


def restored(network: ListenerNet) -> tuple[Network, ListenerNet]:
    """The network in NumPy, and in torch with the weights of half precision that it has."""
    tensors = to_tensors(network)
    return Network({name: tensor.astype(np.float32) for name, tensor in tensors.items()}), network


@pytest.mark.parametrize("frames", [224, 61, 12])
@torch.no_grad()
def test_numpy_is_torch(trained, frames):
    network, same = restored(trained)
    reference, coded = sounds(11, frames)
    wanted = same.embed(reference, coded) - same.embed(reference, reference)
    found = network.embed(reference.numpy(), coded.numpy()) - network.embed(reference.numpy(), reference.numpy())
    scale = float(wanted.abs().max())
    assert np.abs(found - wanted.numpy()).max() < 1e-2 * scale  # weights of half precision
    for ours, theirs in zip(network.judge(found), same.judge(wanted), strict=False):
        assert np.abs(ours - theirs.numpy()).max() < 2e-3


@torch.no_grad()
def test_a_sound_is_judged_by_itself(trained):
    network, _ = restored(trained)
    reference, coded = (side.numpy() for side in sounds(9))
    alone = network.embed(reference[4:5], coded[4:5])
    assert np.abs(network.embed(reference, coded)[4] - alone[0]).max() < 1e-4
    assert network.embed(reference[:0], coded[:0]).shape == (0, FEATURES)


def test_what_has_lost_nothing_is_at_the_top(trained):
    network, _ = restored(trained)
    quality, _ = network.judge(np.zeros((1, FEATURES), dtype=np.float32))
    assert quality[0] == pytest.approx(4.65, abs=1e-3)


def test_a_file_that_is_none_is_refused(trained):
    tensors = to_tensors(trained)
    with pytest.raises(KeyError):
        Network({name: tensor for name, tensor in tensors.items() if name != "stem.bias"})
    with pytest.raises(ValueError, match="tensor stem"):
        Network({**tensors, "stem.bias": np.zeros(3, dtype=np.float16)})
    with pytest.raises(ValueError, match="other"):
        Network({**tensors, "other": np.zeros(3, dtype=np.float16)})
    with pytest.raises(ValueError, match="finite"):
        Network({**tensors, "stem.bias": np.full_like(tensors["stem.bias"], np.nan)})
