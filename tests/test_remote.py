"""Heads on a hub and on other hosts, against real servers, good and bad ones."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from unembed import open_head
from unembed.cli import main
from unembed.errors import CheckpointError, RemoteError, SourceError, UsageError
from unembed.geometry.remote import parts, transport
from unembed.geometry.remote.address import Address, address_of
from unembed.geometry.remote.answers import sent_on
from unembed.indexes.progress import FETCHING
from unembed.indexes.store import cache_directory

from .served import (
    COMMIT,
    TOKEN,
    World,
    always_hangs_up,
    busy,
    changes_half_way,
    cuts_each_answer,
    drips,
    lies_about_the_range,
    lies_about_the_size,
    never_ends,
    sends_on,
    served,
    serves_no_ranges,
    sharded,
)

Make = Callable[..., Path]
COMMAND = "from unembed.cli import main; main()"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Wait and fetch in small steps; have a cache of the hub's own, and no token."""
    monkeypatch.setattr(transport, "_FIRST_WAIT", 0.001)
    monkeypatch.setattr(parts, "_PART", 1000)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))


@pytest.fixture
def files(make_checkpoint: Make) -> Path:
    rng = np.random.default_rng(0)
    rows = torch.from_numpy(rng.standard_normal((300, 16))).to(torch.bfloat16)
    norm = torch.from_numpy(rng.standard_normal(16)).to(torch.bfloat16)
    tensors = {
        "lm_head.weight": rows,
        "model.norm.weight": norm,
        "model.layers.0.w": torch.ones(99),
    }
    config = {"tie_word_embeddings": False, "hidden_size": 16, "vocab_size": 300}
    return make_checkpoint(tensors=tensors, config=config)


