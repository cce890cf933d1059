"""Packages that extras bring: what is missing is named in one sentence, wherever it is needed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from costmodel.errors import MissingPackageError
from costmodel.packages import needed


def test_the_first_that_is_installed_is_imported() -> None:
    assert needed("a test", "no_such_package", "json", extra="test") is json


@pytest.mark.parametrize(
    ("modules", "extra", "message"),
    [
        (["absent.part"], "", "a test needs absent, which is not installed: pip install absent"),
        (["absent", "away"], "", "needs absent or away, which is not installed: pip"),
        (["absent"], "sweep", "which is not installed: pip install 'costmodel-nn[sweep]'"),
        (["broken"], "", "which cannot be imported (No module named 'beneath')"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named_with_what_brings_it(
    modules: list[str], extra: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.py").write_text("import beneath\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingPackageError) as raised:
        needed("a test", *modules, extra=extra)
    assert message in str(raised.value)
    sys.modules.pop("broken", None)
