"""What a pool may not say, and in which words it is told."""

import re
from typing import Any

import pytest

from modelpool_operator.planning.changes.plan import make_plan
from modelpool_operator.planning.engines import variables
from modelpool_operator.planning.engines.vllm import flags as vllm_flags
from modelpool_operator.planning.engines.vllm.arguments import arguments
from modelpool_operator.planning.objects.free_forms import REQUIRED
from modelpool_operator.planning.observation.observed import Observed
from modelpool_operator.planning.placement.spec_checks import objection_to
from modelpool_operator.tests.api.crd import ROOT, SCHEMA
from modelpool_operator.tests.planning.pools import ollama, placed, pool_of, spec_of, two_cards, vllm

SERVE_FLAGS = ROOT / "simulators" / "modelpool_simulators" / "recordings" / "vllm" / "00-serve-flags.txt"

CASES: dict[str, tuple[tuple[dict[str, Any], ...], dict[str, Any], str, str]] = {
    "no models": ((), {}, "InvalidSpec", "`models` must have at least 1 item"),
    "a name that no Service can have": (
        (vllm("a", 0.5),),
        {"name": "3d"},
        "InvalidSpec",
        "`metadata.name` must start with a letter, got '3d'",
    ),
    "one name twice": (
        (vllm("a", 0.5), ollama("A")),
        {},
        "DuplicateName",
        "names, aliases and adapters must be unique in a pool, but 'A' belongs to 'a' and 'A'",
    ),
    "an alias that is another model": (
        (vllm("a", 0.3), vllm("b", 0.3, aliases=["a"])),
        {},
        "DuplicateName",
        "names, aliases and adapters must be unique in a pool, but 'a' belongs to 'a' and 'b'",
    ),
    "an alias that is the model's own name": (
        (vllm("a", 0.3, aliases=["a"]),),
        {},
        "DuplicateName",
        "names, aliases and adapters must be unique in a pool, but 'a' belongs to 'a' twice",
    ),
    "domains for Ollama": (
        (ollama("a", allowedMediaDomains=["a.b"]),),
        {},
        "InvalidSpec",
        "`allowedMediaDomains` of a must not be set for engine 'ollama'",
    ),
    "a domain that is a URL": (
        (vllm("a", 0.3, allowedMediaDomains=["http://a.b"]),),
        {},
        "InvalidSpec",
        "`allowedMediaDomains` of a must be hosts in small letters, got 'http://a.b'",
    ),
    **{
        f"media by {told}": (
            (vllm("a", 0.3, **(given := {"args": ["--enforce-eager", told]} if of_model else {})),),
            {} if given else {"vllm": {"args": [told]}},
            "InvalidSpec",
            (
                f"{'`args` of a' if of_model else 'spec.vllm.args'} must not have {told.partition('=')[0]}: use"
                " `allowedMediaDomains` for domains, and local files are never loaded"
            ),
        )
        for of_model, told in (
            (True, "--allowed-local-media-path=/"),
            (True, "--allowed_local_media_path"),
            (True, "--allowed-l=/"),
            (True, "--allowed-med"),
            (False, "--allowed-local-media-path"),
            (False, "--allowed-media_domains"),
        )
    },
    "time-slicing over two cards": (
        (vllm("a", 0.3),),
        {"gpus": {"count": 2}},
        "SharingNotPossible",
        (
            "`gpus.count` must be 1 with sharing 'timeSlicing', got 2: the device plugin chooses the card and may put"
            " every engine on the same one; use 'visibleDevices', or one pool per card"
        ),
    ),
    "cards by index on any node": (
        (vllm("a", 0.3),),
        {"gpus": {"sharing": "visibleDevices"}},
        "NodeNotPinned",
        (
            "`nodeSelector` or `affinity.nodeAffinity` is required with sharing 'visibleDevices': the scheduler does"
            " not count these cards, so the pool must name the node that has them; what is only preferred names none"
        ),
    ),
    "cards by index where a node is only preferred": (
        (vllm("a", 0.3),),
        {
            "gpus": {"sharing": "visibleDevices"},
            "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}},
        },
        "NodeNotPinned",
        (
            "`nodeSelector` or `affinity.nodeAffinity` is required with sharing 'visibleDevices': the scheduler does"
            " not count these cards, so the pool must name the node that has them; what is only preferred names none"
        ),
    ),
    "a label of the operator's": (
        (vllm("a", 0.3),),
        {"podLabels": {"team": "a", "modelpool.dev/pool": "b"}},
        "InvalidSpec",
        "`podLabels` must not have 'modelpool.dev/pool', which is the operator's",
    ),
    "an annotation of the operator's": (
        (vllm("a", 0.3),),
        {"podAnnotations": {"modelpool.dev/gpu": "7"}},
        "InvalidSpec",
        "`podAnnotations` must not have 'modelpool.dev/gpu', which is the operator's",
    ),
    "more engines than whole cards": (
        (vllm("a", 0.3), vllm("b", 0.3, tensorParallelSize=2), ollama("c")),
        {"gpus": {"sharing": "exclusive", "count": 3}, "ollama": {"gpuMemory": "4Gi"}},
        "TooFewCards",
        (
            "`gpus.count` must be at least 4 with sharing 'exclusive', which gives every engine whole cards"
            " (a 1, b 2, ollama 1), got 3"
        ),
    ),
    "a pin where the device plugin chooses": (
        (vllm("a", 0.3, gpu=1),),
        {"gpus": {"sharing": "exclusive", "count": 2}},
        "SharingNotPossible",
        "`gpu` of a must not be set with sharing 'exclusive': the device plugin chooses the cards",
    ),
    "a pin where HAMi chooses": (
        (vllm("a", 0.3, gpu=1),),
        {"gpus": {"sharing": "hami", "count": 2}},
        "SharingNotPossible",
        "`gpu` of a must not be set with sharing 'hami': HAMi chooses the cards",
    ),
    "replicas of a claim": (
        (vllm("a", 0.3, replicas=2),),
        {"gpus": {"sharing": "dra", "count": 2}},
        "SharingNotPossible",
        (
            "`replicas` of a must be at most 1 with sharing 'dra', got 2: the pool's claims are cards of one node;"
            " make a pool for each node"
        ),
    ),
    "a vLLM model without weights": (
        ({"name": "a", "engine": "vllm", "gpuMemoryFraction": 0.3},),
        {},
        "InvalidSpec",
        "`source` of a is required for engine 'vllm'",
    ),
    "a source of no known form": (
        (vllm("a", 0.3, source="s3://bucket"),),
        {},
        "InvalidSource",
        "a: `source` must be 'hf://repository[@revision]', 'pvc://claim/path' or 'ollama://name', got 's3://bucket'",
    ),
    "a path out of its volume": (
        (vllm("a", 0.3, source="pvc://weights/../etc"),),
        {},
        "InvalidSource",
        (
            "a: `source` must be 'hf://repository[@revision]', 'pvc://claim/path' or 'ollama://name',"
            " got 'pvc://weights/../etc'"
        ),
    ),
    "Ollama's weights in vLLM": (
        (vllm("a", 0.3, source="ollama://a"),),
        {},
        "InvalidSource",
        "`source` of a must start with 'hf://' or 'pvc://' for engine 'vllm', got 'ollama://a'",
    ),
    "a repository in Ollama": (
        (ollama("a", source="hf://a/b"),),
        {},
        "InvalidSource",
        "`source` of a must start with 'ollama://' for engine 'ollama', got 'hf://a/b'",
    ),
    "no share": (
        (vllm("a"),),
        {},
        "InvalidSpec",
        "a must have exactly one of `gpuMemoryFraction` and `gpuMemory`, got 0",
    ),
    "two shares": (
        (vllm("a", 0.3, gpuMemory="8Gi"),),
        {},
        "InvalidSpec",
        "a must have exactly one of `gpuMemoryFraction` and `gpuMemory`, got 2",
    ),
    "a fraction above one": (
        (vllm("a", 1.5),),
        {},
        "InvalidSpec",
        "`gpuMemoryFraction` of a must be above 0 and at most 1, got 1.5",
    ),
    "an amount of nothing": (
        (vllm("a", gpuMemory="0"),),
        {},
        "InvalidSpec",
        "`gpuMemory` of a must be above 0",
    ),
    "a share of an Ollama model": (
        (ollama("a", gpuMemory="8Gi"),),
        {},
        "InvalidSpec",
        "a must not have a share of its own, as Ollama has one: use `ollama.gpuMemory`",
    ),
    "guessing on Ollama": (
        (ollama("a", speculative={"method": "ngram"}),),
        {},
        "InvalidSpec",
        "`speculative` of a must not be set for engine 'ollama'",
    ),
    "a draft without a model": (
        (vllm("a", 0.3, speculative={"method": "draftModel"}),),
        {},
        "InvalidSpec",
        "`speculative.model` of a must be 'hf://repository[@revision]', got nothing",
    ),
    "n-grams with a model": (
        (vllm("a", 0.3, speculative={"method": "ngram", "model": "hf://a/b"}),),
        {},
        "InvalidSpec",
        "`speculative.model` of a must not be set: 'ngram'",
    ),
    "no context": (
        (vllm("a", 0.3, contextLength=0),),
        {},
        "InvalidSpec",
        "`contextLength` of a must be at least 1, got 0",
    ),
    "replicas by demand, between bounds that leave nothing": (
        (vllm("a", 0.3, autoscaling={"minReplicas": 3, "maxReplicas": 2}),),
        {},
        "InvalidSpec",
        "`autoscaling.maxReplicas` of a must be at least 3, got 2",
    ),
    "replicas by demand, without a target": (
        (vllm("a", 0.3, autoscaling={"targetInFlight": 0}),),
        {},
        "InvalidSpec",
        "`autoscaling.targetInFlight` of a must be at least 1, got 0",
    ),
    "replicas by demand, of Ollama's": (
        (ollama("a", autoscaling={}),),
        {},
        "InvalidSpec",
        "`autoscaling` of a must not be set for engine 'ollama'",
    ),
    "an Ollama model without Ollama": (
        (ollama("a"),),
        {"ollama": {"enabled": False}},
        "InvalidSpec",
        "`ollama.enabled` must be true, as the engine of a is 'ollama'",
    ),
}


