"""Training data: files read as written, files refused in one clear line, names that meet."""

from __future__ import annotations

import csv
import io
import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegen import files
from codegen.data import bind_arrays, parse_bindings
from codegen.files import load_data
from codegen.split import split_held_out, split_samples
from derive.errors import DeriveError

ROOT = Path(__file__).parents[1]
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def write(folder: Path, text: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def write_npz(folder: Path, **arrays: object) -> Path:
    np.savez(folder / "data.npz", **arrays)  # type: ignore[arg-type]
    return folder / "data.npz"


def refusal(path: Path) -> str:
    """The message with which a file is refused; one line, whatever was met."""
    with pytest.raises(DeriveError) as caught:
        load_data(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


# ---- reading -----------------------------------------------------------------------------------------------


def test_an_npz_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = {"x": np.arange(24, dtype=np.uint8).reshape(2, 3, 4), "y": np.array([1, 0])}
    read = load_data(write_npz(tmp_path, **written))
    assert read.keys() == written.keys()
    assert all((read[name] == written[name]).all() and read[name].dtype == written[name].dtype for name in read)


@pytest.mark.parametrize("header", ["x1,x2,y", "x_0,x_1,y", "x[0],x[1],y", " x_1 , x_2 , y "])
def test_numbered_columns_form_one_array(tmp_path: Path, header: str) -> None:
    read = load_data(write(tmp_path, f"{header}\n0.5,1,2\n1.5,2,0\n"))
    assert {name: array.tolist() for name, array in read.items()} == {"x": [[0.5, 1], [1.5, 2]], "y": [2, 0]}


def test_numbered_columns_are_ordered_by_number_not_by_place(tmp_path: Path) -> None:
    header = ",".join(f"x{i}" for i in (10, 9, 8, 7, 6, 5, 4, 3, 2, 1))
    read = load_data(write(tmp_path, header + "\n" + "10,9,8,7,6,5,4,3,2,1\n"))
    assert read["x"].tolist() == [list(range(1, 11))]


def test_columns_whose_numbers_have_a_gap_stay_apart(tmp_path: Path) -> None:
    assert list(load_data(write(tmp_path, "x1,x3\n1,2\n"))) == ["x1", "x3"]


def test_a_byte_order_mark_and_a_blank_last_line_are_not_data(tmp_path: Path) -> None:
    assert load_data(write(tmp_path, "\ufeffx,y\r\n1,2\r\n\r\n"))["x"].tolist() == [1]


@given(st.lists(st.tuples(FINITE, FINITE, st.integers(-(2**53) + 1, 2**53 - 1)), min_size=1))
def test_numbers_survive_a_csv(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, ...]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("x1", "x2", "y"), *rows])
    read = load_data(write(tmp_path_factory.mktemp("csv"), text.getvalue()))
    assert read["x"].tolist() == [[a, b] for a, b, _ in rows]
    assert read["y"].tolist() == [label for _, _, label in rows]
    assert read["y"].dtype == np.int64


# ---- refusing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["empty"]),
        ("x,y\n", ["zero rows"]),
        ("1,2\n3,4\n", ["row 1", "header"]),
        ("x,,y\n1,2,3\n", ["row 1", "no name", "column 2"]),
        ("x,x\n1,2\n", ["row 1", "x", "2 times"]),
        ("x,x1,x2\n1,2,3\n", ["x1", "rename"]),
        ("x,y\n1,2\n3\n", ["row 3", "1 cells", "2"]),
        ("x,y\n1,2\n3,cat\n", ["row 3", "column y", "'cat'", "0, 1"]),
        ("x,y\n1,\n", ["row 2", "column y", "empty cell"]),
        ("x,y\n1_000,2\n", ["row 2", "column x", "'1_000'"]),
        ("x,y\n1,2\n3,nan\n", ["y", "NaN", "row index 1"]),
        ("x1,x2\n1,2\n3,-inf\n", ["x", "infinity", "row index 1"]),
        ('x,y\n"1,2\n', ["not CSV"]),
        (b"x,y\n\xff,1\n", ["UTF-8"]),
    ],
)
def test_a_csv_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, text: str | bytes, words: list[str]) -> None:
    message = refusal(write(tmp_path, text))
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([{}, []], dtype=object), ["x", "Python objects"]),
        (np.array(["cat", "dog"]), ["x", "text", "0, 1"]),
        (np.array([1 + 2j]), ["x", "complex"]),
        (np.zeros((0, 3)), ["x", "zero rows"]),
        (np.array([[0, 1], [2, np.nan]]), ["x", "NaN", "row index 1"]),
        (np.array([np.inf]), ["x", "infinity", "row index 0"]),
    ],
)
def test_an_array_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, array: np.ndarray, words: list[str]
) -> None:
    message = refusal(write_npz(tmp_path, x=array))
    assert all(word in message for word in words), message


