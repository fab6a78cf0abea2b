"""Odd values of the arguments that one reader each takes, and what they may mean.

Each table maps a label to ``(make, meaning)``: ``make()`` gives a fresh value, ``meaning`` is the
plain spelling of what a right result belongs to, `BAD` where only a named error will do, or `ANY`
where every result is right (fresh entropy). A value with a meaning may also be refused by name:
what may not be is any other result, or any other error.
"""

import collections
import types

import cotengra as ctg
import numpy as np
import opt_einsum as oe
import quimb as qu
import quimb.tensor as qtn
import scipy.sparse as sp
import torch

BAD, ANY = types.SimpleNamespace(name="BAD"), types.SimpleNamespace(name="ANY")


def table(**rows):
    return {label.replace("_", " "): row for label, row in rows.items()}


# ---------------------------------------------------------------- sites of a chain of 5

_ANYWHERE = table(
    list=(lambda: [0, 1], (0, 1)),
    tuple_reversed=(lambda: (1, 0), (1, 0)),
    range=(lambda: range(2), (0, 1)),
    array=(lambda: np.array([0, 2]), (0, 2)),
    uint8_array=(lambda: np.array([0, 2], "uint8"), (0, 2)),
    tensor=(lambda: torch.tensor([0, 2]), (0, 2)),
    numpy_ints=(lambda: [np.int64(0), np.uint8(2)], (0, 2)),
    tensors=(lambda: [torch.tensor(0), torch.tensor(2)], (0, 2)),
    keys=(lambda: {0: "a", 2: "b"}.keys(), (0, 2)),
    generator=(lambda: (i for i in (0, 2)), (0, 2)),
    set=(lambda: {0, 2}, (0, 2)),
    floats=(lambda: [0.0, 2.0], (0, 2)),
    float_array=(lambda: np.array([0.0, 2.0]), (0, 2)),
    half_float=(lambda: [0.5], BAD),
    bools=(lambda: [True, False], (1, 0)),
    mask=(lambda: np.array([True, True, False, False, False]), (0, 1)),
    twice=(lambda: [0, 0], BAD),
    empty=(lambda: [], BAD),
    empty_array=(lambda: np.array([], int), BAD),
    beyond=(lambda: [0, 7], BAD),
    negative=(lambda: [-1], (4,)),
    nested=(lambda: [[0, 1]], BAD),
    nested_array=(lambda: np.array([[0, 1]]), BAD),
    words=(lambda: ["0", "1"], (0, 1)),
    word=(lambda: "01", BAD),
    tag=(lambda: "I0", BAD),
    bytes=(lambda: b"01", BAD),
    no_site=(lambda: object(), BAD),
    function=(lambda: lambda: 0, BAD),
    nan=(lambda: float("nan"), BAD),
    slice=(lambda: slice(0, 2), (0, 1)),
    lattice_site=(lambda: [(0, 1)], BAD),
    none_inside=(lambda: [None], BAD),
)
# an int is the first so many sites
SUBSET = _ANYWHERE | table(
    int=(lambda: 2, (0, 1)),
    numpy_int=(lambda: np.int16(2), (0, 1)),
    array_0d=(lambda: np.array(2), (0, 1)),
    tensor_0d=(lambda: torch.tensor(2), (0, 1)),
    float=(lambda: 2.0, (0, 1)),
    true=(lambda: True, (0,)),
    zero=(lambda: 0, BAD),
    minus_one=(lambda: -1, BAD),
    all_of_them=(lambda: 5, (0, 1, 2, 3, 4)),
    too_many=(lambda: 6, BAD),
    complex=(lambda: 2j, BAD),
    none=(lambda: None, BAD),
)
# an int is a site
SITES = _ANYWHERE | table(
    int=(lambda: 2, (2,)),
    zero=(lambda: 0, (0,)),
    numpy_int=(lambda: np.int16(2), (2,)),
    array_0d=(lambda: np.array(2), (2,)),
    tensor_0d=(lambda: torch.tensor(2), (2,)),
    float=(lambda: 2.0, (2,)),
    true=(lambda: True, (1,)),
    minus_one=(lambda: -1, (4,)),
    too_many=(lambda: 6, BAD),
    complex=(lambda: 2j, BAD),
    none=(lambda: None, (0, 1, 2, 3, 4)),
)
# names of sites, where naming none, or one twice, does no harm
NAMING = SITES | table(
    empty=(lambda: [], ()),
    empty_array=(lambda: np.array([], int), ()),
    twice=(lambda: [0, 0], (0,)),
)
# on a lattice of 2 x 3, in places
LATTICE = table(
    pairs=(lambda: [(0, 0), (1, 2)], (0, 5)),
    lists=(lambda: [[0, 0], [1, 2]], (0, 5)),
    array=(lambda: np.array([[0, 0], [1, 2]]), (0, 5)),
    tensor=(lambda: torch.tensor([[0, 0], [1, 2]]), (0, 5)),
    numpy_pairs=(lambda: [(np.int64(0), np.int8(0)), (np.int64(1), 2)], (0, 5)),
    set=(lambda: {(0, 1)}, (1,)),
    generator=(lambda: (s for s in [(0, 0), (1, 2)]), (0, 5)),
    list_of_one=(lambda: [(0, 1)], (1,)),
    float_pair=(lambda: [(0.0, 1.0)], (1,)),
    bool_pair=(lambda: [(False, True)], (1,)),
    ints=(lambda: [0, 1], BAD),
    beyond=(lambda: [(0, 3)], BAD),
    negative=(lambda: [(0, -1)], (2,)),
    triple=(lambda: [(0, 0, 0)], BAD),
    twice=(lambda: [(0, 0), [0, 0]], BAD),
    deep=(lambda: [[(0, 0)]], BAD),
    words=(lambda: ["0,1"], BAD),
    unhashable=(lambda: [{0, 1}], BAD),
    empty=(lambda: (), BAD),
    coordinates=(lambda: np.array([[[0, 0]]]), BAD),
)
LATTICE_SUBSET = LATTICE | table(pair=(lambda: (0, 1), BAD), int=(lambda: 2, (0, 1)))
LATTICE_NAMING = LATTICE | table(
    pair=(lambda: (0, 1), (1,)),
    int=(lambda: 2, BAD),
    empty=(lambda: (), ()),
    twice=(lambda: [(0, 0), [0, 0]], (0,)),
)
LATTICE_SITES = LATTICE | table(pair=(lambda: (0, 1), (1,)), int=(lambda: 2, BAD))

