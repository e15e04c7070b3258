"""The closed sets of the gateway's languages: who speaks what, and what is asked."""

from enum import StrEnum


class Dialect(StrEnum):
    """The API a caller speaks; decides how errors are worded."""

    OLLAMA = "ollama"
    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class Operation(StrEnum):
    """What is asked for, whatever the dialect. Labels metrics, so the set is closed."""

    CHAT = "chat"
    GENERATE = "generate"
    EMBED = "embed"
    RESPONSES = "responses"
    COUNT_TOKENS = "count_tokens"
    TOKENIZE = "tokenize"
    SCORE = "score"
    TRANSCRIBE = "transcribe"
    SYSTEM_ONE = "systemone"
    ROOT = "root"
    VERSION = "version"
    LIST_MODELS = "list_models"
    LIST_RESIDENT = "list_resident"
    SHOW_MODEL = "show_model"
    ADMIN = "admin"
