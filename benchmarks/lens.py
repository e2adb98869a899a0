"""The lens after the forward pass, beside a torch script and TransformerLens.

python benchmarks/lens.py [RUNS]

All are given the residuals of all layers at eight positions, and give for each the first five
tokens with their probabilities, entropy, KL from the last layer, and rank and probability of the
tokens that were ever first there. The script does what one writes with transformers: the final
norm, the model's own lm_head in float32, log_softmax, topk. Where transformer-lens is installed,
it runs the demo model and its cache, ln_final and unembed do the same; its apply_ln would give
every layer the last one's scale, which is no lens of that layer. Each runs in a process of its own,
in turns; the answers are checked equal. Memory is how far the peak of a run stands above what the
process held before it, the pages of the head's file apart; the others hold the head in float32 all
the time.
"""

import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import unembed
from unembed.geometry.concepts.compose import composer_of
from unembed.geometry.evaluation.by_model import open_by_model
from unembed.geometry.lens.ask import residuals_of
from unembed.geometry.lens.lens import Lens
from unembed.geometry.lens.look import look
from unembed.geometry.model.language_model import model_of
from unembed.geometry.model.many import after_each
from unembed.geometry.model.residuals import Residuals

if TYPE_CHECKING:
    import torch

PROMPT = "Here is a horse emoji: 🐴\nHere is a dog emoji: 🐶\nHere is a seahorse emoji:"
POSITIONS = 8
TOP = 5


def held(name: str) -> np.ndarray:
    """Give residuals: of the model, or, where it cannot run, rows with noise, as it would hold."""
    head = unembed.open_head(name)
    if name == "demo":
        return residuals_of(head, PROMPT, positions=range(-POSITIONS, 0)).stack_LPD
    rng = np.random.default_rng(0)
    rows = head.rows.decode(rng.integers(0, head.rows.count, POSITIONS))
    return rows + rng.normal(size=(13, *rows.shape)) * rows.std()


def ours(name: str, stack_LPD: np.ndarray) -> "tuple[object, object]":
    head = unembed.open_head(name)
    residuals = Residuals(stack_LPD, tuple(range(POSITIONS)))

    def answer() -> list[list[float]]:
        return numbers(look(head, residuals, top=TOP))

    return answer, head


def numbers(found: Lens) -> list[list[float]]:
    """Write a lens as rows of numbers."""
    return [
        [
            *(guess.id for guess in layer.top),
            *(guess.probability for guess in layer.top),
            layer.entropy,
            layer.kl,
            *(guess.rank for guess in layer.tracked),
        ]
        for position in found.positions
        for layer in position.layers
    ]


def script(name: str, stack_LPD: np.ndarray) -> "tuple[object, object]":
    import torch

    head = unembed.open_head(name)
    final = head.final_norm
    if final is None:
        sys.exit(f"{name} has no final norm")
    weight_D = torch.tensor(final.weight_D, dtype=torch.float32)
    bias_D = None if final.bias_D is None else torch.tensor(final.bias_D, dtype=torch.float32)
    W_VD = torch.from_numpy(head.rows.decode(slice(None)).astype(np.float32))
    stack = torch.from_numpy(stack_LPD).float()

    def norm(h: "torch.Tensor") -> "torch.Tensor":
        if final.kind == "layer":
            return torch.nn.functional.layer_norm(h, h.shape[-1:], weight_D, bias_D, final.epsilon)
        return h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + final.epsilon) * weight_D

    return lambda: by_torch(norm(stack) @ W_VD.T), W_VD


def transformer_lens(name: str, _: np.ndarray) -> "tuple[object, object]":
    import torch
    import transformers
    from transformer_lens.model_bridge import TransformerBridge

    head = unembed.open_head(name)
    folder = head.path.parent
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    bridge = TransformerBridge.boot_transformers(
        "google/gemma-3-270m",
        hf_model=model,
        tokenizer=tokenizer,
        device="cpu",
        dtype=torch.float32,
    )
    ids = torch.tensor([model_of(head).tokens_of(PROMPT)])
    with torch.inference_mode():
        _, cache = bridge.run_with_cache(ids)

    def answer() -> list[list[float]]:
        with torch.inference_mode():
            stack = cache.accumulated_resid(layer=-1, pos_slice=slice(-POSITIONS, None))
            return by_torch(bridge.unembed(bridge.ln_final(stack[:, 0])))

    return answer, bridge


def by_torch(logits: "torch.Tensor") -> list[list[float]]:
    """Make rows of numbers of the logits of all layers and positions."""
    import torch

    with torch.inference_mode():
        chances = torch.log_softmax(logits, dim=-1)
        top = chances.topk(TOP, dim=-1)
        entropy = -(chances.exp() * chances).sum(-1)
        kl = (chances[-1].exp() * (chances[-1] - chances)).sum(-1)
        found = []
        for place in range(logits.shape[1]):
            first = list(dict.fromkeys(top.indices[:, place, 0].tolist()))
            here = logits[:, place]
            ranks = torch.stack([1 + (here > here[:, id_, None]).sum(1) for id_ in first], dim=1)
            found += [
                [
                    *top.indices[layer, place].tolist(),
                    *top.values[layer, place].exp().tolist(),
                    float(entropy[layer, place]),
                    max(float(kl[layer, place]), 0.0),
                    *ranks[layer].tolist(),
                ]
                for layer in range(len(logits))
            ]
        return found


