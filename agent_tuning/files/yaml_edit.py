"""Changes of a YAML file that people edit: one value or one entry, and no other byte of it."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from agent_tuning.files import atomic_write
from agent_tuning.records import BadInput


def replace_value(path: Path, keys: Sequence[str], value: object) -> None:
    """Write another value under `keys`, on the line of the one before.

    Raises BadInput if there is none, or if it stands on lines of its own.
    """
    text = path.read_text(encoding="utf-8")
    node = _find_value(text, keys)
    flow = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000)
    flow = flow.removesuffix("\n").removesuffix("\n...")
    if node is None or (isinstance(node, yaml.CollectionNode) and not node.flow_style):
        raise BadInput(f"{path}: {'.'.join(keys)}: write `{keys[-1]}: {flow}` there on one line")
    start, end = node.start_mark.index, node.end_mark.index
    atomic_write.write_text(path, text[:start] + flow + text[end:])


def append_entry(path: Path, section: str, name: str, entry: Mapping[str, object]) -> None:
    """Write an entry to the end of the file's last section.

    Raises BadInput if that is another section.
    """
    text = path.read_text(encoding="utf-8").rstrip("\n")
    flow = None  # what holds no other collection stands on one line
    block = yaml.safe_dump({name: dict(entry)}, default_flow_style=flow, sort_keys=False, width=95)
    text = f"{text}\n{textwrap.indent(block, '  ')}"
    value = yaml.safe_load(text)
    if value[section].get(name) != entry:
        raise BadInput(f"{path}: {section}: expected this section at the end of the file")
    atomic_write.write_text(path, text)


def _find_value(text: str, keys: Sequence[str]) -> yaml.Node | None:
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    for name in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        node = next((value for key, value in pairs if key.value == name), None)
    return node
