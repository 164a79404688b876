"""Write the table of the systems that ship into docs/model.md, from their cards; `--check` fails when it is old."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from abr_alloc.audio_families import family_of
from abr_alloc.learning.registry import SYSTEMS
from abr_alloc.models.audio_reading import read_version
from abr_alloc.models.checkpoint import Model, load_model
from abr_alloc.shipped import model_names

_ANY = "any"
PAGE = Path(__file__).with_name("model.md")
BLOCK = re.compile(r"(<!-- systems -->\n).*?(<!-- end -->)", flags=re.DOTALL)


def table() -> str:
    """Held-out figures of every model with teacher labels, and which audio features it reads where that differs."""
    models = [load_model(name) for name in sorted(model_names(), key=[*SYSTEMS, *model_names()].index)]
    models = [model for model in models if "interval_parts" in model.card]  # the others are trained on ratings
    families = len({_reads(model) for model in models} - {_ANY}) > 1
    names = ["model", *(["audio features"] if families else []), "PLCC", "SRCC", "RMSE (MOS)", "trade-off order"]
    names += ["relevance", "90 % interval with teacher", "difference"]
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for model in models:
        found = {key: estimate["value"] for key, estimate in model.card["evaluation"]["held_out"].items()}
        low, high = model.interval_mos
        cells = [_reads(model)] if families else []
        cells += [f"{found[key]:.4f}" for key in ("plcc", "srcc")]
        cells += [f"{found['rmse']:.3f}", f"{found['trade_off_order']:.3f}", f"{found['relevance_spearman']:.2f}"]
        cells += [f"{low:+.2f} .. {high:+.2f}", f"{model.intervals.difference_mos:.2f}"]
        lines.append(f"| `{model.name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _reads(model: Model) -> str:
    """Family of the audio features that a model reads."""
    version = read_version(model.card)
    return _ANY if version is None else family_of(version).name


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    page = BLOCK.sub(lambda match: match[1] + table() + match[2], text)
    if "--check" in sys.argv[1:]:
        if page != text:
            sys.exit("docs/model.md is out of date; run `make docs`")
    else:
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
