"""Attentive AV-FusionNet and its folded form."""

import numpy as np
import pytest
import torch
from scipy.special import erf

from abr_alloc.models.folded import FoldedFusionNet, Standardizer, gelu
from abr_alloc.models.fusionnet import AttentiveFusionNet, FusionNetConfig


def make(config: FusionNetConfig, seed: int = 0) -> tuple[AttentiveFusionNet, FoldedFusionNet]:
    torch.manual_seed(seed)
    network = AttentiveFusionNet(config).eval()
    torch.nn.init.constant_(network.output.bias, 3.0)
    rng = np.random.default_rng(seed)
    standardizers = [
        Standardizer(mean=rng.normal(size=d).astype(np.float32), std=rng.uniform(0.5, 2.0, size=d).astype(np.float32))
        for d in (config.audio_dim, config.video_dim)
    ]
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    return network, FoldedFusionNet(state, *standardizers)


def run(network: AttentiveFusionNet, folded: FoldedFusionNet, x_a: np.ndarray, x_v: np.ndarray) -> np.ndarray:
    """The network's answer by its whole attention: each stimulus as two equal units, so that no softmax is skipped."""
    z_a, z_v = torch.from_numpy(folded._standardize_audio(x_a)), torch.from_numpy(folded._standardize_video(x_v))
    with torch.inference_mode():
        twice = network(z_a[:, None].expand(-1, 2, -1), z_v[:, None].expand(-1, 2, -1))
        assert torch.allclose(twice, network(z_a, z_v), atol=1e-5)
        return twice.numpy()


def test_three_hidden_layers_have_the_papers_parameters() -> None:
    assert sum(p.numel() for p in AttentiveFusionNet().parameters()) == 7_353_857


def test_queries_and_keys_are_42_8_percent_of_them() -> None:
    network = AttentiveFusionNet()
    idle = sum(p.numel() for name, p in network.named_parameters() if ".query." in name or ".key." in name)
    assert idle / sum(p.numel() for p in network.parameters()) == pytest.approx(0.428, abs=5e-4)


@pytest.mark.parametrize("num_hidden_layers", [1, 2, 3, 5])
@pytest.mark.parametrize("dims", [(512, 6), (9, 5)])
def test_the_folded_grid_is_the_network(num_hidden_layers: int, dims: tuple[int, int]) -> None:
    config = FusionNetConfig(audio_dim=dims[0], video_dim=dims[1], num_hidden_layers=num_hidden_layers)
    network, folded = make(config, seed=num_hidden_layers)
    rng = np.random.default_rng(7)
    x_a = rng.normal(scale=3, size=(5, dims[0])).astype(np.float32)
    x_v = rng.normal(scale=3, size=(7, dims[1])).astype(np.float32)
    grid = folded.predict_grid(x_a, x_v)
    assert grid.shape == (7, 5)
    expected = run(network, folded, np.tile(x_a, (7, 1)), np.repeat(x_v, 5, axis=0)).reshape(7, 5)
    assert np.abs(grid - expected).max() < 1e-5
    assert np.abs(folded.predict(x_a[:5], x_v[:5]) - np.diag(expected)).max() < 1e-5


def test_a_large_grid_is_the_same_in_blocks() -> None:
    _, folded = make(FusionNetConfig(num_hidden_layers=1))
    rng = np.random.default_rng(1)
    x_a, x_v = rng.normal(size=(90, 512)).astype(np.float32), rng.normal(size=(120, 6)).astype(np.float32)
    grid = folded.predict_grid(x_a, x_v)
    assert np.abs(grid[117:, 80:] - folded.predict_grid(x_a[80:], x_v[117:])).max() < 1e-5


def test_ablation_sets_a_modality_to_its_training_mean() -> None:
    network, folded = make(FusionNetConfig(num_hidden_layers=2))
    rng = np.random.default_rng(3)
    x_a, x_v = rng.normal(size=(4, 512)).astype(np.float32), rng.normal(size=(4, 6)).astype(np.float32)
    mean_a = np.broadcast_to(folded._standardize_audio.mean, x_a.shape)
    mean_v = np.broadcast_to(folded._standardize_video.mean, x_v.shape)
    full = run(network, folded, x_a, x_v)
    without_a, without_v = run(network, folded, mean_a, x_v), run(network, folded, x_a, mean_v)
    audio, video = folded.ablation(x_a, x_v)
    assert audio == pytest.approx(np.abs(full - without_a) / np.abs(full), abs=1e-5)
    assert video == pytest.approx(np.abs(full - without_v) / np.abs(full), abs=1e-5)


def test_feature_change_is_that_of_the_cross_attention() -> None:
    network, folded = make(FusionNetConfig())
    rng = np.random.default_rng(4)
    x_a, x_v = rng.normal(size=(3, 512)).astype(np.float32), rng.normal(size=(3, 6)).astype(np.float32)
    with torch.inference_mode():
        a = torch.from_numpy(folded._standardize_audio(x_a)).unsqueeze(1)
        v = torch.nn.functional.gelu(network.video_embedding(torch.from_numpy(folded._standardize_video(x_v))))
        v = v.unsqueeze(1)
        post_a, post_v = network.audio_cross(a, v), network.video_cross(v, a)
        expected_a = ((a - post_a).norm(dim=-1) / a.norm(dim=-1)).squeeze(1).numpy()
        expected_v = ((v - post_v).norm(dim=-1) / v.norm(dim=-1)).squeeze(1).numpy()
    audio, video = folded.change_norm(x_a, x_v)
    assert audio == pytest.approx(expected_a, rel=1e-4)
    assert video == pytest.approx(expected_v, rel=1e-4)


def test_units_of_one_clip_that_are_equal_count_as_one() -> None:
    network = AttentiveFusionNet().eval()
    x_a, x_v = torch.randn(2, 512, generator=torch.Generator().manual_seed(0)), torch.ones(2, 6)
    with torch.inference_mode():
        once = network(x_a, x_v)
        thrice = network(x_a[:, None].expand(2, 3, 512), x_v[:, None].expand(2, 3, 6))
    assert torch.allclose(once, thrice, atol=1e-5)


def test_the_order_of_units_does_not_matter() -> None:
    network = AttentiveFusionNet().eval()
    generator = torch.Generator().manual_seed(1)
    x_a, x_v = torch.randn(2, 4, 512, generator=generator), torch.randn(2, 4, 6, generator=generator)
    with torch.inference_mode():
        assert torch.allclose(network(x_a, x_v), network(x_a.flip(1), x_v.flip(1)), atol=1e-5)


def test_gelu_is_exact_to_two_parts_in_ten_million() -> None:
    x = np.linspace(-8, 8, 100_001, dtype=np.float32)
    exact = 0.5 * x.astype(np.float64) * (1.0 + erf(x.astype(np.float64) / np.sqrt(2.0)))
    assert (np.abs(gelu(x) - exact) <= 2e-7 * np.maximum(1.0, np.abs(x))).all()


def test_a_strange_input_is_clipped() -> None:
    standardizer = Standardizer(mean=np.zeros(2, np.float32), std=np.ones(2, np.float32))
    assert standardizer(np.array([[1e9, -1e9]])).tolist() == [[6.0, -6.0]]
