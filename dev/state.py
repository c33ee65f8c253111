"""State that a private service keeps between starts: its ports and passwords, in its folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def load_or_create(folder: Path, **factories: Callable[[], int | str]) -> dict[str, Any]:
    """Load the values from `state.json`, or create them with these factories. Only this account can read the file."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / "state.json"
    if file.exists():
        return dict(json.loads(file.read_text()))
    state = {name: create() for name, create in factories.items()}
    file.touch(mode=0o600)
    file.write_text(json.dumps(state))
    return state
