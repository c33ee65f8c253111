"""No file and no folder is too large to read at once. Exceptions are listed, as long as they are needed."""

from collections import Counter
from pathlib import PurePosixPath

from dev.stack import ROOT
from tests.support.documents import README, tracked_files

LINES_MAX = 250
SUFFIXES = {".css", ".html", ".md", ".mjs", ".py", ".sql", ".ts"}
PAGES = ("docs/", README)  # read by their headings; the README has a limit of its own

# Lines that a file had when it was listed here; it may only shrink.
LONG_FILES = {
    "tests/api/framework/test_bad_input.py": 321,
    "tests/api/test_security.py": 423,
    "tests/api/v1/test_inbox.py": 299,
    "tests/browser/test_component.py": 343,
    "tests/models/delivery/test_batch_order.py": 255,
    "tests/models/delivery/test_deliver.py": 294,
    "tests/models/delivery/test_withdraw.py": 300,
    "tests/models/retries/test_parked.py": 395,
    "tests/models/test_model.py": 252,
    "tests/models/test_plans.py": 314,
    "tests/models/world.py": 412,
    "tests/push/broker/test_announcer.py": 287,
    "tests/push/broker/test_listener.py": 278,
    "tests/push/support.py": 309,
    "tests/push/transport/test_websocket.py": 267,
    "tests/test_settings.py": 294,
    "web/tests/inbox.test.ts": 263,
}

FILES_MAX = 14  # about twelve
# Files that a folder had when it was listed here; it may only shrink.
LARGE_FOLDERS = {
    "bench": 25,  # a file for each measurement, and what they share
    "tests/browser": 20,  # a file for each behaviour of the page
    "tests/faults": 27,  # a file for each kind of fault, and the tests that play them
    "tests/pipeline": 15,
    "tests/support": 18,  # what tests of all rooms share
    "web/client": 22,
    "web/inbox": 29,
}


def test_no_file_is_longer_than_it_may_be() -> None:
    ours = [path for path in tracked_files() if PurePosixPath(path).suffix in SUFFIXES and not path.startswith(PAGES)]
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in ours}
    assert {path: lines for path, lines in lengths.items() if lines > LONG_FILES.get(path, LINES_MAX)} == {}


def test_no_folder_has_more_files_than_it_may_have() -> None:
    assert {folder: files for folder, files in folders().items() if files > LARGE_FOLDERS.get(folder, FILES_MAX)} == {}


def test_no_exception_is_listed_in_vain() -> None:
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in LONG_FILES if (ROOT / path).exists()}
    assert [path for path in LONG_FILES if lengths.get(path, 0) <= LINES_MAX] == []
    assert [folder for folder in LARGE_FOLDERS if folders()[folder] <= FILES_MAX] == []


def folders() -> Counter[str]:
    """How many files each folder has, without those of the folders in it; the root's are those that tools demand."""
    return Counter(parent for path in tracked_files() if (parent := str(PurePosixPath(path).parent)) != ".")
