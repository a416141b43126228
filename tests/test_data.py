"""Data sets in the formats in which they are published, written small."""

import hashlib
import io
import os
import pickle
import shutil
import struct
import warnings
import zlib
from dataclasses import replace

import numpy as np
import pytest

from labelbench_direct.hosts.embedded import load
from labelbench_direct.hosts.embedded.data import catalog, files
from labelbench_direct.hosts.embedded.data.catalog import loaded
from labelbench_direct.hosts.embedded.data.pairs import pairs as pairs_of
from labelbench_direct.hosts.embedded.data.parts import long_tail
from labelbench_direct.hosts.embedded.data.pictures import UnusableError, read_picture

datasets = pytest.importorskip("torchvision.datasets", reason="the extra vision is not installed")
Image = pytest.importorskip("PIL.Image")


def images(count, side=32, seed=0):
    return np.random.default_rng(seed).integers(256, size=(count, side, side, 3), dtype=np.uint8)


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def write_cifar(folder, kind, labels, test_labels, classnames, patch):
    """The published pickles: rows of 3 x 32 x 32, a list of labels; their checksums in place of the published ones."""
    base = folder / kind.base_folder
    base.mkdir(parents=True)
    key = "labels" if kind is datasets.CIFAR10 else "fine_labels"
    for title, part_labels, seed in (("train_list", labels, 0), ("test_list", test_labels, 1)):
        names = [name for name, _ in getattr(kind, title)]
        whole = images(len(part_labels), seed=seed).transpose(0, 3, 1, 2).reshape(-1, 3072)
        cuts = np.array_split(np.arange(len(part_labels)), len(names))
        for name, rows in zip(names, cuts, strict=True):
            entry = {"data": whole[rows], key: [int(part_labels[row]) for row in rows]}
            (base / name).write_bytes(pickle.dumps(entry))
        patch.setattr(kind, title, [(name, md5(base / name)) for name in names])
    meta = base / kind.meta["filename"]
    meta.write_bytes(pickle.dumps({kind.meta["key"]: list(classnames)}))
    patch.setattr(kind, "meta", {**kind.meta, "md5": md5(meta)})


def evenly(num_classes, per_class):
    return np.tile(np.arange(num_classes), per_class)


@pytest.fixture(autouse=True)
def _forget():
    loaded.cache_clear()


@pytest.fixture
def cifar10(tmp_path, monkeypatch):
    names = [f"thing {k}" for k in range(10)]
    write_cifar(tmp_path, datasets.CIFAR10, evenly(10, 20), evenly(10, 6), names, monkeypatch)
    monkeypatch.setattr(catalog, "TABLE_1", {"cifar10_imb_2": (200, 0.1111)})
    return tmp_path


def test_cifar10_is_read_as_published(cifar10):
    data = load("cifar10", cifar10)
    assert data.train.inputs.tolist() == images(200).tolist()
    assert data.train.labels.tolist() == evenly(10, 20).tolist()
    assert data.classnames[3] == "thing 3"
    assert (len(data.val.labels), len(data.test.labels)) == (30, 30)
    order = np.random.RandomState(42).permutation(60)  # LabelBench's halves
    assert data.test.inputs.tolist() == images(60, seed=1)[order[30:]].tolist()


def test_imbalanced_data_are_those_of_table_1(cifar10, monkeypatch):
    data = load("cifar10_imb_2", cifar10)
    assert data.train.labels.tolist() == np.minimum(evenly(10, 20), 1).tolist()
    assert data.classnames == ("thing 0", "others")
    for wrong in ((199, 0.1111), (200, 0.1250)):
        loaded.cache_clear()
        monkeypatch.setattr(catalog, "TABLE_1", {"cifar10_imb_2": wrong})
        with pytest.raises(ValueError, match=r"has 200 examples and imbalance ratio 0.1111, the paper's \(Table 1\)"):
            load("cifar10_imb_2", cifar10)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("cifar10_imb_2", [5000] * 10),
        ("cifar10_imb_3", [5000] * 10),
        ("cifar100_imb_2", [500] * 100),
        ("cifar100_imb_3", [500] * 100),
        ("cifar100_imb_10", [500] * 100),
        ("svhn_imb_2", [4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659]),
        ("svhn_imb_3", [4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659]),
    ],
)
def test_table_1_follows_from_the_public_class_counts(name, counts):
    size, ratio = catalog.TABLE_1[name]
    num_classes = int(name.rsplit("_", 1)[1])
    merged = [*counts[: num_classes - 1], sum(counts[num_classes - 1 :])]
    assert sum(counts) == size
    assert min(merged) / max(merged) == pytest.approx(ratio, abs=5e-5)


