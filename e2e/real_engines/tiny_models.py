"""Makes two tiny models for the real engines: one that answers by script, and one that embeds. Each as Hugging Face
files for vLLM and as one GGUF file for Ollama, with the same weights, so that both engines say the same.

Run by the Python of vLLM's own environment, which has transformers and gguf: `python tiny_models.py FOLDER`.

The model is a real Qwen3 whose layers add nothing: the next token follows from the last one alone. A script is a chain
of tokens, each of which occurs once; the chat template picks the chain by the token that ends the prompt. All other
tokens follow each other in a random ring, which never ends.
"""

import json
import random
import sys
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

CONTEXT = 2048
WIDTH = 256
LAYERS = 2
HEADS = 4
HEAD = 64
WIDE = 512
SHARPNESS = 2.0

END = "<|im_end|>"
CONTROL = ["<|endoftext|>", "<|im_start|>", END]
# Ends of the prompt that make the model call, write a document, or go on for ever. White space, so that no engine takes
# them for a part of the answer.
TO_CALL, TO_DOCUMENT, TO_ENDLESS = "\n\n\n", "\n\n \n", "\n\n\t\n"
TAGS = ["<think>", "</think>", "<tool_call>", "</tool_call>"]
THOUGHT = ["Someone", " asks", " about", " rivers", "."]
ANSWER = ["Rivers", " carry", " cold", " water", " past", " stony", " villages", " &", " mills", " <down>", " to",
          " warm", " seas", "!", " \u00dc", "ber", " \u6cb3", " \U0001f30a"]  # fmt: skip
CALL = ['\n{"name":', ' "get_weather",', ' "arguments":', ' {"city":', ' "Paris"}}', "\n\t"]
DOCUMENT = ['{"city"', ': "Oslo",', ' "people"', ": 7", "17000", "}"]
RING = [" over", " hills", " under", " bridges", " round", " rocks"]
# What ends the prompt, and what follows it.
CHAINS = [
    ["\u010a", "<think>", *THOUGHT, "</think>", "\u010a\u010a", *ANSWER, END],
    [TO_CALL, "<tool_call>", *CALL, "</tool_call>", END],
    [TO_DOCUMENT, *DOCUMENT, END],
    [TO_ENDLESS, *RING, RING[0]],
]
WORDS = [*THOUGHT, *ANSWER, *CALL, *DOCUMENT, *RING]

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEMPLATE = """\
{%- if tools %}{{- '<|im_start|>system\\n' }}
{%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}
{{- '# Tools\\n\\nYou may call one or more functions. They are within <tools></tools>:\\n<tools>' }}
{%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}
{{- '\\n</tools>\\n\\nFor each call, return a json object within <tool_call></tool_call>:\\n<tool_call>\\n' }}
{{- '{"name": <function-name>, "arguments": <args-json-object>}\\n</tool_call><|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- elif message.role == 'assistant' %}
{{- '<|im_start|>assistant\\n' }}
{%- if message.reasoning_content %}{{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}{%- endif %}
{{- message.content or '' }}
{%- if message.tool_calls %}{%- for tool_call in message.tool_calls %}
{%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif %}
{{- '\\n<tool_call>\\n{"name": "' + tool_call.name + '", "arguments": ' }}
{%- if tool_call.arguments is string %}{{- tool_call.arguments }}
{%- else %}{{- tool_call.arguments | tojson }}{%- endif %}
{{- '}\\n</tool_call>' }}
{%- endfor %}{%- endif %}
{{- '<|im_end|>\\n' }}
{%- elif message.role == 'tool' %}
{{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{%- set off = enable_thinking is defined and enable_thinking is false %}
{%- if tools and messages[-1].role == 'user' %}{%- set last = '\\n\\n\\n' %}
{%- elif 'document' in messages[-1].content %}{%- set last = '\\n\\n \\n' %}
{%- elif 'endless' in messages[-1].content %}{%- set last = '\\n\\n\\t\\n' %}
{%- elif off %}{%- set last = '\\n\\n' %}
{%- else %}{%- set last = '\\n' %}
{%- endif %}
{{- '<|im_start|>assistant' }}
{%- if off %}{{- '\\n<think>\\n\\n</think>' }}{%- endif %}
{{- last }}
{%- endif %}"""