# cuts of the same chain: the meaning is a list of numbers of sites
CUTS = table(
    list=(lambda: [1, 3], [1, 3]),
    array=(lambda: np.array([1, 3]), [1, 3]),
    tensor=(lambda: torch.tensor([1, 3]), [1, 3]),
    range=(lambda: range(1, 3), [1, 2]),
    generator=(lambda: (i for i in (1, 3)), [1, 3]),
    set=(lambda: {1, 3}, [1, 3]),
    twice=(lambda: [3, 1, 3], [3, 1, 3]),
    none=(lambda: None, [1, 2, 3, 4]),
    empty=(lambda: [], []),
    numpy_ints=(lambda: (np.int8(1), np.uint64(3)), [1, 3]),
    floats=(lambda: [1.0, 3.0], [1, 3]),
    bools=(lambda: [True], [1]),
    zero=(lambda: [0, 1], BAD),
    beyond=(lambda: [1, 6], BAD),
    negative=(lambda: [-1], BAD),
    int=(lambda: 2, [2]),
    word=(lambda: "13", BAD),
    words=(lambda: ["1"], BAD),
    nested=(lambda: [[1, 3]], BAD),
    subsets=(lambda: [(0, 2)], BAD),
    object=(lambda: object(), BAD),
    nan=(lambda: [float("nan")], BAD),
)

# ---------------------------------------------------------------- configurations of 5 bits

