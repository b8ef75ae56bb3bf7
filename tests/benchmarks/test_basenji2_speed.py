"""The published network at full size: the fast form beside the plain modules and a large product.

One window of 131,072 bp, all 5,313 tracks of the human head, evaluation mode, two threads; and one
thread, because on a busy machine two wait for each other at the end of every operation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ft_s2a.models import Basenji2, HeadConfig, build, for_inference, named

ROUNDS = 9  # the second smallest and second largest ratio hold the median with 96 %
THREADS = (1, 2)
# Multiplications and additions of the convolutions and of the head as they are written.
OPERATIONS = 2 * (
    131_072 * 4 * 288 * 15
    + 5 * sum(
        131_072 // 2 ** (i + 1) * a * b
        for i, (a, b) in enumerate(
            [(288, 339), (339, 399), (399, 470), (470, 554), (554, 652), (652, 768)]
        )
    )
    + 11 * 1024 * 768 * 384 * (3 + 1)
    + 896 * 768 * 1536
    + 896 * 1536 * 5313
)  # fmt: skip

Form = Callable[[], Tensor]


def has_amx() -> bool:
    supported = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return bool(supported())


@pytest.fixture(scope="module")
def network() -> Basenji2:
    """Norms with statistics such as training leaves, so that folding them can go wrong."""
    torch.manual_seed(0)
    config = named("basenji2-kelley2020").with_heads([HeadConfig(name="human", tracks=5313)])
    network = build(config).eval()
    assert isinstance(network, Basenji2)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.weight.uniform_(0.5, 1.2)
                module.bias.normal_(0, 0.3)
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 1.5)
    return network


@pytest.fixture(scope="module")
def window() -> Tensor:
    letters = torch.randint(0, 4, (1, 131_072), generator=torch.Generator().manual_seed(1))
    return nn.functional.one_hot(letters, 4).float()


@pytest.fixture(autouse=True, params=THREADS)
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    with torch.no_grad():
        yield
    torch.set_num_threads(before)


def compare(forms: dict[str, Form], dtype: torch.dtype) -> dict[str, float]:
    """Run all forms in turn; print a table; return the first one's CPU seconds over each one's."""
    side = 2048
    left, right = (torch.randn(side, side).to(dtype) for _ in range(2))
    outputs = {name: form() for name, form in forms.items()}  # compiles, and fills the caches
    reference = next(iter(outputs.values()))
    span = reference.max() - reference.min()
    timed: dict[str, Callable[[], object]] = {**forms, "gemm": lambda: torch.mm(left, right)}
    times = {name: np.empty((ROUNDS, 2)) for name in timed}
    for index in range(ROUNDS):
        for name in list(timed) if index % 2 else reversed(list(timed)):
            cpu, wall = time.process_time(), time.perf_counter()
            timed[name]()
            times[name][index] = time.perf_counter() - wall, time.process_time() - cpu
    threads = torch.get_num_threads()
    rate = 2 * side**3 / np.median(times["gemm"][:, 1])  # of one thread
    print(
        f"\n{torch.__version__}, {threads} threads; GEMM in {dtype}: {rate / 1e9:.0f} GFLOP/CPU s"
    )
    print(
        "| form | wall s | CPU s | times faster, CPU (96 %) | wall | share of GEMM "
        "| difference / range |\n|---|---|---|---|---|---|---|"
    )
    base = times[next(iter(forms))]
    gains = {}
    for name, output in outputs.items():
        wall, cpu = np.median(times[name], axis=0)
        ratios = np.sort(base / times[name], axis=0)
        elapsed, gains[name] = (float(r) for r in np.median(ratios, axis=0))
        difference = float((output - reference).abs().max() / span)
        print(
            f"| {name} | {wall:.2f} | {cpu:.2f} "
            f"| {gains[name]:.2f} ({ratios[1, 1]:.2f}-{ratios[-2, 1]:.2f}) | {elapsed:.2f} "
            f"| {OPERATIONS / cpu / rate:.2f} | {difference:.1e} |"
        )
    return gains


def test_float32(network: Basenji2, window: Tensor) -> None:
    fast, compiled = for_inference(network), for_inference(network, compile=True)
    plain, found = network(window, "human"), fast(window, "human")
    span = plain.max() - plain.min()
    assert (found - plain).abs().max() <= 1e-5 * span
    assert (compiled(window, "human") - plain).abs().max() <= 1e-5 * span
    gains = compare(
        {
            "plain": lambda: network(window, "human"),
            "fast": lambda: fast(window, "human"),
            "fast, compile=True": lambda: compiled(window, "human"),
        },
        torch.float32,
    )
    assert gains["fast"] >= 1.3
    assert gains["fast, compile=True"] >= 1.65


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
@pytest.mark.skipif(not has_amx(), reason="bfloat16: this CPU has no AMX")
def test_bfloat16(network: Basenji2, window: Tensor) -> None:
    fast = for_inference(network, dtype=torch.bfloat16)
    compiled = for_inference(network, dtype=torch.bfloat16, compile=True)

    def autocast() -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output: Tensor = network(window, "human")
        return output.float()

    gains = compare(
        {
            "plain, float32": lambda: network(window, "human"),
            "plain, autocast": autocast,
            "fast": lambda: fast(window, "human"),
            "fast, compile=True": lambda: compiled(window, "human"),
        },
        torch.bfloat16,
    )
    assert gains["fast"] >= 3
    assert gains["fast, compile=True"] >= 5.5
