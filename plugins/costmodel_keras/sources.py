"""The sources of Keras networks: live models, texts and files, each as a view of its layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel import safe_io
from costmodel.errors import ReadError
from costmodel.network.graph import SCHEMA
from costmodel_keras import graph
from costmodel_keras.files import archive
from costmodel_keras.files.variables import with_variables
from costmodel_keras.keras2 import configurations
from costmodel_keras.keras2.live import view_of

if TYPE_CHECKING:
    from costmodel.network.layer import LayerRegistry
    from costmodel_keras.graph import LayerView


def view_of_source(source: object, rules: LayerRegistry) -> LayerView:
    """The network in a live model, a text or a file, as its layers say it.

    Raises:
        ReadError: it is damaged, too large, or not what it says.

    """
    if isinstance(source, str) and source.lstrip()[:1] == "{":
        return _config_view(safe_io.json_values(source, "JSON text"), "JSON text", rules)
    if isinstance(source, str | Path):
        path = Path(source)
        config = archive.load_file(path)
        if safe_io.ending(path) == archive.KERAS:
            config = with_variables(config, path, rules)
        return _config_view(config, str(source), rules)
    return view_of(source)


def _config_view(config: Any, where: str, rules: LayerRegistry) -> LayerView:
    if not (isinstance(config, dict) and isinstance(config.get("class_name"), str)):
        message = (
            f"{where}: no network: expected a Keras configuration with class_name and config, as "
            f"model.to_json() writes it, or JSON that starts with the schema {SCHEMA!r}; "
            f"found {config!r:.80}"
        )
        raise ReadError(message)
    version = config.get("keras_version")
    if isinstance(version, str) and version.startswith("1."):
        message = f"{where}: written by Keras {version}; load it in Keras 2 and save it there"
        raise ReadError(message)
    if configurations.is_legacy(config):
        config = configurations.modern(config, rules.by_kind, where)
    return graph.ConfigView(config, where)