@pytest.mark.parametrize(("models", "spec", "reason", "message"), CASES.values(), ids=CASES.keys())
def test_a_pool_that_cannot_be(
    models: tuple[dict[str, Any], ...], spec: dict[str, Any], reason: str, message: str
) -> None:
    found = objection_to(pool_of(*models, **spec))
    assert found is not None
    assert (found.reason, found.message) == (reason, message)


SPELLINGS = ("{0}=1", "{0}", "{1}=1", "{1}")


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("flag", vllm_flags.OWNED)
def test_no_argument_undoes_what_a_field_says(flag: str, spelling: str) -> None:
    underscored = f"--{flag.removeprefix('--').replace('-', '_')}" if flag.startswith("--") else flag
    argument = spelling.format(flag, underscored)
    for pool, where in (
        (pool_of(vllm("a", 0.5, args=["--enforce-eager", argument, "1"])), "`args` of a"),
        (pool_of(vllm("a", 0.5), vllm={"args": [argument]}), "`vllm.args`"),
    ):
        found = objection_to(pool)
        assert found is not None
        assert found.reason == "ArgumentNotAllowed"
        assert found.message == f"{where} must not set `{flag}`, got '{argument}': {vllm_flags.OWNED[flag]}"


@pytest.mark.parametrize("argument", ["--gpu-mem", "--speculative-config.method=x", "--no-enable-lora", "--tensor_par"])
def test_an_argument_in_other_words_is_the_same(argument: str) -> None:
    assert vllm_flags.overrides([argument]) is not None


