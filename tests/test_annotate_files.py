"""The files that go into a job, as Excel, numpy, pandas and people write them."""

import numpy as np
import pytest

from labelbench_direct.annotate.files import Answer, Items, read_answers, read_classes
from labelbench_direct.annotate.scores import Reference, count_rows, read_scores

ITEMS, CLASSES = ["x", "y", "z"], ["cat", "dog"]
SCORES = np.array([[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]])


def read(path):
    return read_scores(path, ITEMS, CLASSES)


def test_scores_from_every_kind_of_file(tmp_path):
    np.save(tmp_path / "s.npy", SCORES.astype(np.float32))
    np.savez(tmp_path / "one.npz", whatever=SCORES)
    np.savez(tmp_path / "two.npz", scores=SCORES, labels=np.zeros(3))
    (tmp_path / "bare.csv").write_text("0.75,0.25\n0.5,0.5\n0.25,0.75\n")
    (tmp_path / "named.csv").write_text("id,dog,cat\nx,0.25,0.75\ny,0.5,0.5\nz,0.75,0.25\n")
    (tmp_path / "excel.csv").write_bytes(b"\xef\xbb\xbfid;cat;dog\r\nx;0,75;0,25\r\ny;0,5;0,5\r\nz;0,25;0,75\r\n")
    for name in ("s.npy", "one.npz", "two.npz", "bare.csv", "named.csv", "excel.csv"):
        assert np.array_equal(read(tmp_path / name), SCORES), name


def test_numpys_files_by_their_content(tmp_path):
    np.savez(tmp_path / "s.npz", SCORES)
    content = (tmp_path / "s.npz").read_bytes()
    (tmp_path / "archive.npy").write_bytes(content)
    assert np.array_equal(read(tmp_path / "archive.npy"), SCORES)
    np.save(tmp_path / "array.npy", SCORES)
    (tmp_path / "array.npz").write_bytes((tmp_path / "array.npy").read_bytes())
    assert np.array_equal(read(tmp_path / "array.npz"), SCORES)
    for damaged in (content[: len(content) // 2], content.replace(SCORES[0].tobytes(), SCORES[1].tobytes())):
        (tmp_path / "s.npz").write_bytes(damaged)
        with pytest.raises(ValueError, match="no plain array"):
            read(tmp_path / "s.npz")


@pytest.mark.parametrize("array", [np.array(0.5), np.array([0.5, 0.5])])
def test_scores_that_are_no_table(tmp_path, array):
    np.save(tmp_path / "s.npy", array)
    with pytest.raises(ValueError, match="one row an item, one column a class"):
        count_rows(tmp_path / "s.npy", CLASSES)


def test_scores_of_classes_that_are_numbers(tmp_path):
    (tmp_path / "s.csv").write_text("0,1\n0.75,0.25\n0.5,0.5\n0.25,0.75\n")
    assert np.array_equal(read_scores(tmp_path / "s.csv", ITEMS, ["0", "1"]), SCORES)


def test_scores_from_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"id": ITEMS, "dog": SCORES[:, 1], "cat": SCORES[:, 0]})
    parquet.write_table(table, tmp_path / "s.parquet")
    assert np.array_equal(read(tmp_path / "s.parquet"), SCORES)
    parquet.write_table(pyarrow.table({"cat": [1, 2, 3], "dog": [1, 2, 3]}), tmp_path / "whole.parquet")
    with pytest.raises(ValueError, match="'cat' has int64"):
        read(tmp_path / "whole.parquet")
    (tmp_path / "s.parquet").write_bytes(b"no")
    with pytest.raises(ValueError, match="cannot be read as Parquet"):
        read(tmp_path / "s.parquet")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_scores_are_named(tmp_path, save):
    path = tmp_path / "s.npz"
    save(path, scores=np.tile(SCORES, (50, 1)))
    content = path.read_bytes()
    flipped = content[:100] + bytes(byte ^ 0x55 for byte in content[100:120]) + content[120:]
    for damaged in (content[: len(content) // 2], flipped):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"s.npz holds no plain array of scores: "):
            read(path)
    (tmp_path / "s.npy").write_bytes(b"\x93NUMPY\x01\x00\x10\x00garbage((({{{\n  ")
    with pytest.raises(ValueError, match=r"s.npy holds no plain array of scores: "):
        read(tmp_path / "s.npy")


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "s.npy", np.array([{}, {}]), allow_pickle=True)
    np.savez(tmp_path / "s.npz", scores=np.array([{}, {}]))
    for name in ("s.npy", "s.npz"):
        with pytest.raises(ValueError, match="no plain array"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("s.txt", b"", "scores are read from .npy, .npz, .csv, .parquet, not .txt"),
        ("s.npy", b"junk", "no plain array"),
        ("s.npz", b"junk", "no plain array"),
        ("s.csv", b"0.5,0.5\n0.5,0.5\n", r"shape \(2, 2\), expected \(3, 2\)"),
        ("s.csv", b"id,cat,dog\nx,1,0\nz,1,0\ny,1,0\n", "row 2 is of 'z', the job's items have 'y' there"),
        ("s.csv", b"cat,bird\n1,0\n1,0\n1,0\n", "no column for class 'dog'; the columns are cat, bird"),
        ("s.csv", b"cat,dog\n1,none\n1,0\n1,0\n", "scores must be numbers"),
        ("s.csv", b"cat,dog\n1,0\n1\n1,0\n", "rows of one length"),
        ("s.csv", "cat,dög\n".encode("latin-1"), "not in UTF-8: in Excel, save it as 'CSV UTF-8'"),
    ],
)
def test_bad_scores(tmp_path, name, content, match):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=match):
        read(tmp_path / name)


