import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.dialects import calls
from modelpool_sidecar.dialects.calls import Call, Kind, resolve
from modelpool_sidecar.dialects.dialect import Dialect, Operation
from modelpool_sidecar.dialects.errors import Reason, Refusal
from modelpool_sidecar.engines.profile import Native, Translated, Unserved
from modelpool_sidecar.engines.registry import PROFILES
from modelpool_sidecar.translation import Translation

from . import recordings

DIGEST = "sha256:" + "0aF9" * 16


def call(method: str, path: str) -> Call:
    found = resolve(method, path)
    assert isinstance(found, Call), f"{method} {path} is {found}"
    return found


def refusal(method: str, path: str) -> Refusal:
    found = resolve(method, path)
    assert isinstance(found, Refusal), f"{method} {path} is {found}"
    return found


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/ollama/v1/chat/completions", "/openai/v1/chat/completions"])
def test_prefixes_lead_to_the_same_call(path: str) -> None:
    found = call("POST", path)
    assert (found.dialect, found.operation, found.path) == (Dialect.OPENAI, Operation.CHAT, "/v1/chat/completions")
    assert {one.way(found) for one in PROFILES} == {Native(found.path)}


@pytest.mark.parametrize("translation", Translation)
@pytest.mark.parametrize("prefix", ["", "/ollama"])
def test_ollama_calls_are_native_to_ollama_and_translated_for_vllm(prefix: str, translation: Translation) -> None:
    found = call("POST", prefix + translation.value)
    assert (found.dialect, found.kind) == (Dialect.OLLAMA, Kind.INFERENCE)
    assert PROFILES["ollama"].way(found) == Native(translation.value)
    assert PROFILES["vllm"].way(found) == Translated(translation)


@pytest.mark.parametrize(
    ("method", "path", "operation", "argument"),
    [
        ("GET", "/", Operation.ROOT, ""),
        ("HEAD", "/", Operation.ROOT, ""),
        ("GET", "/ollama", Operation.ROOT, ""),
        ("GET", "/ollama/", Operation.ROOT, ""),
        ("GET", "/api/version", Operation.VERSION, ""),
        ("HEAD", "/api/tags", Operation.LIST_MODELS, ""),
        ("GET", "/ollama/api/ps", Operation.LIST_RESIDENT, ""),
        ("POST", "/api/show", Operation.SHOW_MODEL, ""),
        ("GET", "/v1/models", Operation.LIST_MODELS, ""),
        ("GET", "/openai/v1/models/Qwen/Qwen3-8B", Operation.SHOW_MODEL, "Qwen/Qwen3-8B"),
    ],
)
def test_catalog(method: str, path: str, operation: Operation, argument: str) -> None:
    found = call(method, path)
    assert (found.kind, found.operation, found.argument) == (Kind.CATALOG, operation, argument)


@pytest.mark.parametrize(
    ("method", "path", "name", "engine"),
    [
        ("POST", "/api/pull", "pull", "ollama"),
        ("DELETE", "/ollama/api/delete", "delete", "ollama"),
        ("HEAD", f"/api/blobs/{DIGEST}", "blobs", "ollama"),
        ("POST", f"/api/blobs/{DIGEST}", "blobs", "ollama"),
        ("POST", "/sleep", "sleep", "vllm"),
        ("GET", "/is_sleeping", "is_sleeping", "vllm"),
        ("POST", "/v1/load_lora_adapter", "load_lora_adapter", "vllm"),
        ("POST", "/collective_rpc", "collective_rpc", "vllm"),
    ],
)
def test_administration(method: str, path: str, name: str, engine: str) -> None:
    found = call(method, path)
    assert (found.kind, found.admin, PROFILES.with_admin(name)) == (Kind.ADMIN, name, PROFILES[engine])
    assert [one.name for one in PROFILES if not isinstance(one.way(found), Unserved)] == [engine]