def test_what_is_no_data_file_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "absent.npz")
    assert ".npz or .csv" in refusal(write(tmp_path, "x", "data.txt"))
    assert "not a zip archive" in refusal(write(tmp_path, "x,y\n1,2\n", "data.npz"))
    assert "no arrays" in refusal(write_npz(tmp_path))


def npy_that_claims(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def test_a_header_that_claims_more_than_the_file_holds_allocates_nothing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("x.npy", npy_that_claims((10**9, 10**6)))
    assert "claims more" in refusal(tmp_path / "data.npz")


def test_a_file_that_unpacks_to_more_than_memory_is_refused_before_unpacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.npz"
    np.savez_compressed(path, x=np.zeros(10**5))
    monkeypatch.setattr(files, "MAX_BYTES", 10**5)
    assert path.stat().st_size < 10**5
    assert "GiB" in refusal(path)


@given(st.data())
def test_a_damaged_npz_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, drawn: st.DataObject
) -> None:
    stream = io.BytesIO()
    np.savez(stream, x=np.arange(6.0))
    content = bytearray(stream.getvalue())
    content[drawn.draw(st.integers(0, len(content) - 1))] = drawn.draw(st.integers(0, 255))
    path = write(tmp_path_factory.mktemp("npz"), bytes(content), "data.npz")
    try:
        load_data(path)
    except DeriveError as error:
        assert "\n" not in str(error)


# ---- binding -----------------------------------------------------------------------------------------------

X = np.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize(
    ("symbol", "name"),
    [("x", "x"), (r"\mathbf{x}", "x"), (r"\hat y", "y"), (r"\hat{y}", "Y"), ("X^{(i)}", "x"),
     ("x_{1}", "x_1"), (r"\boldsymbol{\theta}", "theta"), (r"X^{\mathrm{(i)}}", "X")],
)  # fmt: skip
def test_names_that_are_spelled_alike_meet(symbol: str, name: str) -> None:
    assert (bind_arrays({symbol: (2,)}, {name: X, "other": X[:1]}).arrays[symbol] == X).all()


def test_an_exact_name_goes_before_a_like_one() -> None:
    bound = bind_arrays({"X": (2,), "x": (2,)}, {"x": X, "X": X + 1})
    assert (bound.arrays["x"] == X).all()
    assert (bound.arrays["X"] == X + 1).all()


def test_two_symbols_share_an_array_only_when_told_to() -> None:
    with pytest.raises(DeriveError, match="already stands for another symbol"):
        bind_arrays({"x": (2,), r"\hat{x}": (2,)}, {"x": X})
    bound = bind_arrays({"x": (2,), r"\hat{x}": (2,)}, {"x": X}, {r"\hat{x}": "x"})
    assert (bound.arrays[r"\hat{x}"] == X).all()


def test_a_symbol_without_array_names_what_there_is_and_what_to_write() -> None:
    with pytest.raises(DeriveError, match=r"called y\. Arrays: x, labels\. .* --bind 'y=ARRAY'"):
        bind_arrays({"x": (2,), "y": ()}, {"x": X, "labels": X[:, 0]})


def test_a_spelling_that_fits_two_arrays_is_not_guessed() -> None:
    with pytest.raises(DeriveError, match="--bind"):
        bind_arrays({r"\mathrm{Ab}": (2,)}, {"aB": X, "AB": X})


@pytest.mark.parametrize("pair", [{"z": "x"}, {"x": "images"}])
def test_a_binding_to_nothing_lists_what_exists(pair: dict[str, str]) -> None:
    with pytest.raises(DeriveError, match=r"no such (input\. Inputs|array\. Arrays): x\."):
        bind_arrays({"x": (2,)}, {"x": X}, pair)


