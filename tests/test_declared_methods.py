"""Methods that live further down are as declared, and ``help`` shows each method once."""

import ast
import importlib
import inspect
import itertools
import pathlib
import sys
import types
import warnings

import pytest
from quimb.tensor import TensorNetwork, TensorNetworkGenVector

import quimb_deepnets as qdn
from quimb_deepnets import declared
from quimb_deepnets.declared import NetworkMethods
from quimb_deepnets.lazy import LazyMethod
from quimb_deepnets.networks import DeepNetwork, register_method
from quimb_deepnets.numerics.sizes import readable_bytes

from .typing import calls

PACKAGE = pathlib.Path(qdn.__file__).parent


def classes():
    """Every class of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        module = importlib.import_module(".".join(p for p in parts if p != "__init__"))
        for cls in vars(module).values():
            if inspect.isclass(cls) and cls.__module__ == module.__name__:
                yield cls


CLASSES = list(classes())
DECLARED = [cls for cls in CLASSES if cls.__module__.startswith(declared.__name__)]


def names_of(module, tree):
    """What the annotations of a file may name, imports for type checkers included."""
    names = dict(vars(module))
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            imports = [x for x in node.body if isinstance(x, (ast.Import, ast.ImportFrom))]
            code = compile(ast.Module(imports, []), module.__file__, "exec")
            exec(code, names)
    return names


def block_of(cls):
    """The methods that a class declares for type checkers, as functions, by name."""
    module = sys.modules[cls.__module__]
    tree = ast.parse(pathlib.Path(module.__file__).read_text(encoding="utf8"))
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    body = next(node.body for node in nodes if node.name == cls.__name__)
    names, found = names_of(module, tree), {}
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            exec(compile(ast.Module(node.body, []), module.__file__, "exec"), names, found)
    found = {name: x for name, x in found.items() if not isinstance(x, property)}
    for function in found.values():
        getattr(function, "__func__", function).__globals__.update(names)
    return found


def attached_to(cls):
    """The methods that a class of `declared` finds in other modules, by name."""
    names = [name for name in vars(cls) if not name.startswith("_")]
    for name in names:
        getattr(cls, name)  # which imports it
    return {name: vars(cls)[name] for name in names}


def signature_of(function, evaluate=True):
    """Parameters and result, with types where the function has any."""
    function = getattr(function, "__func__", function)
    if not evaluate:
        return inspect.signature(function)
    return inspect.signature(function, eval_str=True)


def differences(cls, block, attached):
    """What is wrong with the declarations of a class, as sentences that say what to do."""
    for name in sorted(set(attached) - set(block)):
        line = f"def {name}{signature_of(attached[name], evaluate=False)}: ..."
        where = f"{cls.__name__}.{name} has no signature"
        yield f"{where}: add `{line}`, with types, to {cls.__module__}."
    for name in sorted(set(block) - set(attached)):
        yield f"{cls.__name__}.{name} has no function: add `{name} = LazyMethod(...)` below it."
    for name in sorted(set(block) & set(attached)):
        said, true = signature_of(block[name]), signature_of(attached[name])
        bare = lambda s: [(p.name, p.kind, p.default) for p in s.parameters.values()]
        typed = true.return_annotation is not true.empty
        if bare(said) != bare(true) or (typed and said != true):
            yield (
                f"{cls.__name__}.{name} is declared as {said} and its function takes {true}: make "
                "the declaration equal to the function."
            )
        if isinstance(block[name], staticmethod) != isinstance(attached[name], staticmethod):
            yield f"{cls.__name__}.{name} is a static method in one place, and not in the other."


@pytest.mark.parametrize("cls", DECLARED, ids=lambda cls: cls.__name__)
def test_what_is_declared_is_found(cls):
    block, attached = block_of(cls), attached_to(cls)
    assert attached
    wrong = list(differences(cls, block, attached))
    assert not wrong, "\n".join(wrong)


def test_every_declaration_has_types():
    for cls in DECLARED:
        for name, function in block_of(cls).items():
            signature = signature_of(function)
            static = isinstance(function, staticmethod)
            assert signature.return_annotation is not signature.empty, name
            for parameter in list(signature.parameters.values())[0 if static else 1 :]:
                assert parameter.annotation is not parameter.empty, (name, parameter.name)


def test_a_method_that_nobody_declares_is_found():
    def spectrum_of_it(net, count=3):
        """Nothing."""

    attached = attached_to(NetworkMethods) | {"spectrum_of_it": spectrum_of_it}
    (wrong,) = differences(NetworkMethods, block_of(NetworkMethods), attached)
    assert "def spectrum_of_it(net, count=3)" in wrong
    assert "quimb_deepnets.declared.networks" in wrong


def test_a_declaration_that_differs_is_found():
    block, attached = block_of(NetworkMethods), attached_to(NetworkMethods)
    assert block and set(block) == set(attached)
    (wrong,) = differences(NetworkMethods, block | {"collapse": block["to_mps"]}, attached)
    assert "NetworkMethods.collapse is declared as" in wrong
    (wrong,) = differences(NetworkMethods, block | {"foo": block["to_mps"]}, attached)
    assert "NetworkMethods.foo has no function" in wrong


def test_a_lazy_method_can_be_overridden_and_called_by_the_subclass():
    """Also when the subclass is the first that asks, and whoever asks."""

    class Above:
        digits = LazyMethod("numerics.configs", "check_configs")
        readable = LazyMethod("numerics.sizes", "readable_bytes", static=True)

    class Below(Above):
        def digits(self):
            return super().digits

    below = Below()
    assert below.digits().__func__.__qualname__ == "Above.digits"
    assert Above.digits is below.digits().__func__
    assert below.readable is Above.readable is readable_bytes


# ---------------------------------------------------------------- help


def test_attached_functions_read_as_methods():
    for cls in DECLARED:
        for name, method in attached_to(cls).items():
            if isinstance(method, types.FunctionType):
                first = next(iter(inspect.signature(method).parameters))
                assert first == "self", (cls, name)
                assert method.__name__ == name
                assert method.__qualname__ == f"{cls.__name__}.{name}"
    for word in ("state", "net", "network"):
        assert f"    {word} : " not in DeepNetwork.entropy.__doc__
        assert f"    {word} : " not in qdn.RAC.schmidt_rank.__doc__
    assert "    where : " in DeepNetwork.entropy.__doc__
    assert "    state : " in qdn.entropy.__doc__


def test_functions_of_users_read_as_methods():
    class Own(DeepNetwork):
        """A class of a user."""

    @register_method(Own, name="twice")
    def double(net, x, *, factor=2):
        """Nothing else."""
        return x * factor

    assert str(inspect.signature(Own.twice)) == "(self, x, *, factor=2)"
    assert double(None, 3) == 6
    assert object.__new__(Own).twice(3, factor=4) == 12


def test_warnings_of_methods_point_at_the_call():
    class Own(DeepNetwork):
        """A class of a user."""

    @register_method(Own)
    def doubtful(net):
        """Nothing else."""
        warnings.warn("of the caller", qdn.SamplingWarning, stacklevel=2)

    for call in (doubtful, Own.doubtful):
        with pytest.warns(qdn.SamplingWarning) as caught:
            call(None)
        assert caught[0].filename == __file__


GENERAL = "from_params", "plan"
STATES = [cls for cls in CLASSES if issubclass(cls, (DeepNetwork, TensorNetwork))]
# a graph state stays one where it can, and says how else
REPLACED = {("GraphStateConvAC", name) for name in ("to", "rand", "from_params", "distance")}
# what has a general form, which families may replace
REPLACED |= {
    (family, name) for family in ("ConvAC", "RAC", "RBM", "TorchNetwork") for name in GENERAL
}


@pytest.mark.parametrize("cls", STATES, ids=lambda cls: cls.__name__)
def test_no_method_is_defined_twice(cls):
    """A class of ours overrides what quimb has, or what has no body, and nothing else."""
    ours = [base for base in cls.__mro__ if base.__module__.startswith("quimb_deepnets")]
    others = {name for base in cls.__mro__ if base not in ours for name in vars(base)}
    assert cls in ours
    for i, base in enumerate(ours):
        for name in vars(base):
            if name.startswith("_") or name in others or (base.__name__, name) in REPLACED:
                continue
            again = [c.__name__ for c in ours[i + 1 :] if not is_abstract(vars(c).get(name))]
            assert not again, f"{base.__name__}.{name} is defined by {again} too"


def is_abstract(attribute):
    """Whether a class has no such method, or only says what a subclass has to give."""
    code = getattr(getattr(attribute, "__func__", attribute), "__code__", None)
    return attribute is None or (code is not None and "NotImplementedError" in code.co_names)


# ---------------------------------------------------------------- signatures


def open_options(function):
    """Whether a function takes any keyword."""
    kinds = {p.kind for p in inspect.signature(function).parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds


def test_measures_have_no_open_options():
    functions = [getattr(qdn, name) for name in qdn.entanglement.__all__ if hasattr(qdn, name)]
    functions = [f for f in functions if isinstance(f, types.FunctionType)]
    assert qdn.entropy in functions and qdn.plot_entropy in functions
    methods = {cls: attached_to(cls).values() for cls in DECLARED}
    of_quimb = methods.pop(declared.CollapsedMethods)  # its contractions, another way
    for function in (*functions, *itertools.chain(*methods.values())):
        assert open_options(function) == (function.__name__ == "draw"), function  # for pictures
    for function in of_quimb:
        theirs = getattr(TensorNetworkGenVector, function.__name__)
        assert not open_options(function) or open_options(theirs), function
    net = qdn.RAC.rand(4, depth=1, bond_dim=2, seed=0)
    with pytest.raises(TypeError, match="budget"):
        net.entropy(2, budget=3)
    with pytest.raises(qdn.OptionError, match="'dense' does not take 'tol'"):
        net.entropy(2, method="dense", tol=0.1)
    assert net.entropy(2, method="dense", tol=None, seed=None) == net.entropy(2, method="dense")


# ---------------------------------------------------------------- the package


def test_checkers_find_the_types():
    assert (PACKAGE / "py.typed").exists()


def test_the_calls_that_are_checked_run():
    net = qdn.ConvAC.rand(6, depth=2, kernel=3, bond_dim=2, seed=0)
    calls.networks()
    for call in (calls.amplitudes, calls.tensor_networks, calls.entanglement):
        call(net)
