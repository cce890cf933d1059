"""Device files of version 1: refused with the way to convert, and converted."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from console import good, run
from test_devicefile import GOOD, load

from costmodel.devicefile import OLD_SCHEMA, SCHEMA, converted
from costmodel.errors import DeviceFileError

HEAD = f"schema: {SCHEMA}\n"
OLD = f"# a toy\nschema: {OLD_SCHEMA}   # the version\n\n" + GOOD.replace(HEAD, "")


def test_a_file_of_version_1_is_refused_with_the_way_to_convert() -> None:
    with pytest.raises(DeviceFileError) as caught:
        load(OLD)
    way = "to convert it: costmodel devices convert FILE -o NEW"
    found = f"schema: expected '{SCHEMA}', found '{OLD_SCHEMA}'; {way}"
    assert caught.value.mistakes == (found,)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OLD, OLD.replace(OLD_SCHEMA, SCHEMA)),
        (OLD.replace("\n", "\r\n"), OLD.replace(OLD_SCHEMA, SCHEMA).replace("\n", "\r\n")),
        (f"\ufeff{OLD}", f"\ufeff{OLD.replace(OLD_SCHEMA, SCHEMA)}"),
        (f"# \U0001f600 µ\n{OLD}", f"# \U0001f600 µ\n{OLD.replace(OLD_SCHEMA, SCHEMA)}"),
        (
            f"title: '{OLD_SCHEMA}'\nschema: '{OLD_SCHEMA}'",
            f"title: '{OLD_SCHEMA}'\nschema: '{SCHEMA}'",
        ),
        (f'{{"schema": "{OLD_SCHEMA}"}}', f'{{"schema": "{SCHEMA}"}}'),
        (r'schema: "costmodel\/device\/1" # one', f'schema: "{SCHEMA}" # one'),
        (f"schema: >-\n  {OLD_SCHEMA}\nname: a\n", f"schema: >-\n  {SCHEMA}\nname: a\n"),
        (f"schema: {OLD_SCHEMA}", f"schema: {SCHEMA}"),
    ],
)
def test_only_the_schema_of_a_file_changes(old: str, new: str) -> None:
    assert converted(old.encode(), "toy.yaml").decode() == new


def test_a_converted_file_is_the_same_device() -> None:
    device = load(converted(OLD.encode(), "toy.yaml").decode())
    assert device.parameters == load(GOOD).parameters


def test_what_is_wrong_with_a_file_stays_for_the_check_of_the_new_one() -> None:
    text = converted(OLD.replace("2 pJ", "2 pW").encode(), "toy.yaml").decode()
    with pytest.raises(DeviceFileError, match="expected a quantity in J"):
        load(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.encode(), f"schema: '{SCHEMA}' already, nothing to convert"),
        (GOOD.replace(HEAD, "").encode(), f"schema: expected '{OLD_SCHEMA}', .* found None"),
        (b"schema: costmodel/device/9", f"schema: expected '{OLD_SCHEMA}', .*'costmodel/device/9'"),
        (b"schema: [a]", rf"schema: expected '{OLD_SCHEMA}', .* found \['a'\]"),
        (b"schema: costmodel/network/2", "found 'costmodel/network/2'"),
        (b"- a list", f"schema: expected '{OLD_SCHEMA}', .* found None"),
        (b"", "found None"),
        (b"a: [", "not YAML"),
        (b"\xff\xfe\xff", "not YAML"),
        (OLD.encode("utf-16"), "expected text in UTF-8"),
        (f"{OLD}schema: {OLD_SCHEMA}\n".encode(), "key 'schema' stands twice"),
        (f"a: &x 1\nb: *x\nschema: {OLD_SCHEMA}\n".encode(), "aliases"),
    ],
)
def test_what_is_not_a_file_of_version_1_is_not_converted(text: bytes, message: str) -> None:
    with pytest.raises(DeviceFileError, match=f"^toy.yaml: 1 mistake\n  .*{message}"):
        converted(text, "toy.yaml")


# ------------------------------------------------------------------ the command


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file of version 1."""
    file = tmp_path / "old.yaml"
    file.write_text(OLD)
    return file


def test_the_command_writes_the_new_file_and_leaves_the_old_one(old: Path) -> None:
    new = old.parent / "new.yaml"
    assert good("devices", "convert", old, "-o", new) == ""
    assert new.read_text() == OLD.replace(OLD_SCHEMA, SCHEMA)
    assert old.read_text() == OLD
    assert "good (toy" in good("devices", "validate", new)


def test_the_command_writes_to_standard_output_by_default(old: Path) -> None:
    shown = good("devices", "convert", old)
    assert yaml.safe_load(shown) == yaml.safe_load(OLD.replace(OLD_SCHEMA, SCHEMA))
    assert "# the version" in shown


def test_the_command_never_overwrites_its_input(old: Path) -> None:
    link = old.parent / "link.yaml"
    link.symlink_to(old.name)
    for target in (old, link):
        done = run("devices", "convert", old, "-o", target)
        assert done.exit_code == 2
        assert "the command reads this file" in done.stderr
    assert old.read_text() == OLD


@pytest.mark.parametrize(
    ("text", "message"),
    [(GOOD, "already, nothing to convert"), ("a: [", "not YAML"), (None, "cannot be read")],
)
def test_the_command_refuses_what_is_not_a_file_of_version_1_and_writes_nothing(
    tmp_path: Path, text: str | None, message: str
) -> None:
    file, new = tmp_path / "file.yaml", tmp_path / "new.yaml"
    if text is not None:
        file.write_text(text)
    done = run("devices", "convert", file, "-o", new)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not new.exists()


def test_a_check_of_a_file_of_version_1_says_how_to_convert_it(old: Path) -> None:
    done = run("devices", "validate", old)
    assert done.exit_code == 1
    assert "costmodel devices convert FILE -o NEW" in done.stdout
