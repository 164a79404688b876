"""The four networks and the one folded form."""

import numpy as np
import pytest
import torch
from scipy.special import erf

from abr_alloc.learning.fusionnet import KINDS, FusionNet, FusionNetConfig, fold
from abr_alloc.models.folded import FoldedFusionNet, FusionEnsemble, Standardizer, gelu, power_transform
from abr_alloc.models.predictor import ablation


def make(config: FusionNetConfig, seed: int = 0) -> tuple[FusionNet, FoldedFusionNet]:
    torch.manual_seed(seed)
    network = FusionNet(config).eval()
    torch.nn.init.constant_(network.output.bias, 3.0)
    rng = np.random.default_rng(seed)
    audio, video = (
        Standardizer(mean=rng.normal(size=d).astype(np.float32), std=rng.uniform(0.5, 2.0, size=d).astype(np.float32))
        for d in (config.audio_dim, config.video_dim)
    )
    return network, FoldedFusionNet(fold(network), audio, video, config.activation)


def run(network: FusionNet, folded: FoldedFusionNet, x_a: np.ndarray, x_v: np.ndarray) -> np.ndarray:
    """The network's answer by its whole attention: each stimulus as two equal units, so that no softmax is skipped."""
    z_a, z_v = torch.from_numpy(folded.audio(x_a)), torch.from_numpy(folded.video(x_v))
    with torch.inference_mode():
        twice = network(z_a[:, None].expand(-1, 2, -1), z_v[:, None].expand(-1, 2, -1))
        assert torch.allclose(twice, network(z_a, z_v), atol=1e-5)
        return twice.numpy()


def test_three_hidden_layers_have_the_papers_parameters() -> None:
    assert sum(p.numel() for p in FusionNet().parameters()) == 7_353_857


def test_queries_and_keys_are_42_8_percent_of_them() -> None:
    network = FusionNet()
    idle = sum(p.numel() for name, p in network.named_parameters() if ".query." in name or ".key." in name)
    assert idle / sum(p.numel() for p in network.parameters()) == pytest.approx(0.428, abs=5e-4)


SHAPES = [
    *(FusionNetConfig(kind=kind) for kind in KINDS),
    *(FusionNetConfig(kind=kind, audio_dim=9, video_dim=5, num_hidden_layers=1) for kind in KINDS),
    FusionNetConfig(num_hidden_layers=5, activation="relu"),
    FusionNetConfig(kind="ca", num_audio_cross_layers=2, num_video_cross_layers=5),
    FusionNetConfig(num_audio_cross_layers=5, num_video_cross_layers=1, num_heads=8, d_ff=256),
    FusionNetConfig(kind="recursive", num_recursions=4, num_hidden_layers=2),
]


@pytest.mark.parametrize("config", SHAPES, ids=str)
def test_the_folded_grid_is_the_network(config: FusionNetConfig) -> None:
    network, folded = make(config, seed=config.num_hidden_layers)
    rng = np.random.default_rng(7)
    x_a = rng.normal(scale=3, size=(5, config.audio_dim)).astype(np.float32)
    x_v = rng.normal(scale=3, size=(7, config.video_dim)).astype(np.float32)
    grid = folded.predict_grid(x_a, x_v)
    assert grid.shape == (7, 5)
    expected = run(network, folded, np.tile(x_a, (7, 1)), np.repeat(x_v, 5, axis=0)).reshape(7, 5)
    assert np.abs(grid - expected).max() < 1e-5 * max(1.0, np.abs(expected).max())
    assert np.abs(folded.predict(x_a[:5], x_v[:5]) - np.diag(expected)).max() < 1e-5 * max(1.0, np.abs(expected).max())


def test_folding_leaves_the_network_as_it_was() -> None:
    network = FusionNet(FusionNetConfig(kind="ca", d_model=64, d_ff=64, audio_dim=3, video_dim=2))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fold(network)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert next(network.parameters()).dtype == torch.float32


def test_an_unknown_network_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="transformer"):
        FusionNet(FusionNetConfig(kind="transformer"))