ONE = [0, 1, 1, 0, 1]
CONFIG = table(
    list=(lambda: list(ONE), ONE),
    tuple=(lambda: tuple(ONE), ONE),
    word=(lambda: "01101", ONE),
    numpy_word=(lambda: np.str_("01101"), ONE),
    array=(lambda: np.array(ONE), ONE),
    int8=(lambda: np.array(ONE, "int8"), ONE),
    uint64=(lambda: np.array(ONE, "uint64"), ONE),
    big_endian=(lambda: np.array(ONE, ">i4"), ONE),
    strided=(lambda: np.array(ONE)[::-1].copy()[::-1], ONE),
    tensor=(lambda: torch.tensor(ONE), ONE),
    tensor_uint8=(lambda: torch.tensor(ONE, dtype=torch.uint8), ONE),
    numpy_ints=(lambda: [np.int64(x) for x in ONE], ONE),
    bools=(lambda: np.array(ONE, bool), ONE),
    list_of_bools=(lambda: [bool(x) for x in ONE], ONE),
    floats=(lambda: np.array(ONE, float), ONE),
    complex=(lambda: np.array(ONE, complex), ONE),
    objects=(lambda: np.array(ONE, object), ONE),
    digits=(lambda: list("01101"), ONE),
    generator=(lambda: (x for x in ONE), ONE),
    masked=(lambda: np.ma.masked_array(ONE, [0, 0, 0, 0, 0]), ONE),
    dict=(lambda: dict(enumerate(ONE)), ONE),
    bytes=(lambda: b"01101", ONE),
    raw_bytes=(lambda: bytes(ONE), ONE),
    half=(lambda: [0.5, 1, 1, 0, 1], BAD),
    nan=(lambda: [float("nan"), 1, 1, 0, 1], BAD),
    two=(lambda: [0, 2, 1, 0, 1], BAD),
    minus_one=(lambda: [0, -1, 1, 0, 1], BAD),
    spins=(lambda: [-1, 1, 1, -1, 1], BAD),
    huge=(lambda: [0, 2**70, 1, 0, 1], BAD),
    wraps=(lambda: [0, 257, 1, 0, 2**32], BAD),
    short=(lambda: [0, 1], BAD),
    long=(lambda: [0] * 6, BAD),
    short_word=(lambda: "011", BAD),
    letters=(lambda: "0110a", BAD),
    superscript=(lambda: "0110\u00b2", BAD),
    empty=(lambda: [], BAD),
    empty_word=(lambda: "", BAD),
    none=(lambda: None, BAD),
    int=(lambda: 13, BAD),
    ragged=(lambda: [[0, 1], [1]], BAD),
    set=(lambda: {0, 1}, BAD),
    object=(lambda: object(), BAD),
    nones=(lambda: [None] * 5, BAD),
)
TWO = [ONE, [1, 0, 0, 0, 1]]
CONFIGS = table(
    lists=(lambda: [list(x) for x in TWO], TWO),
    tuples=(lambda: tuple(map(tuple, TWO)), TWO),
    array=(lambda: np.array(TWO), TWO),
    int8=(lambda: np.array(TWO, "int8"), TWO),
    uint64=(lambda: np.array(TWO, "uint64"), TWO),
    big_endian=(lambda: np.array(TWO, ">i4"), TWO),
    fortran=(lambda: np.asfortranarray(TWO), TWO),
    strided=(lambda: np.repeat(TWO, 2, axis=1)[:, ::2], TWO),
    tensor=(lambda: torch.tensor(TWO), TWO),
    tensor_uint8=(lambda: torch.tensor(TWO, dtype=torch.uint8), TWO),
    tensor_uint16=(lambda: torch.tensor(TWO, dtype=torch.uint16), TWO),
    rows=(lambda: [np.array(x) for x in TWO], TWO),
    tensor_rows=(lambda: [torch.tensor(x) for x in TWO], TWO),
    words=(lambda: ["01101", "10001"], TWO),
    word_array=(lambda: np.array(["01101", "10001"]), TWO),
    mixed=(lambda: ["01101", [1, 0, 0, 0, 1]], TWO),
    bools=(lambda: np.array(TWO, bool), TWO),
    tensor_bools=(lambda: torch.tensor(TWO, dtype=torch.bool), TWO),
    floats=(lambda: np.array(TWO, float), TWO),
    tensor_floats=(lambda: torch.tensor(TWO, dtype=torch.float32), TWO),
    objects=(lambda: np.array(TWO, object), TWO),
    generator=(lambda: (x for x in TWO), TWO),
    none_of_them=(lambda: np.zeros((0, 5), int), np.zeros((0, 5), int)),
    empty=(lambda: [], np.zeros((0, 5), int)),
    one=(lambda: list(ONE), [ONE]),
    one_word=(lambda: "01101", [ONE]),
    half=(lambda: np.full((2, 5), 0.5), BAD),
    nan=(lambda: np.full((2, 5), np.nan), BAD),
    two=(lambda: [[0, 1, 2, 0, 0]], BAD),
    minus_one=(lambda: [[0, 1, -1, 0, 0]], BAD),
    huge=(lambda: [[0, 2**70, 1, 0, 1]], BAD),
    wraps=(lambda: [[0, 256, 1, 0, 2**32]], BAD),
    short=(lambda: [[0, 1]], BAD),
    long=(lambda: np.zeros((2, 6), int), BAD),
    cube=(lambda: np.zeros((2, 2, 5), int), BAD),
    transposed=(lambda: np.array(TWO).T, BAD),
    ragged=(lambda: [[0, 1], [1]], BAD),
    letters=(lambda: ["0110a"], BAD),
    short_words=(lambda: ["011"], BAD),
    ragged_words=(lambda: ["01101", "011"], BAD),
    none=(lambda: None, BAD),
    int=(lambda: 3, BAD),
    dates=(lambda: np.zeros((2, 5), "datetime64[s]"), BAD),
    object=(lambda: object(), BAD),
)

