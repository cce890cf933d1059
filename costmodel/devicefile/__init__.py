"""Device files: YAML to devices, strictly, with all mistakes of a file reported at once."""

from costmodel.devicefile.conversion import converted
from costmodel.devicefile.figures import MOST_JOULES
from costmodel.devicefile.memories import UNLIMITED
from costmodel.devicefile.reading import OLD_SCHEMA, SCHEMA, load_device
from costmodel.devicefile.yaml_text import DEPTH_LIMIT, ITEM_LIMIT, SIZE_LIMIT, TEXT_LIMIT

__all__ = [
    "DEPTH_LIMIT",
    "ITEM_LIMIT",
    "MOST_JOULES",
    "OLD_SCHEMA",
    "SCHEMA",
    "SIZE_LIMIT",
    "TEXT_LIMIT",
    "UNLIMITED",
    "converted",
    "load_device",
]