@pytest.mark.parametrize(("num_classes", "largest", "total"), [(10, 5000, 12_406), (100, 500, 10_847)])
def test_long_tails_are_the_standard_ones(num_classes, largest, total):
    """Cao et al. 2019's CIFAR-10-LT and CIFAR-100-LT with imbalance 100 have these many examples."""
    sizes = long_tail(largest, num_classes, 0.01, np.floor)
    assert sizes.sum() == total
    assert (sizes[0], sizes[-1]) == (largest, largest // 100)


def test_long_tail_ratio_is_an_option(cifar10):
    data = load("cifar10_lt:ratio=0.1", cifar10)
    assert np.bincount(data.train.labels).tolist() == [int(20 * 0.1 ** (k / 9)) for k in range(10)]
    assert len(data.test.labels) == 30


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("mnist5k_imb_2:ratio=0.0101", [32, 3150]),
        ("mnist5k_imb_2:ratio=0.1166", [350, 3002]),
        ("mnist5k_imb_3:ratio=0.125", [350, 350, 2800]),
        ("mnist5k_imb_10:ratio=0.011", [4] * 9 + [350]),
        ("mnist5k_pairs_imb_2:ratio=0.5", [200, 400]),
        ("mnist5k_pairs_lt:ratio=0.01", long_tail(200, 100, 0.01, np.round).tolist()),
    ],
)
def test_imbalance_ratio_is_an_option(name, counts):
    data = load(name)
    assert np.bincount(data.train.labels).tolist() == counts
    assert len(data.test.labels) == (4000 if "pairs" in name else 1000)


def halves(data):
    """Every digit image of a part at half its width, and where in which part it is."""
    for title, part in (("train", data.train), ("val", data.val), ("test", data.test)):
        for number, image in enumerate(part.inputs.reshape(-1, 28, 28)):
            yield ((image[:, 0::2] + image[:, 1::2]) / 2).tobytes(), (title, number)


def test_pairs_of_digits_are_a_hundred_classes_and_no_part_shares_a_digit():
    digits, pairs = load("mnist5k"), load("mnist5k_pairs")
    assert pairs.classnames == tuple(f"{number:02d}" for number in range(100))
    places = {}
    for image, place in halves(digits):
        places.setdefault(image, place)
    for title, per_class in (("train", 200), ("val", 10), ("test", 40)):
        part, labels = getattr(pairs, title), getattr(digits, title).labels
        assert np.bincount(part.labels).tolist() == [per_class] * 100
        sides = np.split(part.inputs.reshape(-1, 28, 28), 2, axis=2)
        found = [[places[np.ascontiguousarray(image).tobytes()] for image in side] for side in sides]
        assert {place[0] for side in found for place in side} == {title}
        left, right = (labels[[number for _, number in side]] for side in found)
        assert np.array_equal(10 * left + right, part.labels)
        assert len(set(zip(*found, strict=True))) == 100 * per_class, "no pair is there twice"
    loaded.cache_clear()
    assert np.array_equal(load("mnist5k_pairs").train.inputs, pairs.train.inputs)


def test_pairs_need_images_of_even_width():
    odd = replace(load("digits"), image_shape=(64, 1))
    with pytest.raises(ValueError, match=r"pairs are made of grey images of even width, 'digits' has \(64, 1\)"):
        pairs_of(odd)


def test_cifar100_is_read_as_published(tmp_path, monkeypatch):
    names = [f"fine {k}" for k in range(100)]
    write_cifar(tmp_path, datasets.CIFAR100, evenly(100, 2), evenly(100, 8), names, monkeypatch)
    monkeypatch.setattr(catalog, "TABLE_1", {})
    data = load("cifar100_imb_10", tmp_path)
    assert np.bincount(data.train.labels).tolist() == [2] * 9 + [182]
    assert data.classnames == (*names[:9], "others")