def known_flags() -> set[str]:
    """Return what vLLM's own parser says that it knows."""
    return {word for line in SERVE_FLAGS.read_text().splitlines() for word in line.split(", ") if word[:1] == "-"}


def test_every_other_argument_of_vllm_is_the_users() -> None:
    known = known_flags()
    assert len(known) > 300
    ours = {flag for flag in known if vllm_flags.overrides([flag]) is not None}
    assert {flag.replace("--no-", "--") for flag in ours} == set(vllm_flags.OWNED) & known
    values = ["--kv-cache-dtype=fp8", "--limit-mm-per-prompt", '{"image": 1}', "-O3", "--max-num-batched-tokens=8192"]
    assert vllm_flags.overrides(values) is None


def test_every_argument_that_the_operator_sets_for_the_plan_is_left_to_it() -> None:
    model = vllm("a", 0.5, source="hf://a/b@c", kvCacheMemory="1Gi", contextLength=1, tensorParallelSize=2)
    model |= {"speculative": {"method": "ngram"}, "adapters": [{"name": "l", "source": "hf://a/l"}]}
    spec = spec_of(model, **two_cards("24Gi"))
    share = placed(model, **two_cards("24Gi")).shares[0]
    given = [arg for arg in arguments(spec, spec.models[0], share) if arg.startswith("--")]
    free = {"--enable-request-id-headers", "--allowed-media-domains"}  # The second has a check of its own.
    assert [flag for flag in given if flag not in free and vllm_flags.overrides([flag]) is None] == []


