"""The API page is what the docstrings and signatures say now."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

_ROOT = Path(__file__).parents[2]
_GENERATOR = _ROOT / "docs" / "generate_api.py"

_SAMPLE = '''"""What it knows."""

LIMIT = 3
"""How many, at most."""
_HIDDEN = 1


class Thing(Base):
    """One thing."""

    name: str
    size: int = 0
    """In pixels."""
    _secret: str = ""

    def __init__(self, name: str, /, *rest: int, size: int = 0, **more: str) -> None: ...

    async def grow(self, by: int = 1) -> int:
        """Returns the new size."""

    def _shrink(self) -> None: ...


def make(
    first_argument_name: str,
    second_argument_name: int,
    third_argument_name: float = 0.5,
    *,
    last: bool = True,
) -> Thing:
    """Makes one."""


def _hidden() -> None: ...
'''

_EXPECTED = """## sample

What it knows.

### LIMIT

```python
LIMIT = 3
```

How many, at most.

### Thing

```python
class Thing(Base)
```

One thing.

- `name: str`
- `size: int = 0`: In pixels.

#### Thing.__init__

```python
def __init__(self, name: str, /, *rest: int, size: int = 0, **more: str) -> None
```

#### Thing.grow

```python
async def grow(self, by: int = 1) -> int
```

Returns the new size.

### make

```python
def make(
    first_argument_name: str,
    second_argument_name: int,
    third_argument_name: float = 0.5,
    *,
    last: bool = True,
) -> Thing
```

Makes one."""


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_api", _GENERATOR)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_api_page_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(_GENERATOR), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_module_is_written_in_the_order_of_its_file_without_what_is_private(generator: ModuleType) -> None:
    assert "\n\n".join(generator.module_section("sample", _SAMPLE)) == _EXPECTED


def test_a_missing_module_is_named_and_nothing_is_left_out_silently(
    generator: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "api_introduction.md").write_text("# API\n", encoding="utf-8")
    (tmp_path / "present.py").write_text('"""Here."""\n', encoding="utf-8")
    with pytest.raises(generator.MissingSourceError, match=r"not there: absent\.py, deep/absent\.py"):
        generator.page(tmp_path, ("present", "absent", "deep.absent"))
    assert "Here." in generator.page(tmp_path, ("present",))