@pytest.mark.parametrize("pair", ["x", "=images", "x=", ""])
def test_a_binding_that_is_no_pair_is_refused(pair: str) -> None:
    with pytest.raises(DeriveError, match="symbol=array was expected"):
        parse_bindings([pair])


def test_a_symbol_is_bound_once() -> None:
    with pytest.raises(DeriveError, match="is bound to a and to b"):
        parse_bindings(["x=a", "x=b"])


def test_arrays_of_different_lengths_are_named_with_their_lengths() -> None:
    with pytest.raises(DeriveError, match="x has 3 rows but y has 2"):
        bind_arrays({"x": (2,), "y": ()}, {"x": X, "y": np.zeros(2), "ignored": np.zeros(7)})


# ---- shapes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "length"), [((None,), 3), ((4,), 4)])
def test_class_labels_become_one_hot_and_say_so(shape: tuple[int | None], length: int) -> None:
    bound = bind_arrays({"y": shape}, {"y": np.array([2, 0, 1], np.uint8)})
    assert (bound.arrays["y"] == np.eye(length)[[2, 0, 1]]).all()
    assert bound.notes == (f"y: class labels 0 to 2 became one-hot vectors of length {length}",)


def test_held_out_labels_get_the_length_that_the_training_labels_gave() -> None:
    trained = bind_arrays({"y": (None,)}, {"y": np.array([0, 1, 2])}).arrays
    again = bind_arrays({symbol: array.shape[1:] for symbol, array in trained.items()}, {"y": np.array([1, 0])})
    assert again.arrays["y"].shape == (2, 3)


@pytest.mark.parametrize("labels", [[-1, 0], [0, 10], [0, 2**40]])
def test_whole_numbers_that_are_no_class_labels_are_refused(labels: list[int]) -> None:
    with pytest.raises(DeriveError, match=f"{labels[0]} to {labels[1]}; class labels"):
        bind_arrays({"y": (10,) if labels[1] < 2**40 else (None,)}, {"y": np.array(labels)})


def test_images_are_flattened_for_a_vector_and_stay_small() -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    bound = bind_arrays({"x": (12,)}, {"x": images})
    assert (bound.arrays["x"] == images.reshape(2, 12)).all()
    assert bound.arrays["x"].dtype == np.float32
    assert bound.notes == ("x: samples of shape (3, 4) became vectors of length 12",)


def test_images_keep_their_axes_for_a_matrix() -> None:
    assert bind_arrays({"X": (None, 4)}, {"X": np.zeros((2, 3, 4))}).arrays["X"].shape == (2, 3, 4)


def test_numbers_and_vectors_of_length_one_are_exchanged_with_a_note() -> None:
    bound = bind_arrays({"x": (1,), "y": ()}, {"x": np.array([0, 1]), "y": np.array([[0.5], [1.5]])})
    assert bound.arrays["x"].shape == (2, 1)
    assert bound.arrays["y"].shape == (2,)
    assert len(bound.notes) == 2


@pytest.mark.parametrize("shape", [(), (3,), (2, 1), (None, None)])
def test_a_wrong_shape_names_symbol_met_and_expected(shape: tuple[int | None, ...]) -> None:
    with pytest.raises(DeriveError, match=r"x: a row of x has shape \(2,\) but \(.*\) was expected"):
        bind_arrays({"x": shape}, {"x": X})


def test_a_single_number_is_no_array_of_samples() -> None:
    with pytest.raises(DeriveError, match="one row a sample"):
        bind_arrays({"x": ()}, {"x": np.array(3.0)})


# ---- held-out rows -----------------------------------------------------------------------------------------


def test_arrays_named_test_are_the_held_out_rows() -> None:
    arrays = {"x": X, "x_test": X[:1], "y": X[:, 0], "y_test": X[:1, 0], "note": np.array(1)}
    train, held_out = split_held_out(arrays, 0.5, seed=0)
    assert list(train) == ["x", "y", "note"]
    assert (held_out["x"] == X[:1]).all()
    assert list(held_out) == ["x", "y"]


