"""What a private service must find again at its next start: ports and passwords, in its own folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def remembered(folder: Path, **makers: Callable[[], int | str]) -> dict[str, Any]:
    """Each value as made the first time; the folder and its `state.json` are readable by this account alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / "state.json"
    if file.exists():
        return dict(json.loads(file.read_text()))
    state = {name: make() for name, make in makers.items()}
    file.touch(mode=0o600)
    file.write_text(json.dumps(state))
    return state