def test_a_blob_keeps_its_digest() -> None:
    found = call("HEAD", f"/api/blobs/{DIGEST}")
    assert (found.argument, PROFILES["ollama"].way(found)) == (DIGEST, Native(f"/api/blobs/{DIGEST}"))


@pytest.mark.parametrize("path", ["/v1/messages/count_tokens", "/v1/rerank", "/tokenize"])
def test_calls_of_one_engine_say_so_for_the_other(path: str) -> None:
    found = call("POST", path)
    assert PROFILES["vllm"].way(found) == Native(path)
    assert isinstance(PROFILES["ollama"].way(found), Unserved)


@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/api",
        "/api/blobs/",
        "/api/blobs/../pull",
        "/api/blobs//pull",
        f"/api/blobs/{DIGEST}/",
        f"/api/blobs/{DIGEST}/../../pull",
        "/v1",
        "/v1/nope",
        "/ollamav1/models",
        "/api/v1/models",
        "/metrics",
        "/load",
        "/server_info",
        "/pause",
        "/ollama/ollama/api/tags",
        "/api//",
        "//api/pull",
        "/sleep/",
        "/v1//load_lora_adapter",
        f"//api/blobs/{DIGEST}",
        f"/api//blobs/{DIGEST}",
        "/api/blobs//sha256:ab",
    ],
)
def test_unknown_paths_never_reach_an_engine(path: str) -> None:
    assert refusal("GET", path).reason is Reason.UNKNOWN_PATH
    assert refusal("POST", path).reason is Reason.UNKNOWN_PATH


SLASHES = st.sampled_from(["/", "/", "//", "///"])
CALLS = [
    *(("POST", path) for path in calls.INFERENCE),
    *(("GET", path) for path in calls.CATALOG),
    ("POST", "/api/show"),
    ("GET", "/v1/models/Qwen/Qwen3-8B"),
]
ADMINISTRATION = [(method, path + DIGEST if path.endswith("/") else path) for method, path in calls.ADMIN]


def spelled(path: str, slashes: st.DataObject, end: bool) -> str:
    """The path with other slashes than its own."""
    pieces = ["", *path.strip("/").split("/")]
    text = "".join(piece + slashes.draw(SLASHES) for piece in pieces)
    return text if end else text.rstrip("/") or "/"


@given(
    st.sampled_from(CALLS), st.sampled_from(["", "/ollama", "/openai"]), st.sampled_from(["GET", "HEAD", "POST"]),
    st.booleans(), st.data(),
)  # fmt: skip
def test_slashes_change_no_call(
    listed: tuple[str, str], prefix: str, method: str, end: bool, slashes: st.DataObject
) -> None:
    path = (prefix if prefix != "/openai" or listed[1].startswith("/v1/") else "") + listed[1]
    odd = spelled(path, slashes, end)
    assert resolve(method, odd) == resolve(method, path)
    assert calls.dialect_of(odd) is calls.dialect_of(path)
    assert isinstance(resolve(listed[0], odd), Call)


@given(st.sampled_from(ADMINISTRATION), st.sampled_from(["", "/ollama"]), st.booleans(), st.data())
def test_administration_has_one_spelling(
    listed: tuple[str, str], prefix: str, end: bool, slashes: st.DataObject
) -> None:
    """So that who stands before the gateway can forbid it by its path."""
    method, path = listed
    odd = spelled(prefix + path, slashes, end)
    found = resolve(method, odd)
    if odd == prefix + path:
        assert isinstance(found, Call)
        assert found.kind is Kind.ADMIN
    else:
        assert isinstance(found, Refusal), found


