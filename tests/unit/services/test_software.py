"""Images by digest: what ran is named, what never started does not count, no digest is never a pass."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.model.check import Verdict
from dalp_dr.services import software
from synthetic_drill import a_plan

DIGEST = "sha256:" + "a" * 64


def pod(*containers: dict[str, Any], init: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {"kind": "Pod", "status": {"containerStatuses": list(containers), "initContainerStatuses": list(init)}}


def container(
    image_id: str = f"docker.io/local/dalp@{DIGEST}", image: str = "docker.io/local/dalp:1", state: str = "running"
) -> dict[str, Any]:
    return {"image": image, "imageID": image_id, "state": {state: {}}}


def test_equal_images_are_counted_once() -> None:
    facts = software.facts_from([pod(container()), pod(container(), init=(container(state="terminated"),))])
    assert facts.images == (software.Image("docker.io/local/dalp:1", DIGEST, 3),)


CASES = {
    "with digests": ([pod(container())], Verdict.PASS),
    "an image that was loaded, not pulled": ([pod(container(image_id=DIGEST))], Verdict.PASS),
    "one that never started": ([pod(container(), container(image_id="", state="waiting"))], Verdict.PASS),
    "one without a digest": ([pod(container(), container(image_id="", image="other:1"))], Verdict.INCONCLUSIVE),
    "nothing ran": ([pod()], Verdict.INCONCLUSIVE),
    "no pods": ([], Verdict.INCONCLUSIVE),
}


@pytest.mark.parametrize(("pods", "verdict"), CASES.values(), ids=CASES.keys())
def test_what_passes(pods: list[dict[str, Any]], verdict: Verdict) -> None:
    assert software.software_identified(software.facts_from(pods), a_plan()).verdict is verdict