@pytest.mark.parametrize(("num_audio", "num_video"), [(1, 1), (2, 2), (1, 4), (5, 2)])
def test_at_one_unit_each_branch_holds_the_other_modality_whatever_the_depth(num_audio: int, num_video: int) -> None:
    config = FusionNetConfig(num_audio_cross_layers=num_audio, num_video_cross_layers=num_video)
    weights = fold(FusionNet(config))
    assert "audio_post.video" in weights
    assert "audio_post.audio" not in weights
    assert "video_post.audio" in weights
    assert "video_post.video" not in weights


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
    mean_a = np.broadcast_to(folded.audio.mean, x_a.shape)
    mean_v = np.broadcast_to(folded.video.mean, x_v.shape)
    full = run(network, folded, x_a, x_v)
    without_a, without_v = run(network, folded, mean_a, x_v), run(network, folded, x_a, mean_v)
    audio, video = ablation(FusionEnsemble([folded]), x_a, x_v)
    assert audio == pytest.approx(np.abs(full - without_a) / np.abs(full), abs=1e-5)
    assert video == pytest.approx(np.abs(full - without_v) / np.abs(full), abs=1e-5)


@pytest.mark.parametrize("kind", ["ca", "recursive", "attentive"])
def test_feature_change_is_that_of_the_cross_attention(kind: str) -> None:
    network, folded = make(FusionNetConfig(kind=kind))
    rng = np.random.default_rng(4)
    x_a, x_v = rng.normal(size=(3, 512)).astype(np.float32), rng.normal(size=(3, 6)).astype(np.float32)
    with torch.inference_mode():
        a = torch.from_numpy(folded.audio(x_a)).unsqueeze(1)
        v = torch.nn.functional.gelu(network.video_embedding(torch.from_numpy(folded.video(x_v)))).unsqueeze(1)
        post_a, post_v = network.attend(a, v)
        expected_a = ((a - post_a).norm(dim=-1) / a.norm(dim=-1)).squeeze(1).numpy()
        expected_v = ((v - post_v).norm(dim=-1) / v.norm(dim=-1)).squeeze(1).numpy()
    found = folded.change_norm(x_a, x_v)
    assert found is not None
    assert found[0] == pytest.approx(expected_a, rel=1e-4)
    assert found[1] == pytest.approx(expected_v, rel=1e-4)


def test_without_cross_attention_nothing_changes() -> None:
    _, folded = make(FusionNetConfig(kind="simple"))
    assert folded.change_norm(np.zeros((1, 512)), np.zeros((1, 6))) is None
    assert FusionEnsemble([folded]).change_norm(np.zeros((1, 512)), np.zeros((1, 6))) is None


def test_an_ensemble_predicts_the_mean_and_survives_its_own_state() -> None:
    members = [make(FusionNetConfig(kind="ca", audio_dim=3, video_dim=2, d_model=64, d_ff=64), s)[1] for s in (0, 1)]
    ensemble = FusionEnsemble(members)
    rng = np.random.default_rng(0)
    x_a, x_v = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=(5, 2)).astype(np.float32)
    grid = ensemble.predict_grid(x_a, x_v)
    assert grid == pytest.approx(np.mean([m.predict_grid(x_a, x_v) for m in members], axis=0))
    tensors, settings = ensemble.state()
    again = FusionEnsemble.restore(tensors, settings)
    assert again.predict_grid(x_a, x_v) == pytest.approx(grid, abs=0.01)  # half precision
    assert FusionEnsemble.restore(*again.state()).predict_grid(x_a, x_v) == pytest.approx(again.predict_grid(x_a, x_v))


@pytest.mark.parametrize("kind", KINDS)
def test_units_of_one_clip_that_are_equal_count_as_one(kind: str) -> None:
    network = FusionNet(FusionNetConfig(kind=kind)).eval()
    x_a, x_v = torch.randn(2, 512, generator=torch.Generator().manual_seed(0)), torch.ones(2, 6)
    with torch.inference_mode():
        once = network(x_a, x_v)
        thrice = network(x_a[:, None].expand(2, 3, 512), x_v[:, None].expand(2, 3, 6))
    assert torch.allclose(once, thrice, atol=1e-5)


def test_the_order_of_units_does_not_matter() -> None:
    network = FusionNet().eval()
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


def test_the_power_transform_is_box_and_coxs() -> None:
    x = np.array([[4.0, np.e, -3.0]], np.float32)
    assert power_transform(x, np.array([0.5, 0.0, 1.0], np.float32))[0] == pytest.approx([2.0, 1.0, -3.0], abs=1e-6)


def test_the_neutral_input_is_standardised_to_nothing() -> None:
    power = np.array([0.5, 0.0, 1.0], np.float32)
    x = np.array([[0.2, 3.0, -1.0], [0.9, 12.0, 4.0]], np.float32)
    curved = power_transform(x, power)
    standardizer = Standardizer(mean=curved.mean(axis=0), std=curved.std(axis=0), power=power)
    assert standardizer(standardizer.neutral[None]) == pytest.approx(np.zeros((1, 3)), abs=1e-5)