@pytest.fixture
def svhn(tmp_path, monkeypatch):
    from scipy.io import savemat

    lists = dict(datasets.SVHN.split_list)
    for part, count in (("train", 40), ("test", 40)):
        path = tmp_path / lists[part][1]
        labels = np.where(evenly(10, count // 10) == 0, 10, evenly(10, count // 10))  # the digit 0 is written as 10
        savemat(path, {"X": images(count).transpose(1, 2, 3, 0), "y": labels[:, None].astype(np.uint8)})
        lists[part] = [*lists[part][:2], md5(path)]
    monkeypatch.setattr(datasets.SVHN, "split_list", lists)
    return tmp_path


def test_svhn_is_read_as_published(svhn):
    data = load("svhn", svhn)
    assert data.train.labels.tolist() == evenly(10, 4).tolist()
    assert data.train.inputs.tolist() == images(40).tolist()
    assert (len(data.val.labels), len(data.test.labels)) == (20, 20)


@pytest.fixture
def pathmnist(tmp_path, monkeypatch):
    path = tmp_path / "pathmnist.npz"
    arrays = {}
    for part, count in (("train", 27), ("val", 9), ("test", 9)):
        arrays[f"{part}_images"] = images(count, side=28)
        arrays[f"{part}_labels"] = evenly(9, count // 9)[:, None].astype(np.uint8)
    np.savez(path, **arrays)
    monkeypatch.setattr(files, "PATHMNIST_MD5", md5(path))
    monkeypatch.setattr(catalog, "TABLE_1", {"pathmnist_imb_2": (27, 0.125)})
    return tmp_path


def test_pathmnists_rare_class_is_stroma(pathmnist):
    data = load("pathmnist_imb_2", pathmnist)
    assert data.classnames == ("cancer-associated stroma", "others")
    assert data.train.labels.tolist() == np.where(evenly(9, 3) == 7, 0, 1).tolist()
    whole = load("pathmnist", pathmnist)
    assert [whole.classnames[k] for k in whole.train.labels[:3]] == ["adipose", "background", "debris"]
    assert whole.train.inputs.tolist() == images(27, side=28).tolist()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cifar10", r"data_batch_1; get cifar-10-python.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html and"),
        ("cifar100_imb_2", r"cifar-100-python/train; get cifar-100-python.tar.gz from .* and unpack it in"),
        ("svhn_imb_3", r"train_32x32.mat; get train_32x32.mat from http://ufldl.stanford.edu/housenumbers"),
        ("pathmnist", r"pathmnist.npz; get it \(the one of size 28\) from https://medmnist.com"),
        ("folder:path=birds", r"there is no .*birds/labels.csv; put there a CSV file with the columns file"),
    ],
)
def test_absent_files_say_what_to_get_and_where_to_put_it(tmp_path, name, message):
    with pytest.raises(FileNotFoundError, match=message):
        load(name, tmp_path)


@pytest.mark.parametrize(
    ("dataset", "file"),
    [("cifar10", "cifar-10-batches-py/data_batch_3"), ("svhn", "test_32x32.mat"), ("pathmnist", "pathmnist.npz")],
)
def test_half_a_file_is_never_taken_for_whole(request, dataset, file):
    folder = request.getfixturevalue(dataset)
    load(dataset, folder)
    loaded.cache_clear()
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"is incomplete or damaged, its MD5 is not the published .* again"):
        load(dataset, folder)


def test_more_classes_than_there_are(cifar10):
    with pytest.raises(ValueError, match=r"K in _imb_K must be in 2..10, got 11"):
        load("cifar10_imb_11", cifar10)


def test_classes_absent_from_the_pool_are_named(tmp_path, monkeypatch):
    names = [f"thing {k}" for k in range(10)]
    write_cifar(tmp_path, datasets.CIFAR10, evenly(8, 5), evenly(10, 4), names, monkeypatch)
    with pytest.raises(ValueError, match=r"2 of 10 classes have no example in the pool: thing 8, thing 9"):
        load("cifar10", tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cifar10:ratio=0.1", "unknown key 'ratio' in the configuration of data set 'cifar10'; known are none"),
        ("digits_lt:rate=0.1", "unknown key 'rate' .* known are ratio"),
        ("digits_lt:ratio=2", "ratio must be between 1e-06 and 1, got 2"),
        ("digits_lt:ratio", "options are written name:key=value"),
        ("folder:size=0", "size must be at least 1"),
    ],
)
def test_wrong_options_are_named(tmp_path, name, message):
    with pytest.raises(ValueError, match=message):
        load(name, tmp_path)


