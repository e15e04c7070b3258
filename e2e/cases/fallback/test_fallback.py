"""While an engine cannot answer, Ollama answers in its place, and nobody notices."""

from modelpool_cluster import waiting
from modelpool_under_test.node.pool import MODEL, Pool
from modelpool_under_test.node.release import Release


def test_who_waits_for_a_card_falls_back_and_says_behind_whom(release: Release, pool: Pool) -> None:
    (old,) = pool.pods(MODEL)
    with pool.holding_card(0, "a slow model"):
        pool.delete_pod(old)
        pool.wait_for_another(old)

        def told() -> bool:
            model = next(one for one in pool.status()["models"] if one["name"] == MODEL)
            assert (model["state"], model["servedBy"]) == ("Fallback", "ollama"), model
            assert model["message"] == "Waiting for card 0 (behind a slow model)", model
            return True

        waiting.wait_for("the status", told, timeout=120)
        answer = release.chat(MODEL)
        assert (answer.status, answer.route) == (200, "fallback"), answer
    pool.wait_until_ready()
    release.wait_for_route(MODEL, "primary")


def test_a_killed_engine_falls_back_and_comes_back(release: Release, pool: Pool) -> None:
    name = pool.kill_engine(MODEL)
    routes = []

    def back() -> bool:
        answer = release.chat(MODEL)
        assert answer.status == 200, answer  # nobody notices
        routes.append(answer.route)
        (pod,) = pool.pods(MODEL)
        assert pod["metadata"]["name"] == name, "the container is restarted, not the pod replaced"
        restarts = pod["status"]["containerStatuses"][0]["restartCount"]
        return "fallback" in routes and answer.route == "primary" and restarts > 0

    waiting.wait_for(f"{MODEL} to fall back and come back", back, timeout=120)
    pool.wait_until_ready()