CONTENDERS = {"unembed": ours, "torch script": script, "TransformerLens": transformer_lens}


def memory(field: str) -> float:
    """Give a field of the process's memory, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(dict(line.split(":", 1) for line in lines)[field].split()[0]) / 1e3


def serve(contender: str, name: str, path: str) -> None:
    """Answer a line of stdin with seconds and peak, and with the answer in a file."""
    answer, kept = CONTENDERS[contender](name, np.load(path))
    print("ready", flush=True)
    for _ in sys.stdin:
        Path("/proc/self/clear_refs").write_text("5")  # the peak from here on
        before, mapped = memory("VmRSS"), memory("RssFile")
        start = time.perf_counter()
        found = answer()
        seconds = time.perf_counter() - start
        np.save(f"{path}.{contender}.npy", np.array([[*row, *[0] * 99][:99] for row in found]))
        more = memory("VmHWM") - before - max(memory("RssFile") - mapped, 0)
        print(seconds, more, flush=True)
    del kept


def compare(name: str, runs: int) -> None:
    """Time both in turns, and check their answers."""
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory, "stack.npy"))
        stack_LPD = held(name)
        np.save(path, stack_LPD)
        processes = {
            contender: subprocess.Popen(
                [sys.executable, __file__, contender, name, path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for contender in contenders_of(name)
        }
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in processes}
        for process in processes.values():
            process.stdout.readline()
        for _ in range(runs):
            for contender, process in processes.items():
                process.stdin.write("\n")
                process.stdin.flush()
                seconds, more = map(float, process.stdout.readline().split())
                results[contender].append((seconds, more))
        for process in processes.values():
            process.stdin.close()
            process.wait()
        answers = {name: np.load(f"{path}.{name}.npy") for name in processes}
    head = unembed.open_head(name)
    size, layers = head.rows.codes_VD.nbytes / 1e6, len(stack_LPD)
    print(f"{name}: {layers} layers of {POSITIONS} positions, {runs} runs in turns")
    own, mine = answers["unembed"], results["unembed"]
    for contender, times in results.items():
        seconds, memory = (median(values) for values in zip(*times, strict=True))
        ratio = median(b[0] / a[0] for a, b in zip(mine, times, strict=True))
        print(
            f"  {contender:15} {seconds:.3f} s ({ratio:.2f} of unembed's, in pairs), "
            f"{memory:,.0f} MB more ({memory / size:.2f} of the head)"
        )
        other, numbers = answers[contender], slice(TOP, 2 * TOP + 2)
        same = np.array_equal(own[:, :TOP], other[:, :TOP])
        close = np.allclose(own[:, numbers], other[:, numbers], 1e-3, 1e-3)
        ranks = np.abs(own[:, 2 * TOP + 2 :] - other[:, 2 * TOP + 2 :])
        print(
            f"    the same five tokens: {same}, numbers: {close}, "
            f"ranks that differ: {(ranks > 0).mean():.4f}, by {ranks.max():.0f} at most"
        )


def contenders_of(name: str) -> list[str]:
    """Give who can take part: TransformerLens needs a model that it knows, and to be installed."""
    known = name == "demo" and find_spec("transformer_lens") is not None
    return [one for one in CONTENDERS if known or one != "TransformerLens"]


def prompts(runs: int) -> None:
    """Time prompts that begin alike: in batches, and each by itself."""
    head = unembed.open_head("demo")
    composer = composer_of(head)
    asked = open_by_model(composer, "emoji")
    model, names = model_of(head), asked.names[:256]
    tokens = asked.question.tokens(model, names)
    alike = next(
        place for place in range(len(tokens[0])) if len({ids[place] for ids in tokens}) > 1
    )
    endings = [ids[alike:] for ids in tokens]
    times: dict[str, list[float]] = {"in batches": [], "alone": []}
    for _ in range(runs):
        start = time.perf_counter()
        together_NLD = after_each(model, tokens[0][:alike], endings, layers=[13])
        times["in batches"].append((time.perf_counter() - start) / len(names))
        start = time.perf_counter()
        alone = [model.run(ids).stack_LPD[13, 0] for ids in tokens[:16]]
        times["alone"].append((time.perf_counter() - start) / len(alone))
    close = np.allclose(together_NLD[:16, 0], alone, rtol=0, atol=1e-4 * np.abs(alone).max())
    print(f"prompts of {len(tokens[0])} tokens or so, {alike} of them alike; equal: {close}")
    for what, seconds in times.items():
        print(f"  {what:12} {1 / median(seconds):.0f} prompts a second")


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in CONTENDERS:
        serve(*sys.argv[1:4])
    else:
        for demo in ("demo", "demo-bytes"):
            compare(demo, int(sys.argv[1]) if len(sys.argv) > 1 else 7)
        prompts(3)