@pytest.fixture
def hub(files: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with served(files) as world:
        monkeypatch.setattr(constants, "ENDPOINT", world.hub)
        yield world


def test_a_head_of_a_hub_is_the_one_on_disk(hub: World, files: Path) -> None:
    there, here = open_head("org/model"), open_head(files)
    assert there.rows.codes_VD.tobytes() == here.rows.codes_VD.tobytes()
    assert (there.tensor, there.tied, there.architecture) == (here.tensor, here.tied, None)
    assert there.final_norm is not None
    assert here.final_norm is not None
    np.testing.assert_array_equal(there.final_norm.weight_D, here.final_norm.weight_D)
    answer, wanted = (head.nearest("king", top=5).neighbours for head in (there, here))
    assert answer == wanted
    assert there.source == "org/model"
    assert (there.commit, here.commit) == (COMMIT, None)
    assert ("commit", COMMIT) in there.info().facts()


def test_what_is_fetched_is_fetched_once(hub: World) -> None:
    open_head("org/model")
    asked = [one.path for one in hub.asked if one.path.endswith("/config.json")]
    assert asked == [
        "/org/model/resolve/main/config.json",
        f"/api/resolve-cache/models/org/model/{COMMIT}/config.json",
    ]
    before = len(hub.asked)
    open_head("org/model")
    assert [one.path for one in hub.asked[before:]] == [
        "/org/model/resolve/main/config.json",
        f"/api/resolve-cache/models/org/model/{COMMIT}/config.json",
    ]
    assert hub.sent() < 200_000
    before = len(hub.asked)
    open_head("org/model", revision=COMMIT)
    assert hub.asked[before:] == []


def test_only_the_header_and_the_head_are_read(
    hub: World, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a checkpoint as large as many, within a hundredth of what is needed."""
    header = {}
    at = 0
    sizes = {"lm_head.weight": (20_000, 64), "model.norm.weight": (64,)}
    layers = {f"model.layers.{n}.mlp.weight": (1 << 17, 1 << 12) for n in range(130)}
    for name, shape in {**layers, **sizes}.items():
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    assert at > 139e9
    packed = json.dumps(header).encode()
    with (files / "model.safetensors").open("wb") as file:
        file.write(len(packed).to_bytes(8, "little") + packed)
        file.truncate(8 + len(packed) + at)
    config = {"tie_word_embeddings": False, "hidden_size": 64, "vocab_size": 20_000}
    (files / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr(parts, "_PART", 1 << 18)
    open_head("org/model")
    small = sum((files / name).stat().st_size for name in ("config.json", "tokenizer.json"))
    needed = 8 + len(packed) + 2 * 20_000 * 64 + 2 * 64 + small
    assert needed <= hub.sent() < 1.01 * needed + len((files / "config.json").read_bytes())
    kept = sum(path.stat().st_size for path in (cache_directory() / "remote").rglob("*"))
    assert kept < 1.1 * needed


def test_shards_are_asked_for_what_they_hold_of_the_head(hub: World, files: Path) -> None:
    one, other = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    here = open_head(files).rows.codes_VD.tobytes()
    sharded(files, {one: ["model.layers.0.w"], other: ["lm_head.weight", "model.norm.weight"]})
    assert open_head("org/model").rows.codes_VD.tobytes() == here
    assert not any(one in asked.path for asked in hub.asked)
    asked = len(hub.asked)
    open_head("org/model")
    assert len(hub.asked) == asked + 2  # which commit it is
    with pytest.raises(UsageError, match="a shard of a larger checkpoint"):
        open_head(f"hf://org/model/{one}")
    named = open_head(f"hf://org/model/{other}", tensor="lm_head.weight")
    assert named.rows.codes_VD.tobytes() == here


def test_a_plain_host_of_files_is_read_too(hub: World, files: Path) -> None:
    here = open_head(files).rows.codes_VD.tobytes()
    before = len(hub.asked)
    url = f"{hub.large}/model.safetensors?sign=yes"
    there = open_head(url, tokenizer=files / "tokenizer.json", tensor="lm_head.weight")
    assert there.rows.codes_VD.tobytes() == here
    assert {one.host for one in hub.asked[before:]} == {"large"}
    with pytest.raises(UsageError, match="revisions are of a model hub"):
        open_head(url, revision="main")


def test_the_token_goes_to_the_hub_and_to_no_other_host(
    hub: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.gated = True
    with pytest.raises(RemoteError, match=r"401: it is gated.*HF_TOKEN"):
        open_head("org/model")
    (tmp_path / "token").write_text("hf_wrong")
    with pytest.raises(RemoteError, match="403"):
        open_head("org/model")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    open_head("org/model")
    assert all("authorization" not in one.headers for one in hub.asked if one.host == "large")
    assert any(one.headers.get("authorization") == f"Bearer {TOKEN}" for one in hub.asked)
    hub.asked.clear()
    with pytest.raises(SourceError):
        open_head(f"{hub.large}/model.safetensors")
    assert all("authorization" not in one.headers for one in hub.asked)


def test_a_netrc_is_not_asked_for_passwords(
    hub: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    open_head("org/model")
    assert all("authorization" not in one.headers for one in hub.asked)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (serves_no_ranges, "serves no parts of files"),
        (lies_about_the_range, r"says that it gives 'bytes \d"),
        (lies_about_the_size, "gives 'bytes"),
        (always_hangs_up, "tried 5 times"),
        (never_ends, "more comes than"),
        (sends_on("file:///etc/passwd"), "sends on to 'file:///etc/passwd'"),
        (sends_on("gopher://127.0.0.1/"), "where nothing is read"),
        (sends_on(""), "sends on to ''"),
        (busy(99, wait="9999"), "asks to wait 9999 s"),
        (busy(99, status=503, wait=None), "answers 503"),
        (busy(1, status=418), "answers 418"),
        (busy(1, status=416), "ends before what is asked"),
    ],
)
def test_a_host_that_misbehaves_is_refused(
    hub: World, fault: Callable[..., bool], said: str
) -> None:
    hub.fault = fault
    with pytest.raises(RemoteError, match=said):
        open_head("org/model")
    hub.fault = None
    open_head("org/model")


def test_a_file_that_changes_half_way_is_told(hub: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_CONNECTIONS", 1)
    hub.fault = changes_half_way
    with pytest.raises(RemoteError, match="has changed while it was read"):
        open_head("org/model")


def test_a_circle_of_redirects_ends(hub: World) -> None:
    hub.fault = sends_on(f"{hub.hub}/org/model/resolve/main/model.safetensors")
    with pytest.raises(RemoteError, match="sent on more than 5 times"):
        open_head("org/model")


def test_an_answer_that_drips_is_given_up(hub: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_PATIENCE", 0.3)
    hub.fault = drips
    with pytest.raises(RemoteError, match=r"bytes came in \d+ s"):
        open_head("org/model")


@pytest.mark.parametrize("fault", [cuts_each_answer, busy(3), busy(2, status=502, wait=None)])
def test_breaks_are_made_up_for(hub: World, files: Path, fault: Callable[..., bool]) -> None:
    hub.fault = fault
    here = open_head(files).rows.codes_VD.tobytes()
    assert open_head("org/model").rows.codes_VD.tobytes() == here


def test_it_goes_on_where_it_broke_off(hub: World, files: Path) -> None:
    """A second try fetches what the first had not; and a note that is damaged costs only time."""

    def breaks(_: Any, __: Path, count: int) -> bool:
        if count > 5:
            raise ConnectionResetError
        return False

    hub.fault = breaks
    with pytest.raises(RemoteError):
        open_head("org/model")
    (noted,) = cache_directory().rglob("*.noted")
    came = noted.read_bytes().count(1)
    assert came > 0
    hub.fault, before = None, hub.sent()
    progress: list[tuple[str, int, int]] = []
    head = open_head("org/model", progress=lambda *told: progress.append(told))
    assert head.rows.codes_VD.tobytes() == open_head(files).rows.codes_VD.tobytes()
    size = head.rows.codes_VD.nbytes
    assert hub.sent() - before < size - 1000 * (came - 1) + 20_000
    steps = [told for told in progress if told[0] == f"{FETCHING} lm_head.weight"]
    assert steps[-1][1:] == (size, size)
    assert not list(cache_directory().rglob("*.noted"))
    assert not list(cache_directory().rglob("*.part"))


def test_ctrl_c_stops_all_parts(hub: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_head("org/model", progress=interrupt)
    assert not any("ThreadPool" in one.name for one in threading.enumerate())
    open_head("org/model")


@pytest.mark.parametrize("damage", [b"", b"\0" * 400, None])
def test_a_kept_tensor_that_is_damaged_is_fetched_again(
    hub: World, files: Path, damage: bytes | None
) -> None:
    kept = open_head("org/model").path
    if damage is None:
        kept.write_bytes((files / "model.safetensors").read_bytes())  # whole, but another
    else:
        kept.write_bytes(damage)
    assert (
        open_head("org/model").rows.codes_VD.tobytes() == open_head(files).rows.codes_VD.tobytes()
    )


def test_offline_what_is_here_is_taken(hub: World, monkeypatch: pytest.MonkeyPatch) -> None:
    open_head("org/model", revision="v1")
    asked = len(hub.asked)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(RemoteError, match="HF_HUB_OFFLINE forbids"):
        open_head("org/model")
    with pytest.raises(RemoteError, match="HF_HUB_OFFLINE forbids"):
        open_head("org/model", revision="v2")
    open_head("org/model", revision="v1")
    assert len(hub.asked) == asked


def test_without_a_hub_the_last_commit_is_taken(
    hub: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    open_head("org/model")
    hub_down = "http://127.0.0.1:9"
    assert not hub_down.endswith(hub.hub)
    monkeypatch.setattr(constants, "ENDPOINT", hub_down)
    with pytest.raises(RemoteError, match="was never opened"):
        open_head("org/model")


def test_the_cache_of_the_hub_is_read_first(
    hub: World, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As transformers or `hf download` leave it: links in snapshots to blobs."""
    repo = tmp_path / "hub" / "models--org--model"
    snapshot = repo / "snapshots" / COMMIT
    (repo / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    for path in files.iterdir():
        (repo / "blobs" / path.name).write_bytes(path.read_bytes())
        (snapshot / path.name).symlink_to(f"../../blobs/{path.name}")
    head = open_head("org/model")
    assert head.path == snapshot / "model.safetensors"
    assert [one.path for one in hub.asked if one.host == "large"] == []
    asked = len(hub.asked)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert open_head("org/model").path == head.path
    assert len(hub.asked) == asked


def test_the_cache_of_the_hub_may_have_the_one_shard_alone(
    hub: World, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    sharded(files, {one: ["model.layers.0.w"], other: ["lm_head.weight", "model.norm.weight"]})
    snapshot = tmp_path / "hub" / "models--org--model" / "snapshots" / COMMIT
    shutil.copytree(files, snapshot)
    (snapshot / one).unlink()
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert open_head("org/model").path == snapshot / other
    assert hub.asked == []


def test_what_is_not_on_the_hub_is_said(hub: World, files: Path) -> None:
    with pytest.raises(RemoteError, match=r"there is no directory org/other, and .* is gated"):
        open_head("org/other")
    with pytest.raises(RemoteError, match="no such revision"):
        open_head("org/model", revision="v7")
    model = files / "model.safetensors"
    model.rename(files / "other.safetensors")
    with pytest.raises(RemoteError, match=r"model\.safetensors: the host has no such file"):
        open_head("org/model")
    (files / "other.safetensors").rename(model)
    (files / "tokenizer.json").unlink()
    with pytest.raises(RemoteError, match=r"tokenizer\.json: .* give --tokenizer FILE"):
        open_head("org/model")


def test_a_host_that_is_not_known_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://no-such-host.invalid")
    says = (
        r"^there is no directory no/such, and .* was never opened: .*no host no-such-host\.invalid"
    )
    with pytest.raises(RemoteError, match=says):
        open_head("no/such")


def test_a_file_of_a_hub_needs_no_configuration_beside_it(hub: World, files: Path) -> None:
    (files / "config.json").unlink()
    with pytest.raises(RemoteError, match=r"config\.json: the host has no such file"):
        open_head("org/model")
    head = open_head("hf://org/model/model.safetensors")
    assert (head.rows.count, head.info().commit) == (300, COMMIT)


@pytest.mark.parametrize("commit", ["", "../../../etc", "not a commit", "0" * 99])
def test_a_host_that_is_no_hub_is_told(hub: World, commit: str) -> None:
    hub.commit = commit
    with pytest.raises(RemoteError, match="X-Repo-Commit"):
        open_head("org/model")


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff" * 64,
        (1 << 62).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"{}" + b"\0" * 99,
        (64).to_bytes(8, "little")
        + b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}'.ljust(64)
        + bytes(4),
        (64).to_bytes(8, "little")
        + b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}'.ljust(64)
        + bytes(4),
    ],
)
def test_a_header_that_lies_is_refused(hub: World, files: Path, header: bytes) -> None:
    (files / "model.safetensors").write_bytes(header)
    with pytest.raises(SourceError):
        open_head("org/model")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_small_files_have_a_bound(
    hub: World, files: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (files / name).open("ab") as file:
        file.truncate(1 << 40)  # as large as a disk, on a disk that has it not
    with pytest.raises(RemoteError, match="at most"):
        open_head("org/model")
    assert hub.sent() < 4 << 20


def test_shards_elsewhere_are_not_followed(hub: World, files: Path) -> None:
    sharded(files, {"a.safetensors": ["lm_head.weight", "model.norm.weight", "model.layers.0.w"]})
    for shard in ("../a.safetensors", "/etc/a.safetensors", "http://127.0.0.1/a.safetensors"):
        index = {"weight_map": {"lm_head.weight": shard}}
        (files / "model.safetensors.index.json").write_text(json.dumps(index))
        with pytest.raises(CheckpointError, match="same directory"):
            open_head("org/model")
        for path in cache_directory().rglob("*.index.json"):
            path.unlink()


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("org/model", Address("org/model")),
        ("hf://org/model", Address("org/model")),
        ("hf://gpt2", Address("gpt2")),
        ("hf://org/model@v1", Address("org/model", "v1")),
        ("hf://org/model@refs/pr/1", None),
        ("hf://org/model/a.safetensors", Address("org/model", "main", "a.safetensors")),
        ("hf://org/model@v1/a.safetensors", Address("org/model", "v1", "a.safetensors")),
        ("demo", None),
        ("./org/model", None),
        ("/org/model", None),
        ("org/model/more", None),
        ("model.safetensors", None),
    ],
)
def test_addresses_are_told_from_paths(source: str, address: Address | None) -> None:
    if source.endswith("pr/1"):
        with pytest.raises(UsageError):
            address_of(source)
        return
    assert address_of(source) == address