def test_items_as_excel_writes_them(tmp_path):
    path = tmp_path / "items.csv"
    path.write_bytes('\ufefftext;id\r\n"one; two\r\nthree";x\r\nfour;y\r\n;;\r\n'.replace(";;\r\n", ";\r\n").encode())
    items = Items.read(path)
    assert items.ids == ["x", "y"]
    assert items.rows[0][0] == "one; two\r\nthree"
    path.write_bytes("name\ttext\r\nx\tä\r\n".encode("utf-16"))  # "Unicode text"
    assert Items.read(path).rows == [["x", "ä"]]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("id,text\n", "a heading and a row for each item"),
        ("id,text\nx,a\nx,b\n", "the item 'x' is there twice"),
        ("id,text\nx,a,b\n", "row 2 has 3 cells, the heading has 2"),
        ("id,text\nx,a\n,b\n", "row 3: the column 'id' is empty"),
        ("id,id\nx,y\n", "the column 'id' is there twice"),
        ('id,text\nx,"a\n', "no CSV table"),
    ],
)
def test_bad_items(tmp_path, content, match):
    path = tmp_path / "items.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=match):
        Items.read(path)


@pytest.mark.parametrize(
    ("content", "match"), [("cat\n", "at least 2"), ("cat\ncat\n", "twice"), ("cat\n?\n", "stands for 'cannot tell'")]
)
def test_bad_classes(tmp_path, content, match):
    (tmp_path / "classes.txt").write_text(content)
    with pytest.raises(ValueError, match=match):
        read_classes(tmp_path / "classes.txt")


def test_answers(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("item;Label;annotator\nx;cat;bob\ny;?;\nz;;\n")
    assert read_answers(path, "ann") == [Answer("bob", "x", "cat"), Answer("ann", "y", None)]
    path.write_text("x,cat\n")
    with pytest.raises(ValueError, match="columns item and label; it has x, cat"):
        read_answers(path, "ann")


def test_a_reference_knows_content_not_time(tmp_path):
    path = tmp_path / "data" / "s.npy"
    path.parent.mkdir()
    path.write_bytes(b"one")
    reference = Reference.to(path, tmp_path)
    assert reference.path == "data/s.npy"  # the folder may move
    path.write_bytes(b"one")
    assert reference.find(tmp_path, "") == path
    path.write_bytes(b"two")
    with pytest.raises(ValueError, match="has changed since"):
        reference.find(tmp_path, "")
    path.unlink()
    with pytest.raises(FileNotFoundError, match="is gone"):
        reference.find(tmp_path, "")
