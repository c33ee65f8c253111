"""No file and no folder is too large to read at once. Exceptions are listed, as long as they are needed."""

from collections import Counter
from pathlib import PurePosixPath

from dev.stack import ROOT
from tests.support.documents import README, tracked_files

SUFFIXES = {".css", ".html", ".md", ".mjs", ".py", ".sql", ".ts"}  # not lock files, and not what is generated
PAGES = ("docs/", README)  # read by their headings; the README has a limit of its own

LINES_MAX = 250
LISTED_LINES_MAX = 450
# Tests of one behaviour each, and what several of these share; no file of the product.
LONG_FILES = {
    "tests/models/delivery/test_batch_order.py",
    "tests/models/delivery/test_deliver.py",
    "tests/models/delivery/test_withdraw.py",
    "tests/models/retries/test_parked.py",
    "tests/models/test_model.py",
    "tests/models/test_plans.py",
    "tests/models/world.py",
    "tests/test_settings.py",
    "tests/workers/test_enqueued.py",
}

FILES_MAX = 14  # about twelve
LISTED_FILES_MAX = 30
LARGE_FOLDERS = {
    "bench",  # a file for each measurement, and what they share
    "tests/faults",  # a file for each kind of fault, and the tests that play them
    "tests/pipeline",  # a file for each way through the whole system
    "tests/support",  # what tests of all rooms share
}


def test_no_file_is_longer_than_it_may_be() -> None:
    limits = dict.fromkeys(LONG_FILES, LISTED_LINES_MAX)
    assert {path: lines for path, lines in lengths().items() if lines > limits.get(path, LINES_MAX)} == {}


def test_no_folder_has_more_files_than_it_may_have() -> None:
    limits = dict.fromkeys(LARGE_FOLDERS, LISTED_FILES_MAX)
    assert {folder: files for folder, files in sizes().items() if files > limits.get(folder, FILES_MAX)} == {}


def test_no_exception_is_listed_in_vain() -> None:
    assert {path for path in LONG_FILES if lengths().get(path, 0) <= LINES_MAX} == set()
    assert {folder for folder in LARGE_FOLDERS if sizes()[folder] <= FILES_MAX} == set()


def lengths() -> dict[str, int]:
    ours = [path for path in tracked_files() if PurePosixPath(path).suffix in SUFFIXES and not path.startswith(PAGES)]
    return {path: len((ROOT / path).read_text().splitlines()) for path in ours}


def sizes() -> Counter[str]:
    """How many files each folder has, without those of the folders in it. The root's are those that tools demand."""
    return Counter(parent for path in tracked_files() if (parent := str(PurePosixPath(path).parent)) != ".")