def write_folder(folder, count=20, header="file,label", part=None):
    folder.mkdir(exist_ok=True)
    lines = [header]
    for i in range(count):
        Image.fromarray(images(1, side=12, seed=i)[0]).save(folder / f"{i}.png")
        lines.append(f"{i}.png,{'cat' if i % 2 else 'dog'}" + (f",{part(i)}" if part else ""))
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_folder_of_ones_own(tmp_path):
    write_folder(tmp_path / "pets")
    data = load("folder:path=pets", tmp_path)
    assert data.classnames == ("cat", "dog")
    assert [len(part.labels) for part in (data.train, data.val, data.test)] == [14, 2, 4]
    shown = {image.tobytes() for part in (data.train, data.val, data.test) for image in part.inputs}
    assert shown == {images(1, side=12, seed=i)[0].tobytes() for i in range(20)}
    first = np.flatnonzero([image.tobytes() == images(1, side=12, seed=0)[0].tobytes() for image in data.train.inputs])
    assert data.train.labels[first].tolist() in ([1], [])


def test_a_folder_may_state_its_parts(tmp_path):
    write_folder(tmp_path, 12, "file,label,part", part=lambda i: ("train", "val", "test")[i // 4])
    data = load("folder", tmp_path)
    assert data.val.inputs.tolist() == [images(1, side=12, seed=i)[0].tolist() for i in range(4, 8)]
    assert data.test.labels.tolist() == [1, 0, 1, 0]


def test_bad_images_are_named_counted_and_skipped_only_on_request(tmp_path):
    write_folder(tmp_path, 24)
    (tmp_path / "3.png").write_bytes((tmp_path / "3.png").read_bytes()[:60])
    (tmp_path / "4.png").write_bytes(b"not an image")
    (tmp_path / "5.png").unlink()
    Image.fromarray(images(1, side=10)[0]).save(tmp_path / "6.png")
    with pytest.raises(ValueError, match=r"(?s)4 of 24 images.*3.png: .*; 4.png: .*; 5.png: there is no such file; "):
        load("folder", tmp_path)
    with pytest.raises(ValueError, match=r"6.png: 10 x 10 pixels, most have 12 x 12. Mend them, pass size="):
        load("folder", tmp_path)
    data = load("folder:skip_bad=true", tmp_path)
    assert sum(len(part.labels) for part in (data.train, data.val, data.test)) == 20
    (note,) = data.notes
    assert "4 of 24 images" in note
    assert "5.png: there is no such file; 6.png: 10 x 10 pixels, most have 12 x 12" in note
    with pytest.raises(ValueError, match="3 of 24 images"):
        load("folder:size=8", tmp_path)


def test_images_of_mixed_sizes_are_scaled_on_request(tmp_path):
    write_folder(tmp_path)
    Image.fromarray(images(1, side=40)[0, :30]).save(tmp_path / "6.png")
    assert load("folder:size=8", tmp_path).train.inputs.shape[1:] == (8, 8, 3)


def test_grey_and_transparent_images_become_rgb(tmp_path):
    write_folder(tmp_path)
    grey = images(1, side=12)[0, :, :, 0]
    Image.fromarray(grey).save(tmp_path / "0.png")
    colour = images(1, side=12, seed=3)[0]
    Image.fromarray(np.dstack([colour, np.full((12, 12), 7, dtype=np.uint8)])).save(tmp_path / "1.png")
    palette = Image.fromarray(np.arange(144, dtype=np.uint8).reshape(12, 12), "L").convert("P")
    palette.save(tmp_path / "2.png", transparency=bytes(range(144)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow's, of palettes whose colours are transparent to a degree
        data = load("folder", tmp_path)
    shown = {image.tobytes() for part in (data.train, data.val, data.test) for image in part.inputs}
    assert np.asarray(palette.convert("RGB")).tobytes() in shown
    assert np.dstack([grey] * 3).tobytes() in shown
    assert colour.tobytes() in shown


def png_of(bits, kind, channels):
    """A PNG of 4 x 4 with so many bits a channel, which Pillow cannot write of colors."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = (b"\0" + bytes([15, 160] * (4 * channels * bits // 16))) * 4
    header = struct.pack(">IIBBBBB", 4, 4, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff_of(bits, channels):
    """The same as TIFF, uncompressed."""
    content = bytes([160, 15] * (16 * channels * bits // 16))
    place = 8 + 2 + 9 * 12 + 4
    tags = [
        *((256, 3, 1, 4), (257, 3, 1, 4), (258, 3, channels, place), (259, 3, 1, 1), (262, 3, 1, 2)),
        *((273, 4, 1, place + 2 * channels), (277, 3, 1, channels), (278, 3, 1, 4), (279, 4, 1, len(content))),
    ]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0\x09\0" + entries + bytes(4) + struct.pack("<H", bits) * channels + content


def jp2_of(bits):
    """A JPEG 2000 whose header is changed to say so."""
    file = io.BytesIO()
    Image.fromarray(images(1, side=12)[0]).save(file, format="JPEG2000", no_jp2=True)
    content = bytearray(file.getvalue())
    content[42:51:3] = bytes([bits - 1]) * 3
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "bits"),
    [
        *((png_of(bits, kind, channels), bits) for kind, channels in ((2, 3), (6, 4), (4, 2)) for bits in (8, 16)),
        *((tiff_of(bits, channels), bits) for channels in (3, 4) for bits in (8, 16)),
        *((f"P6 4 4 {2**bits - 1}\n".encode() + bytes(96), bits) for bits in (7, 8, 10, 16)),
        *((f"P3 1 1 {2**bits - 1}\n 1 2 3".encode(), bits) for bits in (8, 10)),
        *((jp2_of(bits), bits) for bits in (8, 16)),
        (b"P1\n2 1\n1 0\n", 1),
        (b"\x01\xda\0\x02\0\x03\0\x04\0\x04\0\x03".ljust(512, b"\0") + bytes(96), 16),  # of Silicon Graphics
    ],
)
def test_colors_of_more_than_eight_bits_are_refused(tmp_path, content, bits):
    """Pillow would take the first eight: of 12 bits in 16, hardly any."""
    (tmp_path / "x").write_bytes(content)
    if bits <= 8:
        assert read_picture(tmp_path / "x", None).pixels.shape[2] == 3
    else:
        with pytest.raises(UnusableError, match=f"its {bits} bits a channel do not fit 8: convert it, as you want"):
            read_picture(tmp_path / "x", None)


def test_sixteen_bits_a_channel_are_refused(tmp_path):
    write_folder(tmp_path)
    Image.fromarray(np.full((12, 12), 40_000, dtype=np.uint16)).save(tmp_path / "0.png")
    with pytest.raises(ValueError, match=r"0.png: its mode I;16 does not fit 8 bits a channel"):
        load("folder", tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "image,class\n0.png,cat\n",
            r"labels.csv, line 1: the first line must name the columns file and label, got 'image,class'",
        ),
        ("file,label\n", "at least one row"),
        ("file,label\n0.png,\n", "line 2: file and label must not be empty"),
        ("file,label\n0.png,cat\n0.png,dog\n", "line 3: 0.png has a label already, in line 2; an example has one"),
        ("file,label,part\n0.png,cat,pool\n", "line 2: part must be one of train, val, test, got 'pool'"),
        ("file,label\n0.png,cat\n1.png,cat\n", "at least 2 classes are needed, got cat"),
        ("file,label\n0.png,cat\n1.png,dog\n", "the validation part is empty"),
    ],
)
def test_unusable_tables_are_named(tmp_path, text, message):
    write_folder(tmp_path)
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load("folder", tmp_path)


def test_a_folder_without_any_usable_image_says_why(tmp_path):
    write_folder(tmp_path, 2)
    for path in tmp_path.glob("*.png"):
        path.unlink()
    with pytest.raises(
        ValueError, match=r"none of the 2 images in .* can be used: 0.png: there is no such file; 1.png"
    ):
        load("folder:skip_bad=true", tmp_path)
    shutil.rmtree(tmp_path)


def table_of(folder, text, encoding="utf-8"):
    """Fifty images, and a table of one's own."""
    write_folder(folder, 50)
    (folder / "labels.csv").write_bytes(text.encode(encoding))
    return folder


ROWS = [f"{i}.png,{'cat' if i % 2 else 'dog'}" for i in range(20)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ([*ROWS[:3], "3.png,bird, small"], "line 5: 3 fields, but the first line names 2 columns; a field with ','"),
        ([*ROWS[:3], "3.png"], "line 5: 1 fields, but the first line names 2 columns"),
        ([*ROWS[:3], "3.png,cat,"], "line 5: 3 fields, but the first line names 2 columns"),
        ([*ROWS[:2], "", "", "2.png,cat,x"], "line 6: 3 fields"),
        ([*ROWS[:3], '3.png,"cat', *ROWS[4:]], "line 5: the quotes do not enclose one field of this line"),
        (['0.png,"dog', '1.png,cat"', *ROWS[2:]], "line 2: the quotes do not enclose one field of this line"),
        ([*ROWS[:3], '3.png,"ca"t'], "line 5: the quotes do not enclose one field of this line"),
        ([*ROWS[:3], "3.png,   "], "line 5: file and label must not be empty"),
        ([*ROWS[:3], "3.png,\u200b"], "line 5: file and label must not be empty"),
        ([*ROWS[:3], "./2.png,cat"], r"line 5: ./2.png has a label already, in line 4, there by the name 2.png; an"),
        ([*ROWS[:3], "\u00a02.png ,cat"], r"line 5: 2.png has a label already, in line 4; an example has one$"),
        ([*ROWS[:3], "link.png,cat"], r"line 5: link.png has a label already, in line 4, there by the name 2.png"),
        (["cat,0.png", "dog,1.png", "cat,2.png"], r"line 4: cat has a label already, in line 2; .*columns swapped\?"),
        ([*ROWS[:3], "a\0b.png,cat"], "line 5: there is a NUL character"),
    ],
)  # fmt: skip
def test_tables_are_read_as_they_are_meant_or_refused_by_line(tmp_path, text, message):
    table_of(tmp_path, "\n".join(["file,label", *text]))
    (tmp_path / "link.png").symlink_to(tmp_path / "2.png")
    with pytest.raises(ValueError, match=message) as caught:
        load("folder:skip_bad=true", tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/labels.csv, line ")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("0.png,cat", "line 1: the first line must name the columns file and label, got '0.png,cat'"),
        ("file,label,label", "line 1: the column 'label' is there twice"),
        ("file label", "line 1: the first line must name the columns"),
        ("file,,label", "line 2: 2 fields, but the first line names 3 columns"),
    ],
)
def test_headers_are_checked(tmp_path, header, message):
    table_of(tmp_path, "\n".join([header, *ROWS]))
    with pytest.raises(ValueError, match=message):
        load("folder", tmp_path)
    (tmp_path / "labels.csv").write_text(" \n\n")
    loaded.cache_clear()
    with pytest.raises(ValueError, match=r"labels.csv is empty: it needs a first line with the columns file and label"):
        load("folder", tmp_path)


@pytest.mark.parametrize(
    ("separator", "encoding", "ends"),
    [(",", "utf-8-sig", "\n"), (";", "utf-8", "\r\n"), ("\t", "utf-16", "\r\n"), (",", "utf-8", "\r")],
)
def test_spreadsheets_tables_are_read(tmp_path, separator, encoding, ends):
    rows = [row.replace(",", f' {separator} "') + ' "' for row in ROWS]
    text = ends.join([f" File{separator}Label ", "", *rows[:9], separator, *rows[9:], ""])
    data = load("folder", table_of(tmp_path, text, encoding))
    assert data.classnames == ("cat", "dog")
    assert len(data.train.labels) == 14
    assert data.notes == ()


def test_blank_columns_at_the_end_may_be_missing_in_some_rows(tmp_path):
    """Excel leaves them out now and then."""
    text = "\n".join(["file,label,,", *(f"{row}{',' * (i % 3)}" for i, row in enumerate(ROWS))])
    data = load("folder", table_of(tmp_path, text))
    assert sum(len(part.labels) for part in (data.train, data.val, data.test)) == 20
    (tmp_path / "labels.csv").write_text(f"{text}\n20.png,cat,x\n")
    loaded.cache_clear()
    with pytest.raises(ValueError, match="line 22: 3 fields, but the first line names 2 columns"):
        load("folder", tmp_path)


def test_classes_that_are_merged_have_a_name_of_their_own(tmp_path):
    names = ["ant", "bee", "others", "wasp"]
    rows = [f"{i}.png,{names[i % 4]}" for i in range(50)]
    data = load("folder_imb_4", table_of(tmp_path, "\n".join(["file,label", *rows])))
    assert data.classnames == ("ant", "bee", "others", "all others")
    assert load("folder_imb_2", tmp_path).classnames == ("ant", "others")


@pytest.mark.parametrize("name", ["folder_imb_2:ratio=0.5", "folder_lt"])
def test_a_pool_without_any_example_is_said_whatever_the_ending(tmp_path, name):
    write_folder(tmp_path, 12, "file,label,part", part=lambda i: ("val", "test")[i // 6])
    with pytest.raises(ValueError, match=r"2 of 2 classes have no example in the pool: cat, .*; add some, or leave"):
        load(name, tmp_path)


@pytest.mark.parametrize(("encoding", "byte"), [("latin-1", "0xfc"), ("cp1252", "0xfc")])
def test_tables_in_other_encodings_are_refused_by_line(tmp_path, encoding, byte):
    table_of(tmp_path, "\n".join(["file,label", *ROWS[:3], "", "3.png,k\u00fcken"]), encoding)
    with pytest.raises(ValueError, match=f"labels.csv, line 6: byte {byte} is not UTF-8 text; save the file as UTF-8"):
        load("folder", tmp_path)


def test_class_names_are_one_in_one_form_and_alike_ones_are_said(tmp_path):
    names = ["caf\u00e9", "cafe\u0301 ", " Cat", "cat.", "dog", "01", "1", "#N/A", "-1", "-2.50"]
    rows = [f"{i}.png,{names[i % 10]}" for i in range(50)]
    data = load("folder:path=", table_of(tmp_path, "\n".join(["file,label,breed", *(f"{row},x" for row in rows)])))
    assert data.classnames == ("#N/A", "-1", "-2.50", "01", "1", "Cat", "caf\u00e9", "cat.", "dog")
    assert data.notes[:3] == (
        "labels.csv has columns that are not used: breed",
        "these are taken for different classes, though their names are alike: '01' and '1'; 'Cat' and 'cat.'",
        "taken for a class, though elsewhere it stands for a missing label: '#N/A'",
    )


def test_files_are_found_in_other_spellings(tmp_path):
    write_folder(tmp_path / "pets")
    (tmp_path / "pets" / "deep").mkdir()
    for number, name in ((0, "cafe\u0301.png"), (2, "caf\u00e9 2.png"), (4, "deep/4.png"), (6, "../6.png")):
        (tmp_path / "pets" / f"{number}.png").rename(tmp_path / "pets" / name)
    names = {
        0: "caf\u00e9.png",
        2: "cafe\u0301 2.png",
        4: "deep\\4.png",
        6: "../6.png",
        8: str(tmp_path / "pets/8.png"),
    }
    rows = [f"{names.get(i, f'{i}.png')},{'cat' if i % 2 else 'dog'}" for i in range(20)]
    (tmp_path / "pets" / "labels.csv").write_text("\n".join(["file,label", *rows]), encoding="utf-8")
    assert len(load("folder:path=pets", tmp_path).train.labels) == 14


def damaged_header(path):
    """A PNG that says it has 60,000 x 60,000 pixels."""
    content = bytearray(path.read_bytes())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    path.write_bytes(content)


def test_whatever_is_wrong_with_an_image_is_said_and_stops_nothing(tmp_path, monkeypatch):
    write_folder(tmp_path, 40)
    damaged_header(tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes(b"")
    for number in (2, 3, 4, 5):
        (tmp_path / f"{number}.png").unlink()
    (tmp_path / "2.png").mkdir()
    os.mkfifo(tmp_path / "3.png")
    (tmp_path / "4.png").symlink_to(tmp_path / "4.png")
    (tmp_path / "5.png").symlink_to("/dev/zero")
    long = "x" * 300 + ".png"
    table = (tmp_path / "labels.csv").read_text()
    (tmp_path / "labels.csv").write_text(table.replace("\n6.png", f"\n{long}"))
    from PIL import PngImagePlugin

    opened = PngImagePlugin.PngImageFile._open

    def failing(self):
        if b"fails" in self.fp.getvalue():
            raise IndexError("index out of range")
        opened(self)

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "_open", failing)
    (tmp_path / "7.png").write_bytes((tmp_path / "7.png").read_bytes() + b"fails")
    with pytest.raises(ValueError, match=r"8 of 40 images in .* cannot be used: 0.png: .*and 3 more"):
        load("folder", tmp_path)
    monkeypatch.setattr("labelbench_direct.hosts.embedded.data.folder._NAMED", 9)
    data = load("folder:skip_bad=true", tmp_path)
    assert len(data.train.labels) == 24
    (note,) = data.notes
    said = dict(part.split(": ", 1) for part in note.removeprefix("8 of 40 images are left out: ").split("; "))
    assert said.pop("0.png").startswith("it cannot be read: Image size (3600000000 pixels) exceeds limit")
    assert said == {
        "1.png": "it is empty",
        "2.png": "it is a folder",
        "3.png": "it is no regular file",
        "4.png": "it cannot be read: Too many levels of symbolic links",
        "5.png": "it is no regular file",
        long: "it cannot be read: File name too long",
        "7.png": "it is no image that Pillow knows",
    }


def test_a_class_that_is_left_out_whole_is_said(tmp_path):
    write_folder(tmp_path, 40)
    rows = (tmp_path / "labels.csv").read_text() + "owl.png,owl\n"
    (tmp_path / "labels.csv").write_text(rows)
    data = load("folder:skip_bad=true", tmp_path)
    assert data.classnames == ("cat", "dog")
    assert data.notes == (
        "1 of 41 images are left out: owl.png: there is no such file; with them no image is left of the class owl",
    )


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(tmp_path, kind, orientation):
    """Each of EXIF's eight ways to lie shows the same image."""
    upright = np.zeros((24, 16, 3), dtype=np.uint8)
    upright[:8, :8] = 255
    ways = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.transpose(1, 0, 2),
        6: np.rot90(upright), 7: np.rot90(upright.transpose(1, 0, 2), 2), 8: np.rot90(upright, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = Image.fromarray(np.ascontiguousarray(ways[orientation]))
    lying.save(tmp_path / f"x.{kind}", exif=exif, **({} if kind == "jpg" else {"lossless": True}))
    shown = read_picture(tmp_path / f"x.{kind}", None).pixels
    assert np.abs(shown.astype(int) - upright).max() < 20


def test_damaged_exif_entries_turn_nothing(tmp_path):
    Image.fromarray(images(1, side=12)[0]).save(tmp_path / "x.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12")
    assert read_picture(tmp_path / "x.png", None).pixels.tolist() == images(1, side=12)[0].tolist()


def test_of_animated_images_the_first_frame_is_taken_and_said(tmp_path):
    write_folder(tmp_path)
    first, second = (Image.fromarray(images(1, side=12, seed=seed)[0]) for seed in (0, 1))
    first.save(tmp_path / "0.png", save_all=True, append_images=[second])
    data = load("folder", tmp_path)
    assert data.notes == ("1 images have several frames, of which the first is taken: 0.png",)
    shown = {image.tobytes() for part in (data.train, data.val, data.test) for image in part.inputs}
    assert images(1, side=12, seed=0)[0].tobytes() in shown


def test_classes_that_the_validation_part_lacks_are_said(tmp_path):
    write_folder(tmp_path, 12, "file,label,part", part=lambda i: ("train", "val", "test")[(i // 2) % 3])
    rows = (tmp_path / "labels.csv").read_text()
    (tmp_path / "labels.csv").write_text(rows.replace("cat,val", "dog,val"))
    (note,) = load("folder", tmp_path).notes
    assert note == (
        "1 of 2 classes have no example in the validation part: cat. As in LabelBench each of them counts as accuracy "
        "0, so that Balanced Validation Accuracy is 0.500 at most"
    )
