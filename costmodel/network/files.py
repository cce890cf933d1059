"""The reader of networks in the JSON form of this package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from costmodel import safe_io
from costmodel.errors import ReadError
from costmodel.network.graph import SCHEMA, Network
from costmodel.network.reader import Reader

if TYPE_CHECKING:
    from costmodel.network.layer import LayerRegistry

_MARK: Final = SCHEMA.rpartition("/")[0]
"""What stands near the start of every version's form."""
_ESTIMATE: Final = "costmodel/estimate"
"""What stands near the start of a saved estimate, which holds the network that it is of."""
_GRAPH: Final = "graph"
"""The key of the network in a saved estimate."""
_HEAD: Final = 256
"""Characters in which the schema is looked for; it is the first key."""


class NetworkReader(Reader):
    """Reads what `Network.to_json` writes, and what other programs write in that form."""

    name: ClassVar = "costmodel"
    reads: ClassVar = f"a .json file or a text of the schema {SCHEMA}, or a saved estimate"

    def accepts(self, source: object) -> bool:
        """A text or a JSON file that names the schema at its start."""
        if isinstance(source, str) and source.lstrip()[:1] == "{":
            return any(mark in source[:_HEAD] for mark in (_MARK, _ESTIMATE))
        if not isinstance(source, str | Path) or safe_io.ending(source) != ".json":
            return False
        path = Path(source)
        try:
            if not path.is_file():
                return False
            with path.open("rb") as file:
                head = file.read(_HEAD)
                return any(mark.encode() in head for mark in (_MARK, _ESTIMATE))
        except (OSError, ValueError):
            return False

    def read(self, source: object, rules: LayerRegistry) -> Network:
        """The network in a text or file, each layer by its rule."""
        if isinstance(source, str) and source.lstrip()[:1] == "{":
            where, content = "JSON text", source.encode()
        else:
            where, content = str(source), safe_io.content_of(Path(str(source)))
        values = _network_in(safe_io.json_values(content, where), where)
        try:
            return Network.from_dict(values, rules)
        except ReadError as error:
            message = f"{where}: {error}"
            raise ReadError(message) from error


def _network_in(values: Any, where: str) -> Any:
    """The values of the network: the whole, or a part of a saved estimate.

    Raises:
        ReadError: an estimate without its network, or several.

    """
    if isinstance(values, list):
        message = f"{where}: expected one network or estimate, found a list of {len(values)}"
        raise ReadError(message)
    if not isinstance(values, dict) or not str(values.get("schema")).startswith(_ESTIMATE):
        return values
    if values.get(_GRAPH) is None:
        why = values.get("graph_missing", "an older version wrote it")
        message = (
            f"{where}: this saved estimate holds no network ({why!s:.200}); give the model that "
            "it was made of (`costmodel compare` and the baseline of `costmodel check` need its "
            "figures alone)"
        )
        raise ReadError(message)
    return values[_GRAPH]


def holds_network(path: str | Path) -> bool:
    """Whether a file is the JSON of a network, by its start, and not a saved estimate."""
    file = Path(path)
    if file.suffix != ".json" or not file.is_file():
        return False
    with file.open("rb") as opened:
        head = opened.read(_HEAD)
    return _MARK.encode() in head and _ESTIMATE.encode() not in head
