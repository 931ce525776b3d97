"""How much of an epoch is not forward, backward and step; and the training loop beside the usual recipe.

    python benchmarks/training.py [--out FILE.json] [--device cpu|cuda] [--steps N] [--rounds N]

ResNet-20 on CIFAR-10 in its published layout (`ADAI_DATA`; `ADAI_LABEL` for another copy), batches of 128, augmented
as in the paper. The peer is the recipe that PyTorch's own examples use: pictures, torchvision's transforms, and a
DataLoader with two worker processes. Both train the same network with SGD. One round times each of the three for the
same number of steps, so that whatever else the machine does meets all alike; ratios are taken within a round. It needs
torchvision.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.nn import functional as F

from adai.records import Spec, processor
from adai.training import CHECKPOINT_STEPS, Run

BATCH_SIZE = 128
WORKERS = 2


def ours(device: str) -> Run:
    """Our loop's run, ready to train."""
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
    )
    return Run(spec, device)


def compute(run: Run) -> Callable[[], None]:
    """One forward, backward and step on a batch that is ready: what no loop can do without."""
    images = run.data.normalised(run.data.train_inputs[:BATCH_SIZE]).contiguous(memory_format=torch.channels_last)
    targets = run.data.train_targets[:BATCH_SIZE]

    def step() -> None:
        loss = F.cross_entropy(run.model(images), targets)
        run.optimizer.zero_grad()
        loss.backward()
        run.optimizer.step()
        loss.item()

    return step


def usual_recipe(run: Run) -> Iterator[float]:
    """Steps of the usual loop on the same network, with the usual loader."""
    from PIL import Image
    from torchvision import transforms

    class Pictures(torch.utils.data.Dataset):
        """As torchvision's CIFAR10, of the images at hand."""

        images = run.data.train_inputs.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        targets = run.data.train_targets.tolist()

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
            images, targets = images.to(run.device, memory_format=torch.channels_last), targets.to(run.device)
            loss = F.cross_entropy(run.model(images), targets)
            run.optimizer.zero_grad()
            loss.backward()
            run.optimizer.step()
            yield loss.item()


def milliseconds(work: Callable[[], object], steps: int) -> float:
    """Time of one step, over so many; each ends by reading its loss, so nothing is left on the device."""
    started = time.perf_counter()
    for _ in range(steps):
        work()
    return 1e3 * (time.perf_counter() - started) / steps


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    run, peer = ours(arguments.device), ours(arguments.device)
    recipe, bare = usual_recipe(peer), compute(ours(arguments.device))
    loop = (loss for epoch in iter(run.epoch, None) for loss in epoch)
    kinds = {"compute": bare, "ours": lambda: next(loop), "usual": lambda: next(recipe)}
    for work in kinds.values():
        milliseconds(work, 5)
    rounds = [
        {name: milliseconds(work, arguments.steps) for name, work in kinds.items()} for _ in range(arguments.rounds)
    ]
    with TemporaryDirectory() as home:
        saving = min(milliseconds(lambda: run.save(Path(home) / "checkpoint"), 1) for _ in range(5)) / CHECKPOINT_STEPS
    shares = [1 - r["compute"] / (r["ours"] + saving) for r in rounds]
    ratios = [r["usual"] / r["ours"] for r in rounds]
    device = torch.cuda.get_device_name() if arguments.device == "cuda" else processor()
    print(f"ResNet-20, batches of {BATCH_SIZE}, {device}; {arguments.rounds} rounds of {arguments.steps} steps")
    for name in kinds:
        print(f"  {name:8} {statistics.median(r[name] for r in rounds):8.1f} ms a step")
    print(f"outside forward, backward and step: {spread(shares, '.1%')} of our loop's time, saving included")
    print(f"usual recipe with {WORKERS} worker processes / ours: {spread(ratios, '.2f')}")
    if arguments.out:
        arguments.out.write_text(json.dumps({"device": device, "rounds": rounds, "saving_ms": saving}, indent=1) + "\n")


def spread(values: list[float], form: str) -> str:
    """Median, and range, in words."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


if __name__ == "__main__":
    main()