def test_arrays_without_rows_are_refused() -> None:
    with pytest.raises(DeriveError, match="x has no rows"):
        bind_arrays({"x": (2,)}, {"x": np.zeros((0, 2))})


@given(st.integers(2, 50), st.floats(0.01, 0.99), st.integers(0, 2**32))
def test_a_random_part_keeps_every_row_once_and_rows_together(rows: int, fraction: float, seed: int) -> None:
    arrays = {"x": np.arange(rows), "y": np.arange(rows) * 2, "scale": np.array(3)}
    train, held_out = split_held_out(arrays, fraction, seed)
    assert sorted([*train["x"], *held_out["x"]]) == list(range(rows))
    assert len(train["x"]) and len(held_out["x"])
    assert all((part["y"] == 2 * part["x"]).all() and part["scale"] == 3 for part in (train, held_out))
    assert (split_held_out(arrays, fraction, seed)[1]["x"] == held_out["x"]).all()


def test_a_part_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        split_held_out({"x": X}, 1.0, seed=0)
    with pytest.raises(DeriveError, match="1 rows"):
        split_held_out({"x": X[:1]}, 0.5, seed=0)


def test_each_row_trains_or_judges_or_waits_for_the_end() -> None:
    rows = np.arange(20)
    own = {"x": rows[:15], "x_test": rows[15:]}
    other = {"x": np.arange(90, 95)}
    cases = [
        ({"x": rows}, None, 16, 4, None),  # a fifth
        (own, None, 15, 5, None),  # what the file calls a test judges, as nothing else is asked for
        (own, 0.2, 12, 3, 5),
        (own, 0.0, 15, None, 5),
        (own, other, 15, 5, 5),
        ({"x": rows}, 0.5, 10, 10, None),
    ]
    for arrays, validation, *counts in cases:
        split = split_samples(arrays, validation, seed=3)
        parts = [split.train, split.validation, split.test]
        assert [None if part is None else len(part["x"]) for part in parts] == counts
        seen = np.concatenate([part["x"] for part in parts if part is not None])
        assert len(set(seen.tolist())) == len(seen), "no row twice"
        assert split.given == (arrays is own and validation is None)
        if isinstance(validation, float) and split.validation is not None:
            again, another = (split_samples(arrays, validation, seed).validation for seed in (3, 4))
            assert again is not None and another is not None
            assert (again["x"] == split.validation["x"]).all() and (another["x"] != split.validation["x"]).any()


@pytest.mark.parametrize(
    ("rows", "share", "words"),
    [
        (20, 1.0, "met 1; expected a share of the samples"),
        (20, -0.1, "met -0.1"),
        (20, float("nan"), "met nan"),
        (20, 0.02, "0.02 of 20 samples leaves none to validate with; expected a share of 1 to 19 samples"),
        (20, 0.99, "leaves none to train on"),
        (1, 0.5, "expected two samples or more"),
    ],
)
def test_a_validation_share_that_leaves_no_samples_is_refused(rows: int, share: float, words: str) -> None:
    with pytest.raises(DeriveError, match="validation: ") as caught:
        split_samples({"x": np.arange(rows)}, share, seed=0)
    assert words in str(caught.value)


# ---- the example's files -----------------------------------------------------------------------------------


def test_the_example_data_are_the_same_bytes_each_time_and_bind(tmp_path: Path) -> None:
    example = runpy.run_path(str(ROOT / "examples" / "data.py"))
    for folder in ("one", "two"):
        example["write"](tmp_path / folder)
    for name, k in (("digits.npz", 10), ("cats.npz", 2)):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        for part in split_held_out(load_data(tmp_path / "one" / name), 0.2, seed=0):
            bound = bind_arrays({"x": (None,), r"\hat{y}": (k,)}, part)
            assert bound.arrays[r"\hat{y}"].shape[1] == k


def test_no_row_of_the_photographs_is_in_training_and_in_the_test() -> None:
    bands = runpy.run_path(str(ROOT / "examples" / "data.py"))["bands"]
    for height in (300, 400, 427, 500, 512):
        train, test = bands(height)
        for start, stop in test:
            assert all(stop + 16 <= a or b + 16 <= start for a, b in train)