# ---------------------------------------------------------------- operators on two sites

MATRIX = np.array([[1, 0, 3, 1], [0, 2, 1, 0], [1, 1, 0, 2], [2, 0, 1, 1]])


def _operators(x):
    return table(
        floats=(lambda: x.astype(float), x),
        ints=(lambda: x.copy(), x),
        complex=(lambda: x.astype(complex), x),
        int8=(lambda: x.astype("int8"), x),
        float32=(lambda: x.astype("float32"), x),
        half=(lambda: x.astype("float16"), x),
        long_double=(lambda: x.astype("longdouble"), x),
        big_endian=(lambda: x.astype(">f8"), x),
        fortran=(lambda: np.asfortranarray(x, float), x),
        strided=(lambda: np.kron(x, np.ones((2, 2)))[::2, ::2], x),
        tensor_like=(lambda: x.reshape(2, 2, 2, 2).astype(float), x),
        lists=(lambda: x.tolist(), x),
        matrix=(lambda: np.asmatrix(x.astype(float)), x),
        qarray=(lambda: qu.qarray(x), x),
        torch=(lambda: torch.tensor(x, dtype=torch.float64), x),
        torch_complex=(lambda: torch.tensor(x, dtype=torch.complex64), x),
        torch_ints=(lambda: torch.tensor(x), x),
        sparse=(lambda: sp.csr_matrix(x.astype(float)), x),
        objects=(lambda: x.astype(object), x),
        bools=(lambda: x > 0, (x > 0).astype(int)),
        too_small=(lambda: np.eye(2), BAD),
        wrong_dimension=(lambda: np.eye(3), BAD),
        too_large=(lambda: np.eye(8), BAD),
        tall=(lambda: np.ones((4, 2)), BAD),
        flat=(lambda: np.ones(16), np.ones((4, 4))),
        other_grouping=(lambda: np.ones((2, 2, 4)), np.ones((4, 4))),
        number=(lambda: 2.0, BAD),
        none=(lambda: None, BAD),
        word=(lambda: "ZZ", BAD),
        empty=(lambda: [], BAD),
        none_by_none=(lambda: np.zeros((0, 0)), BAD),
        ragged=(lambda: [[1, 0], [1]], BAD),
        words=(lambda: np.full((4, 4), "1"), BAD),
        nan=(lambda: np.full((4, 4), np.nan), np.full((4, 4), np.nan)),
        dates=(lambda: np.zeros((4, 4), "datetime64[s]"), BAD),
        tensor_of_quimb=(lambda: qtn.Tensor(np.eye(4), ("a", "b")), BAD),
        network=(lambda: qtn.MPO_identity(2), BAD),
        function=(lambda: lambda v: v, BAD),
        object=(lambda: object(), BAD),
    )


OPERATOR = _operators(MATRIX)

# ---------------------------------------------------------------- optimizers: all of one result


def _foreign_tree():
    return ctg.array_contract_tree([("a", "b"), ("b", "c")], ("a",), dict.fromkeys("abc", 2))


def _fails(*args, **kwargs):
    raise ZeroDivisionError("a path finder that fails")


