"""The gateway finds a pool's ConfigMap by the name that the operator gives it: two programs, one rule."""

from hypothesis import given
from hypothesis import strategies as st

from modelpool_operator.api import names
from modelpool_sidecar.discovery.sources import objects, ownership, reading


@given(st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", fullmatch=True))
def test_a_pools_config_map_has_one_name(pool: str) -> None:
    assert ownership.routes_name(pool) == names.routes_name(pool)


def test_label_key_and_owner_are_spelt_alike() -> None:
    assert f"{names.ROUTES_LABEL}=true" == objects.ROUTES_SELECTOR
    assert (ownership.GROUP, ownership.KIND, reading.ROUTES_KEY) == (names.GROUP, names.KIND, names.ROUTES_KEY)
