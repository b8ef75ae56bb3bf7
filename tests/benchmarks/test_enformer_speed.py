"""Enformer beside enformer-pytorch, which runs in a process and an environment of its own.

``FT_S2A_ENFORMER_PEER`` names the Python of an environment with enformer-pytorch; without it, what
compares with it is skipped.  ``FT_S2A_BENCH_TINY=1`` checks this file itself with tiny networks,
and no ratio.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ft_s2a.models import (
    EnformerConfig,
    for_inference,
    load_lucidrains_enformer,
    named,
    training_memory,
)

PEER = os.environ.get("FT_S2A_ENFORMER_PEER")
TINY = os.environ.get("FT_S2A_BENCH_TINY") == "1"
PAIRS = 7
THREADS = 2
LENGTH, BINS, DIM, DEPTH = (8192, 32, 192, 1) if TINY else (196_608, 896, 1536, 11)
HEADS = {"human": 9 if TINY else 5313, "mouse": 7 if TINY else 1643}

# torch's compiler imports what torch has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")

needs_peer = pytest.mark.skipif(
    PEER is None, reason="benchmark: FT_S2A_ENFORMER_PEER names no Python with enformer-pytorch"
)


@dataclass
class Peer:
    """The other process, which holds its network and input."""

    process: subprocess.Popen[str]

    def ask(self, command: str) -> dict[str, float]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            pytest.fail(f"the peer ended with {self.process.wait()} at {command!r}")
        return dict(json.loads(line))


@contextlib.contextmanager
def started(**settings: Any) -> Iterator[Peer]:
    """Start the peer with a network."""
    assert PEER is not None
    full = {
        "dim": DIM, "depth": DEPTH, "output_heads": HEADS, "target_length": BINS,
        "dim_divisible_by": 64 if TINY else 128, "length": LENGTH, "threads": THREADS, **settings,
    }  # fmt: skip
    script = Path(__file__).with_name("enformer_peer.py")
    process = subprocess.Popen(
        [PEER, str(script), json.dumps(full)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(THREADS)},
    )
    try:
        yield Peer(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait()
        process.stdout.close()


@dataclass(frozen=True)
class Case:
    """Both networks with the same weights."""

    peer: Peer
    network: Any
    x: torch.Tensor
    expected: torch.Tensor


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp("enformer")
    torch.set_num_threads(THREADS)
    with started() as peer:
        peer.ask(f"save {folder / 'weights.bin'} {folder / 'output.pt'}")
        network = load_lucidrains_enformer(folder / "weights.bin", target_bins=BINS)
        expected = torch.load(folder / "output.pt", weights_only=True)
        codes = torch.randint(0, 4, (1, LENGTH), generator=torch.Generator().manual_seed(1))
        yield Case(peer, network, torch.nn.functional.one_hot(codes, 4).float(), expected)


def median_ratio(name: str, ours: Callable[[], object], peer: Callable[[], float]) -> float:
    """Ratio of CPU seconds over alternating pairs, after one of each that does not count."""

    def seconds() -> float:
        start = time.process_time()
        ours()
        return time.process_time() - start

    seconds(), peer()
    pairs = []
    for index in range(PAIRS):
        if index % 2:
            theirs, mine = peer(), seconds()
        else:
            mine, theirs = seconds(), peer()
        pairs.append((mine, theirs))
    times = np.array(pairs)
    ratios = times[:, 0] / times[:, 1]
    print(
        f"\n{name}: {np.median(ratios):.3f} ({ratios.min():.3f}-{ratios.max():.3f}, which hold the "
        f"median with 98 %); {np.median(times[:, 0]):.3g} s against {np.median(times[:, 1]):.3g} s "
        "of CPU"
    )
    return float(np.median(ratios))


def check(ratio: float, limit: float) -> None:
    if not TINY:
        assert ratio <= limit


def ways(case: Case, dtype: torch.dtype) -> dict[str, Callable[[], torch.Tensor]]:
    """The network as it is, made for inference, and compiled."""
    networks = {
        "as it is": case.network,
        "for inference": for_inference(case.network, dtype=dtype),
        "compiled": for_inference(case.network, dtype=dtype, compile=True),
    }

    def run(network: Any) -> torch.Tensor:
        with torch.inference_mode():
            return network(case.x, "human")  # type: ignore[no-any-return]

    return {name: lambda network=n: run(network) for name, n in networks.items()}  # type: ignore[misc]


@needs_peer
@pytest.mark.parametrize(
    ("way", "limit"), [("as it is", 0.80), ("for inference", 0.80), ("compiled", 0.65)]
)
def test_forward_in_float32(case: Case, way: str, limit: float) -> None:
    run = ways(case, torch.float32)[way]
    difference = (run() - case.expected).abs().max() / (case.expected.max() - case.expected.min())
    print(f"\nlargest difference over the range of the outputs: {difference:.2e}")
    assert difference <= 1e-5
    name = f"Enformer forward, {LENGTH:,} bp, float32, {way} / enformer-pytorch"
    check(median_ratio(name, run, lambda: case.peer.ask("forward")["seconds"]), limit)


def has_amx() -> bool:
    info = Path("/proc/cpuinfo")
    return info.is_file() and "amx_bf16" in info.read_text()


@needs_peer
@pytest.mark.skipif(not has_amx(), reason="benchmark: this CPU has no AMX")
@pytest.mark.parametrize(("way", "limit"), [("for inference", 0.45), ("compiled", 0.38)])
def test_forward_in_bfloat16(case: Case, way: str, limit: float) -> None:
    """Our bfloat16 against the peer's float32."""
    run = ways(case, torch.bfloat16)[way]
    found, expected = run().flatten(), case.expected.flatten()
    r = np.corrcoef(found.numpy(), expected.numpy())[0, 1]
    print(f"\nlargest difference {(found - expected).abs().max():.2e}, Pearson's r {r:.5f}")
    assert r > 0.99
    name = f"Enformer forward, {LENGTH:,} bp, bfloat16, {way} / enformer-pytorch in float32"
    check(median_ratio(name, run, lambda: case.peer.ask("forward")["seconds"]), limit)