def tokenizer_of() -> Tokenizer:
    """Byte-level BPE, cut as Qwen's, with the scripts' words as tokens of their own."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    text = [__doc__ * 4, "\n\n".join(TEMPLATE.split()), "\n\n", "assistant user system tool\n" * 8]
    trainer = trainers.BpeTrainer(
        vocab_size=512, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(text, trainer)
    return tokenizer


def complete(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """With the words, the tags and the control tokens."""
    from tokenizers import AddedToken

    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in CONTROL])
    tokenizer.add_tokens(
        [
            AddedToken(text, special=False, normalized=False)
            for text in [*TAGS, TO_CALL, TO_DOCUMENT, TO_ENDLESS, *WORDS]
        ]
    )
    whole = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=CONTROL[0])
    whole.chat_template = TEMPLATE
    return whole


def successors(tokenizer: Tokenizer, size: int) -> dict[int, int]:
    """Which token follows which."""
    follows: dict[int, int] = {}
    for chain in CHAINS:
        for before, after in pairwise(chain):
            follows[tokenizer.token_to_id(before)] = tokenizer.token_to_id(after)
    free = [token for token in range(size) if token not in follows]
    plain = [token for token in free if token < tokenizer.get_vocab_size(with_added_tokens=False)]
    random.Random(7).shuffle(plain)
    follows |= dict(zip(plain, plain[1:] + plain[:1], strict=True))
    follows |= {token: plain[0] for token in free if token not in follows}
    return follows


def model_of(follows: dict[int, int], end: int, pad: int) -> Qwen3ForCausalLM:
    """The weights: every layer adds zero, and the head reads the last token's successor."""
    torch.manual_seed(7)
    size = len(follows)
    config = Qwen3Config(
        vocab_size=size,
        hidden_size=WIDTH,
        intermediate_size=WIDE,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS // 2,
        head_dim=HEAD,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=False,
        eos_token_id=end,
        bos_token_id=None,
        pad_token_id=pad,
        dtype="float32",
    )
    model = Qwen3ForCausalLM(config).float()
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        rows = torch.nn.functional.normalize(torch.randn(size, WIDTH), dim=-1)
        model.model.embed_tokens.weight.copy_(rows)
        head = torch.zeros(size, WIDTH)
        for before, after in follows.items():
            head[after] += rows[before] * SHARPNESS
        model.lm_head.weight.copy_(head)
    return model


def write_gguf(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, path: Path, *, embeds: bool) -> None:
    """The same model for llama.cpp."""
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_name(path.stem)
    writer.add_size_label("2M")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(WIDE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS // 2)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_rope_freq_base(float(model.config.rope_parameters["rope_theta"]))
    writer.add_layer_norm_rms_eps(model.config.rms_norm_eps)
    if embeds:
        writer.add_pooling_type(gguf.PoolingType.LAST)
    backend = tokenizer.backend_tokenizer
    size = model.config.vocab_size
    added = tokenizer.added_tokens_decoder
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([backend.id_to_token(number) for number in range(size)])
    writer.add_token_types([_kind(added.get(number)) for number in range(size)])
    merges = json.loads(backend.to_str())["model"]["merges"]
    writer.add_token_merges([one if isinstance(one, str) else " ".join(one) for one in merges])
    writer.add_eos_token_id(model.config.eos_token_id)
    writer.add_pad_token_id(model.config.pad_token_id)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    for name, weights in model.state_dict().items():
        writer.add_tensor(_ggml_name(name), weights.numpy().astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _kind(added: object) -> gguf.TokenType:
    if added is None:
        return gguf.TokenType.NORMAL
    return gguf.TokenType.CONTROL if added.special else gguf.TokenType.USER_DEFINED


def _ggml_name(name: str) -> str:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, LAYERS)
    found = names.get_name(name, try_suffixes=(".weight",))
    assert found is not None, name
    return found


def main() -> None:
    """Write `chat`, `chat.gguf`, and `embed.gguf` into the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = complete(tokenizer_of())
    backend = tokenizer.backend_tokenizer
    size = backend.get_vocab_size(with_added_tokens=True)
    follows = successors(backend, size)
    model = model_of(follows, backend.token_to_id(END), backend.token_to_id(CONTROL[0]))
    tokenizer.save_pretrained(folder / "chat")
    model.save_pretrained(folder / "chat")
    write_gguf(model, tokenizer, folder / "chat.gguf", embeds=False)
    write_gguf(model, tokenizer, folder / "embed.gguf", embeds=True)
    print(json.dumps({"vocabulary": size, "parameters": sum(one.numel() for one in model.parameters())}))


if __name__ == "__main__":
    main()
