"""The house: imports go one way, files stay small, what is public is documented."""

import ast
import doctest
import importlib
import inspect
import pathlib
import re

import pytest

import quimb_deepnets as qdn

PACKAGE = pathlib.Path(qdn.__file__).parent
# a module imports only from rows above its own, or from its own package
LADDER = (
    "lazy declared errors numerics geometry theory jobs kernels evaluation networks hyper tensors "
    "exact conversion sampling entanglement groundstate paths cli __main__"
).split()
# of the package these rows import nothing else
ONLY = {
    "hyper": {"lazy", "declared", "errors", "numerics"},
    "kernels": {"errors", "numerics"},
    "paths": set(LADDER) - {"groundstate"},
}
HEAVY = {
    "lazy": set(),
    "declared": set(),
    "geometry": set(),
    "errors": set(),
    "numerics": {"numpy", "autoray"},
    "kernels": {"numba", "llvmlite", "numpy", "autoray"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def row(module):
    return LADDER.index(module.split(".")[0])


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(p for p in parts if p != "__init__")


def is_for_checkers(node):
    """Whether a statement is an ``if TYPE_CHECKING:`` without an else."""
    return (
        isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not node.orelse
    )


def imports_of(path):
    """Absolute names of what a file imports, functions' bodies included.

    What only type checkers import does not count: that code never runs.
    """
    package = ["quimb_deepnets", *path.relative_to(PACKAGE).parts[:-1]]
    tree = ast.parse(path.read_text(encoding="utf8"))
    tree.body = [node for node in tree.body if not is_for_checkers(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, node.module or ""]).strip(".")
            yield module
            if not node.module:  # from .. import tensors
                yield from (f"{module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_up_the_ladder(path):
    module = name_of(path)
    if not module:
        return
    for imported in imports_of(path):
        if imported.startswith("quimb_deepnets."):
            target = imported.removeprefix("quimb_deepnets.")
            if target == "__version__":
                continue
            same = target.split(".")[0] == module.split(".")[0]
            assert same or row(target) < row(module), f"{module} imports {target}"
            room = ONLY.get(module.split(".")[0], set(LADDER))
            assert same or target.split(".")[0] in room, f"{module} imports {target}"
        else:
            top = imported.split(".")[0]
            allowed = HEAVY.get(module.split(".")[0])
            stdlib = top in __import__("sys").stdlib_module_names
            assert allowed is None or stdlib or top in allowed, f"{module} imports {imported}"
            if module.split(".")[0] in ("networks", "evaluation", "kernels"):
                assert top not in ("quimb", "cotengra", "torch"), f"{module} imports {imported}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_small_and_open_with_a_sentence(path):
    source = path.read_text(encoding="utf8")
    tree = ast.parse(source)
    assert ast.get_docstring(tree).splitlines()[0].rstrip(":").endswith(".")
    assert source.count("\n") <= 450
    for body in [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                assert node.name.startswith("_") or ast.get_docstring(node), node.name
            if isinstance(node, ast.FunctionDef):
                doc = ast.get_docstring(node, clean=False) or ""
                assert node.end_lineno - node.lineno - doc.count("\n") <= 51, node.name


def definitions(kind):
    """The classes or functions of the package, anywhere in its files, with their modules."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(node, kind):
                yield node.name, name_of(path)


def test_one_class_for_each_name():
    found = {}
    for name, module in definitions(ast.ClassDef):
        name = name.lstrip("_")
        assert name not in found, f"{module} and {found[name]} both define a class {name}"
        found[name] = module


def test_functions_have_names():
    nameless = [module for name, module in definitions(ast.FunctionDef) if not name.strip("_")]
    assert not nameless


def test_the_package_docstring_prints_the_ladder():
    printed = inspect.getdoc(qdn).split("Ladder\n------\n")[1].split("::\n\n")[1]
    assert [line.split()[0] for line in printed.splitlines()] == LADDER


@pytest.mark.parametrize("path", [f for f in FILES if f.name == "__init__.py"], ids=name_of)
def test_folders_have_a_map_of_their_files(path):
    words = set(re.findall(r"\w+", ast.get_docstring(ast.parse(path.read_text(encoding="utf8")))))
    files = {f.stem for f in path.parent.glob("*.py")} - {"__init__"}
    folders = {f.parent.name for f in path.parent.glob("*/__init__.py")}
    assert files | folders <= words, (files | folders) - words


def test_public_names():
    assert set(qdn.__all__) <= set(dir(qdn))
    assert list(qdn.__all__) == sorted(
        qdn.__all__, key=lambda n: (not n.isupper(), n[0].islower(), n)
    )
    modules = {name_of(f).split(".")[0] for f in FILES} - {""}
    public = {n for n in dir(qdn) if not n.startswith("_")} - modules
    assert public == set(qdn.__all__)
    for name in qdn.__all__:
        assert inspect.getdoc(getattr(qdn, name)), name


def test_pairs_of_methods_are_overridden_together():
    """quimb's ``foo_`` is bound to quimb's ``foo``: a class that overrides one needs the other."""
    from quimb_deepnets.hyper import network as hyper
    from quimb_deepnets.tensors import expanded as recursive

    for module in (hyper, recursive):
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ != module.__name__:
                continue
            for name in vars(cls):
                inherited = any(hasattr(base, name + "_") for base in cls.__mro__[1:])
                assert not inherited or name + "_" in vars(cls) or name == "retag_sites", name


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_docstring_examples(path):
    module = importlib.import_module(("quimb_deepnets." + name_of(path)).rstrip("."))
    failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert not failed


def test_public_classes_and_functions_show_an_example():
    for name in qdn.__all__:
        thing = getattr(qdn, name)
        if not (inspect.isclass(thing) and issubclass(thing, Exception)):
            assert ">>>" in inspect.getdoc(thing), name


@pytest.mark.parametrize("path", sorted((PACKAGE / "hyper").glob("*.py")), ids=name_of)
def test_hyper_networks_know_no_deep_network(path):
    """Neither its classes nor the tags of its tensors, which it adds to a hook itself."""
    names = {"WINDOW", "READOUT", "ConvAC", "RAC", "RBM", "RecursiveNetwork", "CollapsedVector"}
    tree = ast.parse(path.read_text(encoding="utf8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and n.value in names}
    assert not used & names
