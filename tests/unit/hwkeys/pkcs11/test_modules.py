# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from hwkeys import ModuleMissing
from hwkeys.pkcs11 import modules
from support.softhsm import module_path


def test_a_missing_module_names_its_package():
    for name, package in (("libsofthsm2.so", "softhsm2"), ("opensc-pkcs11.so", "opensc-pkcs11")):
        with pytest.raises(ModuleMissing) as missing:
            modules.module_for(Path("/nowhere") / name)
        assert missing.value.hint == f"install it: apt-get install {package}"
    with pytest.raises(ModuleMissing, match=r"/nowhere/other\.so"):
        modules.module_for(Path("/nowhere/other.so"))


def test_links_are_followed(tmp_path):
    (tmp_path / "link.so").symlink_to(module_path())
    assert modules.module_for(tmp_path / "link.so") is modules.module_for(module_path())


def test_a_link_to_itself_is_missing(tmp_path):
    (tmp_path / "loop.so").symlink_to(tmp_path / "loop.so")
    with pytest.raises(ModuleMissing):
        modules.module_for(tmp_path / "loop.so")


def test_each_well_known_library_once():
    found = [module.path for module in modules.default_modules()]
    assert len(found) == len(set(found))
    assert module_path().resolve() in found


def test_no_module_at_all(monkeypatch, tmp_path):
    monkeypatch.setattr(modules, "_DIRECTORIES", (str(tmp_path),))
    with pytest.raises(ModuleMissing) as missing:
        modules.default_modules()
    assert "apt-get install" in missing.value.hint
