"""How much of an epoch is not forward, backward and step; and the training loop beside the usual recipe.

    python -m benchmarks.training [--out FILE.json] [--device cpu|cuda] [--steps N] [--rounds N]

ResNet-20 on CIFAR-10 in its published layout (`ADAI_DATA`; `ADAI_LABEL` for another copy), batches of 128, augmented
as in the paper. The peer is the recipe that PyTorch's own examples use: pictures, torchvision's transforms, and a
DataLoader with two worker processes. On a GPU there is a second one: the loader of airbench (Keller Jordan's
cifar10-airbench, 0.1.8), made to train on CIFAR-10 within seconds. All train the same network with SGD, in mixed
precision on a GPU. One round times each of them for the same number of steps, so that whatever else the machine does
meets all alike; ratios are taken within a round. It needs torchvision, and on a GPU airbench.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.nn import functional as F

from adai.records import Spec, processor
from adai.training import CHECKPOINT_STEPS, Run

BATCH_SIZE = 128
WORKERS = 2


def ours(device: str) -> Run:
    """Return our loop's run, ready to train."""
    label = {"label": os.environ["ADAI_LABEL"]} if os.environ.get("ADAI_LABEL") else {}
    spec = Spec(
        experiment="benchmark",
        scale="smoke",
        dataset="cifar10",
        dataset_options=label,
        model="resnet20",
        optimizer="sgd",
        hyperparameters={"lr": 0.01, "momentum": 0.9},
        seed=0,
        epochs=1000,
        batch_size=BATCH_SIZE,
        augment=True,
        precision="mixed",
    )
    return Run(spec, device)


def step(run: Run, images: torch.Tensor, targets: torch.Tensor) -> float:
    """Take one step, forward and backward, in the run's precision, and return the loss."""
    with torch.autocast(run.device.type, run.dtype, enabled=run.dtype != torch.float32):
        outputs = run.model(images).float()
    loss = F.cross_entropy(outputs, targets)
    run.optimizer.zero_grad()
    loss.backward()
    run.optimizer.step()
    return loss.item()


def compute(run: Run) -> Callable[[], float]:
    """Return a step on a batch that is ready, which every loop needs."""
    images = run.data.normalised(run.data.train_inputs[:BATCH_SIZE]).contiguous(memory_format=run.format)
    return partial(step, run, images, run.data.train_targets[:BATCH_SIZE])


def usual_recipe(run: Run) -> Iterator[float]:
    """Return steps of the usual loop on the same network, with the usual loader."""
    from PIL import Image
    from torchvision import transforms

    class Pictures(torch.utils.data.Dataset):
        """The run's images, as torchvision's CIFAR10 yields them."""

        images, targets = channels_last(run).numpy(), run.data.train_targets.tolist()

        def __len__(self) -> int:
            return len(self.targets)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return transform(Image.fromarray(self.images[index])), self.targets[index]

    mean, deviation = ((values / 255).tolist() for values in (run.data.mean, run.data.deviation))
    steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    transform = transforms.Compose([*steps, transforms.Normalize(mean, deviation)])
    loader = torch.utils.data.DataLoader(
        Pictures(),
        batch_size=BATCH_SIZE,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,
        drop_last=True,
    )
    while True:
        for images, targets in loader:
            yield step(run, images.to(run.device, memory_format=run.format), targets.to(run.device))


def fast_recipe(run: Run) -> Iterator[float]:
    """Return steps on the same network with airbench's loader: images on the GPU, augmented a whole epoch at once."""
    from airbench import CifarLoader

    with TemporaryDirectory() as home:
        torch.save({"images": channels_last(run), "labels": run.data.train_targets, "classes": []}, f"{home}/train.pt")
        loader = CifarLoader(home, batch_size=BATCH_SIZE, aug={"flip": True, "translate": 4})
    while True:
        for images, targets in loader:
            yield step(run, images, targets)


def channels_last(run: Run) -> torch.Tensor:
    """Return the training images as other libraries want them: (examples, height, width, channels), on the CPU."""
    return run.data.train_inputs.permute(0, 2, 3, 1).contiguous().cpu()


def milliseconds(work: Callable[[], object], steps: int) -> float:
    """Return the mean time of `steps` steps; each ends by reading its loss, so nothing is left on the device."""
    started = time.perf_counter()
    for _ in range(steps):
        work()
    return 1e3 * (time.perf_counter() - started) / steps


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    run = ours(arguments.device)
    loop = (loss for epoch in iter(run.epoch, None) for loss in epoch)
    peers = {"usual": usual_recipe} | ({"airbench": fast_recipe} if arguments.device == "cuda" else {})
    recipes = {name: recipe(ours(arguments.device)) for name, recipe in peers.items()}
    kinds = {"compute": compute(ours(arguments.device)), "ours": partial(next, loop)}
    kinds |= {name: partial(next, recipe) for name, recipe in recipes.items()}
    for work in kinds.values():
        milliseconds(work, 5)
    rounds = [
        {name: milliseconds(work, arguments.steps) for name, work in kinds.items()} for _ in range(arguments.rounds)
    ]
    with TemporaryDirectory() as home:
        saving = min(milliseconds(lambda: run.save(Path(home) / "checkpoint"), 1) for _ in range(5)) / CHECKPOINT_STEPS
    shares = [1 - r["compute"] / (r["ours"] + saving) for r in rounds]
    device = torch.cuda.get_device_name() if arguments.device == "cuda" else processor()
    print(f"ResNet-20, batches of {BATCH_SIZE}, {device}; {arguments.rounds} rounds of {arguments.steps} steps")
    for name in kinds:
        median = statistics.median(r[name] for r in rounds)
        print(f"  {name:8} {median:8.2f} ms a step {1e3 * BATCH_SIZE / median:8.0f} images/s")
    print(f"outside forward, backward and step: {spread(shares, '.1%')} of our loop's time, saving included")
    for name in recipes:
        print(f"{name} / ours: {spread([r[name] / r['ours'] for r in rounds], '.2f')}")
    if arguments.out:
        arguments.out.write_text(json.dumps({"device": device, "rounds": rounds, "saving_ms": saving}, indent=1) + "\n")


def spread(values: list[float], form: str) -> str:
    """Return median and range in words."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


if __name__ == "__main__":
    main()