OPTIMIZE = {
    label: (make, None)
    for label, make in {
        **{word: (lambda word=word: word) for word in ("greedy", "auto", "quick")},
        **{word: (lambda word=word: word) for word in ("branches", "sweep", "Greedy", "foo", "")},
        "eager": lambda: "eager",
        "numpy word": lambda: np.str_("greedy"),
        "bytes": lambda: b"greedy",
        "none": lambda: None,
        "int": lambda: 3,
        "float": lambda: 0.5,
        "true": lambda: True,
        "nan": lambda: float("nan"),
        "empty list": list,
        "path too short": lambda: [(0, 1)],
        "path beyond": lambda: [(0, 999)],
        "path of floats": lambda: [(0.0, 1.0)],
        "path array": lambda: np.array([[0, 1]]),
        "words": lambda: ["greedy"],
        "dict": lambda: {"mine": "greedy"},
        "empty dict": dict,
        "class": lambda: ctg.GreedyOptimizer,
        "greedy object": lambda: ctg.GreedyOptimizer(),
        "random greedy": lambda: ctg.RandomGreedyOptimizer(max_repeats=2, seed=0, parallel=False),
        "function of opt_einsum": lambda: oe.paths.greedy,
        "object of opt_einsum": lambda: oe.RandomGreedy(max_repeats=2),
        "fails": lambda: _fails,
        "returns nonsense": lambda: lambda *args, **kwargs: [(0, 0)],
        "foreign tree": _foreign_tree,
        "object": lambda: object(),
    }.items()
}

# ---------------------------------------------------------------- dicts that are filled

INFO = table(
    dict=(lambda: {}, {}),
    none=(lambda: None, ANY),
    filled=(lambda: {"own": 1}, {}),
    default_dict=(lambda: collections.defaultdict(list), {}),
    chain_map=(lambda: collections.ChainMap({}), {}),
    proxy=(lambda: types.MappingProxyType({}), BAD),
    list=(lambda: [], BAD),
    pairs=(lambda: [("a", 1)], BAD),
    set=(lambda: set(), BAD),
    tuple=(lambda: (), BAD),
    array=(lambda: np.zeros(3), BAD),
    empty_array=(lambda: np.array([]), BAD),
    tensor=(lambda: torch.zeros(3), BAD),
    true=(lambda: True, BAD),
    false=(lambda: False, BAD),
    zero=(lambda: 0, BAD),
    int=(lambda: 3, BAD),
    float=(lambda: 0.5, BAD),
    nan=(lambda: float("nan"), BAD),
    word=(lambda: "info", BAD),
    no_word=(lambda: "", BAD),
    bytes=(lambda: b"", BAD),
    function=(lambda: print, BAD),
    type=(lambda: dict, BAD),
    object=(lambda: object(), BAD),
)

# ---------------------------------------------------------------- seeds

SEED = table(
    int=(lambda: 3, 3),
    numpy_int=(lambda: np.int64(3), 3),
    uint8=(lambda: np.uint8(3), 3),
    array_0d=(lambda: np.array(3), 3),
    tensor_0d=(lambda: torch.tensor(3), 3),
    generator=(lambda: np.random.default_rng(3), 3),
    bit_generator=(lambda: np.random.PCG64(3), 3),
    seed_sequence=(lambda: np.random.SeedSequence(3), 3),
    random_state=(lambda: np.random.RandomState(3), ANY),
    list=(lambda: [3, 5], [3, 5]),
    array=(lambda: np.array([3, 5]), [3, 5]),
    huge=(lambda: 2**200, 2**200),
    none=(lambda: None, ANY),
    negative=(lambda: -1, BAD),
    float=(lambda: 3.0, 3),
    nan=(lambda: float("nan"), BAD),
    true=(lambda: True, BAD),
    numpy_true=(lambda: np.True_, BAD),
    complex=(lambda: 3j, BAD),
    word=(lambda: "3", BAD),
    bytes=(lambda: b"3", BAD),
    empty=(lambda: [], BAD),
    floats=(lambda: [0.5], BAD),
    negatives=(lambda: [-3], BAD),
    set=(lambda: {3}, BAD),
    dict=(lambda: {3: 3}, BAD),
    torch_generator=(lambda: torch.Generator(), BAD),
    module=(lambda: np.random, BAD),
    object=(lambda: object(), BAD),
)
