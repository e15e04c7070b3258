"""What a reader and the API server ask of the CRD's schema beyond its agreement with the types."""

import re
import runpy

import yaml

from modelpool_operator.tests.api.crd import CRD, FIELDS, ROOT

SPEC_FIELDS = {path: field for path, field in FIELDS.items() if path.startswith(".spec")}


def test_every_field_has_a_description() -> None:
    # Kubernetes allows no description of `metadata`.
    assert [path for path, field in FIELDS.items() if "description" not in field and path != ".metadata"] == []


def test_descriptions_are_sentences() -> None:
    texts = {path: field["description"] for path, field in FIELDS.items() if path != ".metadata"}
    assert [path for path, text in texts.items() if not re.match(r"[A-Z`]|vLLM", text)] == []
    assert [path for path, text in texts.items() if not text.endswith(".")] == []


def test_lists_and_strings_of_the_spec_are_bounded() -> None:
    """The API server estimates the cost of rules from these bounds."""
    lists = [path for path, field in SPEC_FIELDS.items() if field.get("type") == "array" and "maxItems" not in field]
    strings = [
        path
        for path, field in SPEC_FIELDS.items()
        if field.get("type") == "string" and "maxLength" not in field and "enum" not in field
    ]
    assert (lists, strings) == ([], [])


def test_every_list_says_how_it_is_merged() -> None:
    lists = [path for path, field in FIELDS.items() if field.get("type") == "array"]
    assert [path for path in lists if "x-kubernetes-list-type" not in FIELDS[path]] == []


def test_every_rule_says_what_must_be() -> None:
    rules = [rule for field in FIELDS.values() for rule in field.get("x-kubernetes-validations", [])]
    assert len(rules) > 30
    assert [rule for rule in rules if " must " not in f" {rule.get('message') or rule['messageExpression'][1:]}"] == []


def test_the_reference_is_up_to_date() -> None:
    generator = runpy.run_path(str(ROOT / "tools" / "crd_docs.py"))
    written = (ROOT / "docs" / "reference" / "modelpool.md").read_text()
    assert written == generator["reference"](CRD), "run: python tools/crd_docs.py"


def test_the_reference_shows_no_placeholders() -> None:
    written = (ROOT / "docs" / "reference" / "modelpool.md").read_text()
    assert re.findall(r"%[sd]|%\.|\(\[|\+ self", written) == []


def test_the_crd_is_one_document() -> None:
    assert len(list(yaml.safe_load_all((ROOT / "crds" / "modelpools.yaml").read_text()))) == 1