@pytest.mark.parametrize(
    ("method", "path", "want"),
    [
        ("GET", "//api/tags", "/api/tags"),
        ("GET", "/api/tags/", "/api/tags"),
        ("GET", "/v1/models/", "/v1/models"),
        ("POST", "/v1//chat/completions", "/v1/chat/completions"),
        ("POST", "//ollama//v1//chat//completions//", "/v1/chat/completions"),
        ("HEAD", "//", "/"),
    ],
)
def test_slashes_too_many_are_no_other_path(method: str, path: str, want: str) -> None:
    assert call(method, path).path == want
    assert refusal("DELETE", path).reason is Reason.METHOD_NOT_ALLOWED


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/api/chat", "POST"),
        ("POST", "/api/tags", "GET"),
        ("GET", f"/api/blobs/{DIGEST}", "HEAD, POST"),
        ("DELETE", "/v1/models/m", "GET"),
        ("POST", "/api/delete", "DELETE"),
    ],
)
def test_wrong_methods_are_told_the_right_one(method: str, path: str, allow: str) -> None:
    found = refusal(method, path)
    assert (found.reason, found.allow) == (Reason.METHOD_NOT_ALLOWED, allow)


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("/nope", Dialect.OLLAMA),
        ("/ollama/nope", Dialect.OLLAMA),
        ("/v1/nope", Dialect.OPENAI),
        ("/ollama/v1/nope", Dialect.OPENAI),
        ("/v1/messages/batches", Dialect.ANTHROPIC),
    ],
)
def test_dialect_of_an_unknown_path(path: str, want: Dialect) -> None:
    assert calls.dialect_of(path) is want


@pytest.mark.parametrize("engine", ["ollama", "vllm"])
def test_every_recorded_good_call_is_known(engine: str) -> None:
    """A path that a real engine answered well is either served or left out on purpose."""
    left_out = {"/health", "/ping", "/version", "/metrics", "/load", "/pooling"}
    for file in sorted((recordings.ROOT / engine).glob("*.txt")):
        first = file.read_bytes().split(b"\n", 1)[0].decode().split(" ")
        if first[0] != ">>>" or first[1] == "OPTIONS":
            continue
        if first[2] in left_out or file.stem in ("64-err-404-path", "68-err-404", "69-err-405", "65-err-405-method"):
            continue
        assert isinstance(resolve(first[1], first[2]), Call), file.stem


@pytest.mark.parametrize(
    "digest",
    [
        "..",
        ".",
        "sha256:ab",
        DIGEST[:-1],
        DIGEST + "0",
        DIGEST + "\n",
        DIGEST + "\0",
        " " + DIGEST,
        "sha512:" + "0" * 64,
    ],
)
@pytest.mark.parametrize("method", ["HEAD", "POST", "GET"])
def test_a_blob_has_a_digest_and_nothing_else(digest: str, method: str) -> None:
    found = refusal(method, f"/api/blobs/{digest}")
    assert (found.reason, found.detail) == (Reason.BAD_REQUEST, "invalid digest format")
    assert isinstance(resolve("POST", "/api/blobs/" + DIGEST.replace(":", "-")), Call)


PIECES = st.sampled_from(
    ["/", "//", "..", ".", "api", "blobs", "pull", "v1", "models", "sleep", "ollama", "openai", DIGEST, "%2e", "?", "#",
     "load_lora_adapter", "chat", "completions", ";", "\0", "\n", " ", "API", "\udcff", "é"]
)  # fmt: skip


@given(path=st.lists(PIECES, max_size=9).map("".join), method=st.sampled_from(["GET", "HEAD", "POST", "DELETE"]))
def test_an_engine_is_asked_for_nothing_but_what_is_listed(path: str, method: str) -> None:
    found = resolve(method, path)
    if isinstance(found, Refusal):
        return
    asked = {way.path for way in (one.way(found) for one in PROFILES) if isinstance(way, Native)}
    if found.kind is Kind.ADMIN:
        blob = f"/api/blobs/{DIGEST}"
        assert asked == {found.path}
        assert found.path == blob or (method, found.path) in calls.ADMIN
        assert found.admin == calls.ADMIN[method, "/api/blobs/" if found.path == blob else found.path][0]
    else:
        assert not asked & {listed for _, listed in calls.ADMIN}