@pytest.mark.parametrize("path", ["models.items.properties.args", "vllm.properties.args"])
def test_the_crd_refuses_the_same_arguments(path: str) -> None:
    schema = SCHEMA["properties"]["spec"]["properties"]
    for step in path.split("."):
        schema = schema[step]
    (rule,) = (one for one in schema["items"]["x-kubernetes-validations"] if "'-tp'" in one["rule"])
    listed = tuple(re.findall(r"startsWith\('(-[^'=]*)'", rule["rule"]))
    spelled = {f"--{flag[2:].replace('-', '_')}" if flag.startswith("--") else flag for flag in vllm_flags.OWNED}
    missed = {flag for flag in vllm_flags.OWNED.keys() | spelled if not flag.startswith(listed)}
    assert missed == {"--model"}
    assert "self == '--model' || self.startsWith('--model=')" in rule["rule"]
    others = {flag for flag in known_flags() - vllm_flags.OWNED.keys() if flag.startswith(listed)}
    assert others == {"--grpc-port", "-dpm"}


OWNED = [("vllm", name) for name in variables.OF_VLLM] + [("ollama", name) for name in variables.OF_OLLAMA]


@pytest.mark.parametrize(("field", "name"), OWNED)
def test_no_variable_undoes_the_plan(field: str, name: str) -> None:
    env: dict[str, Any] = {
        field: {"env": [{"name": "HTTPS_PROXY", "value": "http://proxy"}, {"name": name, "value": "1"}]}
    }
    found = objection_to(pool_of(vllm("a", 0.5), ollama("b"), **env))
    assert found is not None
    assert found.reason == "ArgumentNotAllowed"
    assert found.message.startswith(f"`{field}.env` must not set `{name}`: ")


@pytest.mark.parametrize("field", ["vllm", "ollama"])
def test_the_crd_refuses_the_same_variables(field: str) -> None:
    owned = variables.OF_VLLM if field == "vllm" else variables.OF_OLLAMA
    env = SCHEMA["properties"]["spec"]["properties"][field]["properties"]["env"]
    (rule,) = env["items"]["properties"]["name"]["x-kubernetes-validations"]
    assert re.findall(r"self != '(\w+)'", rule["rule"]) == list(owned)


def test_every_variable_that_the_operator_sets_is_the_plans_or_may_be_another() -> None:
    """Whoever adds a variable to an engine's pod says which of them it is."""
    shared = {"gpuMemory": "5Gi"}
    pool = pool_of(vllm("a", 0.4), ollama("b"), ollama=shared, **two_cards("24Gi"))
    pods = [one["spec"]["template"]["spec"] for one in make_plan(pool, Observed()).apply if one["kind"] == "Deployment"]
    given = {one["name"] for pod in pods for container in pod["containers"] for one in container["env"]}
    free = {"DO_NOT_TRACK", "HF_HOME", "VLLM_CACHE_ROOT", "VLLM_ENGINE_READY_TIMEOUT_S", "VLLM_NO_USAGE_STATS"}
    assert len(given) > 12
    assert given - variables.OF_VLLM.keys() - variables.OF_OLLAMA.keys() == free


SOUND = {
    "one card": (vllm("a", 0.5), {}),
    "two cards of a named node": (vllm("a", 0.5), two_cards()),
    "no card at all": (ollama("a"), {"gpus": {"sharing": "dra", "count": 4}}),
    "a node by its affinity": (
        vllm("a", 0.5),
        {
            "gpus": {"sharing": "visibleDevices"},
            "affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": []}]}}},
        },
    ),
    "no replicas": (vllm("a", 0.5, replicas=0), {}),
}


@pytest.mark.parametrize(("model", "spec"), SOUND.values(), ids=SOUND.keys())
def test_a_pool_that_can_be(model: dict[str, Any], spec: dict[str, Any]) -> None:
    assert objection_to(pool_of(model, **spec)) is None
