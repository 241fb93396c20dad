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
    monkeypatch.setattr(modules, "_REGISTRIES", (str(tmp_path),))
    with pytest.raises(ModuleMissing) as missing:
        modules.default_modules()
    assert "apt-get install" in missing.value.hint


def test_modules_that_p11_kit_knows_of(monkeypatch, tmp_path):
    (tmp_path / "lib" / "pkcs11").mkdir(parents=True)
    named, bare = tmp_path / "vendor.so", tmp_path / "lib" / "pkcs11" / "card.so"
    for path in (named, bare, tmp_path / "p11-kit-trust.so"):
        path.touch()
    registry = tmp_path / "modules"
    registry.mkdir()
    for name, text in (
        ("a", f"# a comment\nmodule: {named}\ncritical: no\n"),
        ("b", "module: card.so\n"),
        ("c", f"module: {tmp_path}/p11-kit-trust.so\n"),
        ("d", "module: /nowhere.so\n"),
        ("e", "priority: 1\n"),
        ("f", "module: not-there.so\n"),
    ):
        (registry / f"{name}.module").write_text(text)
    (registry / "g.module").mkdir()
    monkeypatch.setattr(modules, "_REGISTRIES", (str(tmp_path / "none"), str(registry)))
    monkeypatch.setattr(modules, "_DIRECTORIES", (str(tmp_path / "lib"),))
    assert list(modules.registered()) == [named, bare]
