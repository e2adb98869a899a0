"""A head of a hub, beside the download of the file that it lies in.

python benchmarks/remote.py [RUNS]

A server on this machine is the hub, and a second one has its large files. It serves both demos,
and a made checkpoint of 141 GB in 30 shards as Llama 3 70B has them (sparse files: only the last
shard's head and norm hold numbers). In turns, each in a process and with caches of its own:
unembed opens the head and answers in the logit space; huggingface_hub downloads config, tokenizer,
index and the shards that hold head and norm, and unembed opens those. The rows are checked equal.
The network of one machine is no network: read bytes and requests, and of the times that they do not
come from the code; at 100 MB/s the bytes would take what is said in the last column.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
import unembed

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from served import served

SHARDS, LAYERS, WIDTH, VOCABULARY, INNER = 30, 80, 8192, 128_256, 28_672
LINE = 100e6  # bytes a second
RUN = """
import hashlib, json, resource, sys, time
start = time.perf_counter()
import unembed
head = unembed.open_head(*json.loads(sys.argv[1]))
opened = time.perf_counter() - start
head.nearest("sea + horse", space="logit")
answered = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
codes = head.rows.codes_VD
about = hashlib.sha256(codes[:64].tobytes() + codes[-64:].tobytes()).hexdigest()
print(json.dumps([opened, answered, peak, about]))
"""
DOWNLOAD = """
import json, sys
from huggingface_hub import hf_hub_download
for name in json.loads(sys.argv[1]):
    hf_hub_download("org/model", name)
"""


def entries(first: int, last: int) -> dict[str, tuple[int, ...]]:
    """Give the shapes of the tensors of some layers."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(first, last):
        stem = f"model.layers.{layer}"
        shapes |= {
            f"{stem}.self_attn.q_proj.weight": (WIDTH, WIDTH),
            f"{stem}.self_attn.k_proj.weight": (1024, WIDTH),
            f"{stem}.self_attn.v_proj.weight": (1024, WIDTH),
            f"{stem}.self_attn.o_proj.weight": (WIDTH, WIDTH),
            f"{stem}.mlp.gate_proj.weight": (INNER, WIDTH),
            f"{stem}.mlp.up_proj.weight": (INNER, WIDTH),
            f"{stem}.mlp.down_proj.weight": (WIDTH, INNER),
            f"{stem}.input_layernorm.weight": (WIDTH,),
            f"{stem}.post_attention_layernorm.weight": (WIDTH,),
        }
    return shapes


def shard(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """Write a sparse file of tensors; what the head needs holds numbers."""
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    packed = json.dumps(header).encode()
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(len(packed).to_bytes(8, "little") + packed)
        file.truncate(8 + len(packed) + at)
        for name in ("lm_head.weight", "model.norm.weight"):
            if name in shapes:
                file.seek(8 + len(packed) + header[name]["data_offsets"][0])
                for _ in range(0, int(np.prod(shapes[name])), 1 << 20):
                    values = rng.standard_normal(1 << 20, dtype=np.float32).view(np.uint32)
                    left = header[name]["data_offsets"][1] + 8 + len(packed) - file.tell()
                    file.write((values >> 16).astype("<u2").tobytes()[:left])


def made(directory: Path) -> list[str]:
    """Make the large checkpoint; give the files that hold what a head needs."""
    names = [f"model-{n + 1:05}-of-{SHARDS:05}.safetensors" for n in range(SHARDS)]
    cuts = np.linspace(0, LAYERS, SHARDS + 1).astype(int).tolist()
    weight_map = {}
    for place, name in enumerate(names):
        shapes = entries(cuts[place], cuts[place + 1])
        if place == 0:
            shapes = {"model.embed_tokens.weight": (VOCABULARY, WIDTH)} | shapes
        if place == SHARDS - 1:
            shapes |= {"model.norm.weight": (WIDTH,), "lm_head.weight": (VOCABULARY, WIDTH)}
        shard(directory / name, shapes)
        weight_map |= dict.fromkeys(shapes, name)
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": WIDTH,
        "vocab_size": VOCABULARY,
        "tie_word_embeddings": False,
        "rms_norm_eps": 1e-5,
    }
    (directory / "config.json").write_text(json.dumps(config))
    words = [" sea", " horse", *(f" w{n}" for n in range(VOCABULARY - 2))]
    vocab = {word.replace(" ", "Ġ"): id_ for id_, word in enumerate(words)}
    tokenizer = {
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
        "decoder": {"type": "ByteLevel"},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "added_tokens": [],
    }
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer))
    return [names[-1]]


@contextmanager
def homes(endpoint: str) -> Iterator[dict[str, str]]:
    """Give an environment with empty caches."""
    with tempfile.TemporaryDirectory() as home:
        kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        caches = {"HF_HOME": f"{home}/hf", "XDG_CACHE_HOME": f"{home}/cache"}
        yield kept | caches | {"HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_TELEMETRY": "1"}


def ran(script: str, argument: object, environment: dict[str, str]) -> str:
    """Run a script, and give what it prints."""
    command = [sys.executable, "-c", script, json.dumps(argument)]
    return subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ).stdout.decode()


def compare(label: str, files: Path, weights: list[str], runs: int) -> None:
    """Measure both ways in turns."""
    times: dict[str, list[list[float]]] = {"unembed": [], "download": []}
    equal = True
    with served(files) as hub:
        for _ in range(runs):
            with homes(hub.hub) as environment:
                hub.asked.clear()
                *numbers, mine = json.loads(ran(RUN, ["org/model"], environment))
                times["unembed"].append([*numbers, hub.sent() / 1e6, len(hub.asked)])
            with homes(hub.hub) as environment:
                hub.asked.clear()
                start = time.perf_counter()
                small = [path.name for path in files.iterdir() if path.suffix == ".json"]
                ran(DOWNLOAD, [*small, *weights], environment)
                took = time.perf_counter() - start
                offline = environment | {"HF_HUB_OFFLINE": "1"}
                opened, answered, peak, theirs = json.loads(ran(RUN, ["org/model"], offline))
                numbers = [took + opened, took + answered, peak]
                times["download"].append([*numbers, hub.sent() / 1e6, len(hub.asked)])
                equal &= mine == theirs
    size = sum(path.stat().st_size for path in files.iterdir()) / 1e9
    print(f"{label}: {size:,.1f} GB at the hub, {runs} runs in turns; rows equal: {equal}")
    for name, rows in times.items():
        opened, answered, peak, sent, asked = (median(row) for row in zip(*rows, strict=True))
        print(
            f"  {name:9} open {opened:6.2f} s, first answer {answered:6.2f} s, "
            f"peak {peak:,.0f} MB, {sent:,.1f} MB in {asked:.0f} requests, "
            f"at 100 MB/s {sent * 1e6 / LINE:.1f} s"
        )


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for demo in ("demo", "demo-bytes"):
        with tempfile.TemporaryDirectory() as directory:
            folder = unembed.open_head(demo).path.parent
            for name in ("config.json", "tokenizer.json", "model.safetensors"):
                shutil.copy(folder / name, directory)
            compare(demo, Path(directory), ["model.safetensors"], runs)
    with tempfile.TemporaryDirectory() as directory:
        compare("made", Path(directory), made(Path(directory)), runs)


if __name__ == "__main__":
    main()
