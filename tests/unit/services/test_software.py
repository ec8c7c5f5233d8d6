"""Images by digest: what ran is named, what never started does not count, no digest is told as none."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.services.software import Image, facts_from

NAME, DIGEST = "docker.io/local/dalp:1", "sha256:" + "a" * 64
ONE = Image(NAME, DIGEST, 1)


def pod(*containers: dict[str, Any], init: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {"kind": "Pod", "status": {"containerStatuses": list(containers), "initContainerStatuses": list(init)}}


def container(image_id: str = f"docker.io/local/dalp@{DIGEST}", image: str = NAME, state: str = "running") -> dict[str, Any]:
    return {"image": image, "imageID": image_id, "state": {state: {}}}


CASES = {
    "pulled": ([pod(container())], (ONE,)),
    "loaded, not pulled": ([pod(container(image_id=DIGEST))], (ONE,)),
    "equal ones are counted": ([pod(container()), pod(container(), init=(container(state="terminated"),))], (Image(NAME, DIGEST, 3),)),
    "one that never started": ([pod(container(), container(image_id="", state="waiting"))], (ONE,)),
    "one without a digest": ([pod(container(image_id=""))], (Image(NAME, "", 1),)),
    "nothing ran": ([pod(), {"kind": "Pod"}], ()),
}


@pytest.mark.parametrize(("pods", "images"), CASES.values(), ids=CASES.keys())
def test_what_is_recorded(pods: list[dict[str, Any]], images: tuple[Image, ...]) -> None:
    assert facts_from(pods).images == images
