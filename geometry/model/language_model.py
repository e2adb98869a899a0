"""A model at work: its residuals after each layer, caught by hooks while transformers runs it."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import MissingExtraError, SourceError, UsageError
from ..heads.unembedding import Unembedding
from .residuals import Residuals

if TYPE_CHECKING:
    import torch

# L layers, the embedding's output among them; P positions; D the width.

_MOST_WRITTEN = 4096
_LAST_SEED = (1 << 32) - 1


@dataclass(frozen=True)
class Writing:
    """How a model goes on after its prompt.

    Attributes
    ----------
    tokens : int
        How many it writes at most; it stops where it says that it ends.
    temperature : float
        0 takes the first token each time; above, tokens are drawn from the softmax at it.
    seed : int
        Of what is drawn.

    Examples
    --------
    >>> Writing(tokens=-1)
    Traceback (most recent call last):
    unembed.errors.UsageError: a model writes 0 to 4096 tokens here, not -1
    """

    tokens: int = 0
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        if not 0 <= self.tokens <= _MOST_WRITTEN:
            raise UsageError(f"a model writes 0 to {_MOST_WRITTEN} tokens here, not {self.tokens}")
        if not 0 <= self.temperature <= 100:
            raise UsageError(f"the temperature is {self.temperature}; it must be 0 to 100")
        if not 0 <= self.seed <= _LAST_SEED:
            raise UsageError(f"the seed is {self.seed}; it must be 0 to {_LAST_SEED}")


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A causal language model, loaded by transformers from a folder.

    Attributes
    ----------
    path : Path
        The folder.
    model : PreTrainedModel
        In float32 on a CPU, in its own type on CUDA.
    tokenizer : PreTrainedTokenizerBase
        What makes tokens of a prompt.
    layers : Sequence of torch.nn.Module
        Its layers, the first first.

    Examples
    --------
    >>> import unembed
    >>> model = LanguageModel.open(unembed.open_head("demo").path.parent)
    >>> model.run(model.tokens_of("Tokyo is in Japan, Paris is in"), writing=Writing(1)).text
    ' France'
    """

    path: Path
    model: Any
    tokenizer: Any
    layers: Sequence["torch.nn.Module"]

    @classmethod
    def open(cls, path: Path) -> "LanguageModel":
        """Load a model from a folder; nothing is fetched, and no code of the folder runs.

        Raises
        ------
        MissingExtraError
            transformers is not installed.
        SourceError
            The folder holds no such model, or not all of it, or its layers cannot be found.
        """
        try:
            import transformers
        except ImportError as error:
            raise MissingExtraError("running a model (transformers)", extra="lens") from error
        import torch

        cuda = torch.cuda.is_available()
        given: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            with _quiet(transformers):
                tokenizer = transformers.AutoTokenizer.from_pretrained(str(path), **given)
                opened: Any = transformers.AutoModelForCausalLM.from_pretrained(
                    str(path),
                    output_loading_info=True,
                    dtype="auto" if cuda else torch.float32,
                    use_safetensors=True,
                    **given,
                )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise SourceError(
                f"{path}: transformers {transformers.__version__} cannot run this model: {error}"
            ) from error
        model, loaded = opened
        missing = sorted(loaded["missing_keys"])
        if missing:  # transformers would draw them by chance
            raise SourceError(
                f"{path}: {len(missing)} weights of {type(model).__name__} are not there, the "
                f"first is {missing[0]!r}, so it cannot be run: bring residuals in a file"
            )
        model.eval().to("cuda" if cuda else "cpu")
        return cls(path, model, tokenizer, _layers_of(path, model))

    def tokens_of(self, prompt: str, *, chat: bool = False, start: str = "") -> list[int]:
        """Make tokens of a prompt, with those that the tokenizer puts around it.

        Parameters
        ----------
        prompt : str
            What the model reads.
        chat : bool
            Put the prompt into the tokenizer's chat template, as what the user says.
        start : str
            The beginning of the answer, that the model goes on with.

        Raises
        ------
        UsageError
            There is nothing to read or what is no text, there is no chat template, or the prompt is
            longer than the model's context.
        """
        if not prompt and not start:
            raise UsageError("the prompt is empty: a lens looks at a token at least")
        if any("\ud800" <= char <= "\udfff" for char in prompt + start):
            raise UsageError(f"the prompt {prompt[:40]!r} holds bytes that are no text in UTF-8")
        if chat and self.tokenizer.chat_template is None:
            raise UsageError(f"{self.path}: the tokenizer has no chat template; leave --chat out")
        if chat:
            said = [{"role": "user", "content": prompt}]
            text = self.tokenizer.apply_chat_template(
                said, add_generation_prompt=True, tokenize=False
            )
            ids = self.tokenizer(text + start, add_special_tokens=False)["input_ids"]
        else:
            ids = self.tokenizer(prompt + start)["input_ids"]
        context = getattr(self.model.config, "max_position_embeddings", None)
        if context is not None and len(ids) > context:
            raise UsageError(f"the prompt has {len(ids):,} tokens; the model reads {context:,}")
        return [int(id_) for id_ in ids]

    def run(
        self,
        ids: Sequence[int],
        *,
        positions: Sequence[int] | None = (-1,),
        writing: Writing | None = None,
    ) -> Residuals:
        """Run the model, and keep what it holds after each layer at some positions.

        Parameters
        ----------
        ids : sequence of int
            What it reads.
        positions : sequence of int or None
            Which of them are looked at; negative ones count from the end, and None is all of them.
            Tokens that the model writes are all looked at.
        writing : Writing, optional
            How it goes on; by default not at all.

        Returns
        -------
        Residuals
            Of the positions in their order, then of each token that was written.

        Raises
        ------
        UsageError
            A position is not in the prompt.
        """
        writing = writing or Writing()
        asked = range(len(ids)) if positions is None else positions
        chosen = sorted({_position(place, len(ids)) for place in asked})
        caught = _Caught(chosen, [[] for _ in range(len(self.layers) + 1)])
        with self.watched(caught.keep):
            # One more is written, and left out: so the last token is read too.
            (written,) = self.write(ids, writing, more=1)
        new = written[:-1]
        places = [*chosen, *range(len(ids), len(ids) + len(new))]
        read = [*(ids[place] for place in chosen), *new]
        stack_LPD = np.stack([np.concatenate(steps) for steps in caught.layers])
        return Residuals(
            stack_LPD.astype(np.float64),
            tuple(places),
            tuple(read),
            written=len(new),
            prompt=self.tokenizer.decode(list(ids), skip_special_tokens=True),
            text=self.tokenizer.decode(new) if writing.tokens else None,
        )

    @contextmanager
    def watched(self, see: Callable[[int, "torch.Tensor"], None]) -> Iterator[None]:
        """Have what each layer holds shown while the model runs.

        Parameters
        ----------
        see : callable
            Is given a layer, 0 for what enters the first, and its output, shape (B, T, D); what it
            keeps of it, it copies.
        """

        def entering(_: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            see(0, given[0] if given else named["hidden_states"])

        def leaving(layer: int) -> Callable[..., None]:
            def hook(_: Any, __: Any, output: Any) -> None:
                see(layer, output[0] if isinstance(output, tuple) else output)

            return hook

        hooks = [self.layers[0].register_forward_pre_hook(entering, with_kwargs=True)]
        hooks += [
            layer.register_forward_hook(leaving(place))
            for place, layer in enumerate(self.layers, start=1)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def write(
        self, ids: Sequence[int], writing: Writing, *, runs: int = 1, more: int = 0
    ) -> list[list[int]]:
        """Have the model go on, several times at once.

        Parameters
        ----------
        ids : sequence of int
            What it has read.
        writing : Writing
            How it goes on.
        runs : int
            How often; all are drawn from one seed.
        more : int
            How many tokens it writes beyond those of `writing`.

        Returns
        -------
        list of list of int
            What each run wrote, to where it says that it ends, if it does.
        """
        import torch
        from transformers import GenerationConfig

        sampled = writing.temperature > 0
        own = self.model.generation_config
        ends = np.ravel([] if own.eos_token_id is None else own.eos_token_id).tolist()
        config = GenerationConfig(
            max_new_tokens=writing.tokens + more,
            do_sample=sampled,
            **({"temperature": writing.temperature, "top_k": 0} if sampled else {}),
            eos_token_id=ends or None,
            pad_token_id=ends[0] if ends else 0,
        )
        given = torch.tensor([list(ids)] * runs, device=self.model.device)
        with torch.random.fork_rng(), torch.inference_mode(), warnings.catch_warnings():
            torch.manual_seed(writing.seed)
            found = self.model.generate(
                given, attention_mask=torch.ones_like(given), generation_config=config
            )
        written: list[list[int]] = found[:, len(ids) :].tolist()
        return [_ended(new, ends) for new in written]


def _ended(new: list[int], ends: list[int]) -> list[int]:
    """Cut what was written after its first end: a batch goes on for the others."""
    return new[: next((place + 1 for place, id_ in enumerate(new) if id_ in ends), len(new))]


def model_of(head: Unembedding) -> LanguageModel:
    """Give the model beside a head, loaded once for as long as no other is asked for.

    Raises
    ------
    SourceError
        Only the head is here.
    MissingExtraError, SourceError
        As `LanguageModel.open`.

    Examples
    --------
    >>> import unembed
    >>> len(model_of(unembed.open_head("demo")).layers)
    18
    """
    if head.folder is None:
        raise SourceError(
            f"{head.source}: only its head is here, and no model to run: open the folder of all of "
            "it (hf download puts one into the hub's cache, where it is found), or bring residuals "
            "in a file"
        )
    return _loaded(head.folder, head.key)


@lru_cache(maxsize=1)
def _loaded(path: Path, _: str) -> LanguageModel:
    """Load a model; the head's key tells files that have changed apart."""
    return LanguageModel.open(path)


class _Caught:
    """What is caught of a run: for each layer the vectors of the positions, step by step."""

    def __init__(self, chosen: list[int], layers: list[list[np.ndarray]]) -> None:
        self.chosen, self.layers = chosen, layers

    def keep(self, layer: int, hidden_BTD: "torch.Tensor") -> None:
        """Keep the positions asked for of the prompt, and then the last of each step.

        A model that caches nothing reads all of it again in each step.
        """
        steps = self.layers[layer]
        chosen_PD = hidden_BTD[0, -1:] if steps else hidden_BTD[0, self.chosen]
        steps.append(chosen_PD.float().cpu().numpy().copy())  # what it holds may be written over


def _position(place: int, count: int) -> int:
    """Give a position from the start."""
    if not -count <= place < count:
        raise UsageError(
            f"the position {place} is not in the prompt; it has {count} tokens, 0 to {count - 1}"
        )
    return place % count


def _layers_of(path: Path, model: Any) -> Sequence["torch.nn.Module"]:
    """Find a model's layers: the one list of modules that is as long as its config says."""
    import torch

    count = model.config.get_text_config().num_hidden_layers
    lists = {
        name: list(module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.ModuleList)
    }
    fitting = [name for name, modules in lists.items() if len(modules) == count]
    if len(fitting) != 1:
        found = ", ".join(f"{name} ({len(modules)})" for name, modules in lists.items()) or "none"
        raise SourceError(
            f"{path}: the {count} layers of {type(model).__name__} cannot be found; its lists of "
            f"modules are {found}: bring residuals in a file"
        )
    return lists[fitting[0]]


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep transformers from writing while it loads; errors are raised all the same."""
    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
