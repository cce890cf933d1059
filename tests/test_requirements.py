"""Which version of costmodel a plugin says that it needs."""

from __future__ import annotations

import pytest

from costmodel.plugins.requirements import unmet

MET = [
    "costmodel-nn", "costmodel-nn>=0.1", "costmodel-nn >=0.1,<2", "costmodel-nn==1.4",
    "costmodel-nn==1.4.0",
    "costmodel-nn==1.*", "costmodel-nn~=1.2", "costmodel-nn (>=1.0)", "Costmodel_NN[keras]>=1.4.0",
    "costmodel-nn!=1.3", "costmodel-nn!=2.*", "costmodel-nn<=1.4", "costmodel-nn===1.4.0",
    'costmodel-nn[testing]>=9; extra == "test"', "costmodel-extras>=9", "numpy>=9",
]  # fmt: skip
UNMET = {
    "costmodel-nn>=2": ">=2", "costmodel-nn<1": "<1", "costmodel-nn>1.4": ">1.4",
    "costmodel-nn<=1.3": "<=1.3",
    "costmodel-nn==1.5.*": "==1.5.*", "costmodel-nn~=1.5": "~=1.5", "costmodel-nn~=0.9": "~=0.9",
    "costmodel-nn!=1.4.0": "!=1.4.0", "costmodel-nn >=0.1, <1.4": ">=0.1, <1.4",
    "costmodel-nn[keras] (>=3) ; python_version > '3'": ">=3",
}  # fmt: skip


@pytest.mark.parametrize("requirement", MET)
def test_a_requirement_that_is_met(requirement: str) -> None:
    assert unmet([requirement], "1.4.0") is None


@pytest.mark.parametrize(("requirement", "versions"), UNMET.items())
def test_a_requirement_that_is_not_met_is_given_as_it_is_written(
    requirement: str, versions: str
) -> None:
    assert unmet(["attrs>=24", requirement], "1.4.0") == versions


@pytest.mark.parametrize("version", ["1.4.0.dev3", "1.4.0rc1", "1.4+local"])
def test_a_pre_release_stands_for_its_release(version: str) -> None:
    assert unmet(["costmodel-nn>=1.4"], version) is None
    assert unmet(["costmodel-nn>1.4"], version) == ">1.4"