# --- training ---

STEP = """
import json, resource, sys, time
import torch
from ft_s2a.models import EnformerConfig, Enformer
torch.set_num_threads(int(sys.argv[3]))
torch.manual_seed(0)
config = EnformerConfig.model_validate_json(sys.argv[1])
network = Enformer(config, checkpoint=sys.argv[2]).train()
codes = torch.randint(0, 4, (1, config.input_length))
x = torch.nn.functional.one_hot(codes, 4).float()
start = time.process_time()
output = network(x, "human")
(output - 2 * output.clamp(min=1e-20).log()).mean().backward()
seconds = time.process_time() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": seconds, "peak": peak}))
"""


def our_step(config: EnformerConfig, checkpoint: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", STEP, config.model_dump_json(), checkpoint, str(THREADS)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": str(THREADS)},
    )
    return dict(json.loads(done.stdout))


def training_config(name: str) -> EnformerConfig:
    config = named("smallenf") if name == "smallenf" else EnformerConfig(depth=5)
    heads = [{"name": head, "tracks": tracks} for head, tracks in HEADS.items()]
    changes: dict[str, Any] = {"heads": heads, "input_length": LENGTH, "target_bins": BINS}
    if TINY:
        changes |= {"dim": DIM, "depth": DEPTH, "dim_divisible_by": 64}
    return EnformerConfig.model_validate({**config.model_dump(), **changes})


@pytest.mark.parametrize("name", ["smallenf", "depth 5"])
def test_memory_of_a_training_step(name: str) -> None:
    """Checkpointing the tower halves the peak for less than 1.4 times the CPU seconds."""
    config = training_config(name)
    found = {c: our_step(config, c) for c in ("none", "tower", "all")}
    for checkpoint, step in found.items():
        estimate = training_memory(
            config,
            checkpoint=checkpoint,  # type: ignore[arg-type]
            head="human",
            optimizer_states=0,
        )
        print(
            f"\n{name}, checkpoint {checkpoint}: {step['peak'] / 2**30:.2f} GiB (estimate "
            f"{estimate.total / 2**30:.2f} and libraries), {step['seconds']:.1f} s of CPU"
        )
    check(found["tower"]["peak"] / found["none"]["peak"], 0.5)
    check(found["tower"]["seconds"] / found["none"]["seconds"], 1.4)


@needs_peer
@pytest.mark.parametrize("use_checkpointing", [False, True])
def test_memory_of_the_peers_step(use_checkpointing: bool) -> None:
    """For the record: what the peer takes with depth 5, with and without its checkpointing."""
    depth = DEPTH if TINY else 5
    with started(depth=depth, use_checkpointing=use_checkpointing) as peer:
        step = peer.ask("train")
    print(
        f"\nenformer-pytorch, depth {depth}, checkpointing {use_checkpointing}: "
        f"{step['peak'] / 2**30:.2f} GiB, {step['seconds']:.1f} s of CPU"
    )
