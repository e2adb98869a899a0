"""The targets of fuzzed.py under atheris, for as long as one likes: no test, and run by hand.

pip install atheris; python tests/fuzz_longer.py TARGET [CORPUS] [-max_total_time=600 ...]
"""

import logging
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["unembed"]):
    sys.path.insert(0, str(Path(__file__).parent))
    from fuzzed import TARGETS, feed

name = sys.argv.pop(1)
directory = Path(tempfile.mkdtemp())
logging.disable(logging.CRITICAL)
corpus = Path(tempfile.mkdtemp())
(corpus / "sound").write_bytes(TARGETS[name][1])
limits = ["-rss_limit_mb=3000", "-timeout=10", "-max_len=4096"]
atheris.Setup(
    [sys.argv[0], *limits, *sys.argv[1:], str(corpus)], lambda data: feed(name, directory, data)
)
atheris.Fuzz()
