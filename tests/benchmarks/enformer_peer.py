"""enformer-pytorch as a process of its own: makes a network, then runs what standard input says.

Each line in is a command, each line out a JSON object.  Needs enformer-pytorch and nothing of ours.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import torch


def make(settings: dict[str, Any]) -> Any:
    from enformer_pytorch import Enformer

    torch.manual_seed(0)
    network = Enformer.from_hparams(**settings)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():  # much is the identity when fresh
            if name.startswith("_trunk."):
                continue
            if "running_var" in name:
                tensor.uniform_(0.5, 1.5)
            elif "running_mean" in name:
                tensor.normal_(0, 0.1)
            elif "to_attn_logits" in name or "to_out.weight" in name:
                tensor.add_(0.02 * torch.randn_like(tensor))
    return network.eval()


def dna(length: int) -> torch.Tensor:
    codes = torch.randint(0, 4, (1, length), generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.one_hot(codes, 4).float()


def main() -> None:
    settings = json.loads(sys.argv[1])
    torch.set_num_threads(settings.pop("threads"))
    length = settings.pop("length")
    network = make(settings)
    x = dna(length)
    for line in sys.stdin:
        command, *rest = line.split()
        answer: dict[str, Any] = {}
        start = time.process_time()
        if command == "save":
            torch.save(network.state_dict(), rest[0])
            with torch.inference_mode():
                torch.save(network(x, head="human"), rest[1])
        elif command == "forward":
            with torch.inference_mode():
                network(x, head="human")
        elif command == "bf16":
            with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
                network(x, head="human")
        elif command == "train":
            network.train()
            output = network(x, head="human")
            (output - 2 * output.clamp(min=1e-20).log()).mean().backward()
        answer["seconds"] = time.process_time() - start
        answer["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
