"""A chat model of random weights with one token per byte: the whole pipeline in seconds."""

from typing import TYPE_CHECKING

import msgspec

from agent_tuning.records import Record
from agent_tuning.runtime.ranges import AtLeastOne, Seed

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

END_OF_TEXT, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class TinyModelConfig(Record, frozen=True):
    """The sizes, by the names transformers gives them."""

    seed: Seed
    hidden_size: AtLeastOne
    intermediate_size: AtLeastOne
    num_hidden_layers: AtLeastOne
    num_attention_heads: AtLeastOne
    num_key_value_heads: AtLeastOne
    max_position_embeddings: AtLeastOne

    def __post_init__(self) -> None:
        for whole, part in (
            ("hidden_size", "num_attention_heads"),
            ("num_attention_heads", "num_key_value_heads"),
        ):
            if getattr(self, whole) % getattr(self, part):
                raise ValueError(f"{whole}: expected a multiple of {part}")


def build_tokenizer() -> "PreTrainedTokenizerFast":
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    symbols = (END_OF_TEXT, START, END, *sorted(pre_tokenizers.ByteLevel.alphabet()))
    backend = Tokenizer(models.BPE({symbol: i for i, symbol in enumerate(symbols)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=START,
        eos_token=END,
        pad_token=END,
        unk_token=END_OF_TEXT,
        chat_template=CHATML,
    )


def build_model(tiny: TinyModelConfig, words: "PreTrainedTokenizerFast") -> "LlamaForCausalLM":
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = msgspec.structs.asdict(tiny)
    seed = sizes.pop("seed")
    config = LlamaConfig(
        vocab_size=len(words),
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        tie_word_embeddings=True,
        **sizes,
    )
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers go on as before
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)