@pytest.mark.parametrize(
    "source",
    [
        "hf://",
        "hf://org/model/../../etc",
        "hf://org/model/a.bin",
        "hf://org/model@",
        "https://host/model.bin",
        "https://me:secret@host/a.safetensors",
        "ftp://host/a.safetensors",
        "file:///a.safetensors",
        "https:///a.safetensors",
    ],
)
def test_addresses_that_name_nothing_are_refused(source: str) -> None:
    if source == "hf://org/model@":
        assert address_of(source) == Address("org/model")
        return
    with pytest.raises(UsageError) as caught:
        address_of(source)
    assert "secret" not in str(caught.value)


def test_a_directory_of_the_name_is_taken_before_the_hub(
    hub: World, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "org").mkdir()
    (tmp_path / "org" / "model").symlink_to(files)
    monkeypatch.chdir(tmp_path)
    open_head("org/model")
    assert hub.asked == []


def test_the_command_line_reads_a_hub(hub: World, tmp_path: Path) -> None:
    hub.gated = True
    environment = {
        **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        "HF_ENDPOINT": hub.hub,
        "HF_TOKEN": TOKEN,
        "HF_HOME": str(tmp_path / "hf"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-c", COMMAND, "near", "org/model", "king", "--json"]
    for more in ({}, {"HF_HUB_OFFLINE": "1"}):
        ran = subprocess.run(
            [*command, "--revision", "v1"],
            env=environment | more,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert json.loads(ran.stdout)["source"] == "org/model"
    hub.asked.clear()
    ran = subprocess.run(
        [*command, "--revision", "v9"], env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "Traceback" not in ran.stderr
    assert "no such revision" in ran.stderr
    assert TOKEN not in ran.stderr


def test_a_model_whose_head_alone_is_here_is_not_run(hub: World) -> None:
    with pytest.raises(SourceError, match="only its head is here"):
        open_head("org/model").lens("king")


def test_the_cache_lists_what_was_fetched(hub: World, capsys: pytest.CaptureFixture[str]) -> None:
    def cached(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["cache", *arguments])
        assert ended.value.code == 0
        return capsys.readouterr().out

    open_head(f"{hub.large}/model.safetensors?sign=yes", tokenizer=_tokenizer(hub))
    open_head("org/model")
    listed = [json.loads(line) for line in cached("--json").splitlines()]
    sources = {(one["source"], one["name"]) for one in listed}
    assert (f"{hub.large}/model.safetensors", "lm_head.weight") in sources
    assert (f"{hub.hub}/org/model/resolve/{COMMIT}/model.safetensors", "lm_head.weight") in sources
    assert {"config.json", "tokenizer.json"} <= {name for _, name in sources}
    assert "sign=yes" not in cached()
    cached("--clear")
    assert not list((cache_directory() / "remote").rglob("*"))
    assert cached("--json") == ""
    open_head("org/model")


def test_another_host_cannot_put_its_rows_in_the_place_of_the_hubs(
    hub: World, files: Path, tmp_path: Path
) -> None:
    """Its file has the same name, size, header and ETag, and other rows."""
    evil = tmp_path / "evil"
    shutil.copytree(files, evil)
    true = (files / "model.safetensors").read_bytes()
    (evil / "model.safetensors").write_bytes(true[:-2000] + bytes(2000))
    times = (files / "model.safetensors").stat()
    os.utime(evil / "model.safetensors", ns=(times.st_atime_ns, times.st_mtime_ns))
    with served(evil) as world:
        url = f"{world.large}/model.safetensors?sign=yes"
        poisoned = open_head(url, tokenizer=_tokenizer(hub)).rows.codes_VD.tobytes()
    here = open_head(files).rows.codes_VD.tobytes()
    assert poisoned != here
    assert open_head("org/model").rows.codes_VD.tobytes() == here


def _tokenizer(hub: World) -> Path:
    return hub.files / "tokenizer.json"


@pytest.mark.parametrize("damage", [b"", b"{}\n{}", b'{"size": 9, "etag": null}\n{}', b"\xff\n"])
def test_a_kept_header_that_is_damaged_is_read_again(
    hub: World, files: Path, damage: bytes
) -> None:
    here = open_head(files).rows.codes_VD.tobytes()
    open_head("org/model")
    (header,) = cache_directory().rglob("*.header")
    header.write_bytes(damage)
    assert open_head("org/model").rows.codes_VD.tobytes() == here


@pytest.mark.parametrize(
    ("here", "there", "goes"),
    [
        ("https://a/b", "https://c/d", True),
        ("https://a/b", "/d", True),
        ("http://a/b", "https://c/d", True),
        ("https://a/b", "http://c/d", False),
        ("https://a/b", "//c/d", True),
        ("http://a/b", "file:///d", False),
        ("http://a/b", "data:text/plain,a", False),
    ],
)
def test_a_redirect_does_not_leave_https(here: str, there: str, goes: bool) -> None:
    if goes:
        assert sent_on(here, there).startswith("https")
        return
    with pytest.raises(RemoteError, match="where nothing is read"):
        sent_on(here, there)
