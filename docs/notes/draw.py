"""Draw the pictures of the course's text: `python docs/notes/draw.py` writes docs/notes/img/*.svg.

tests/test_notes.py checks that the files are what this program makes.
"""

from pathlib import Path

import layers
import networks

IMAGES = Path(__file__).parent / "img"

PICTURES = (
    layers.local,
    layers.convolution,
    layers.filters,
    layers.stride,
    layers.receptive_field,
    layers.pooling,
    layers.activation,
    networks.lenet,
    networks.batchnorm,
    networks.normalization,
    networks.reads,
    networks.shift,
    networks.freezing,
    networks.overview,
)


def drawn() -> dict[str, str]:
    """Return every picture: its file name, and its text."""
    return {f"{picture.__name__}.svg": picture().svg() for picture in PICTURES}


if __name__ == "__main__":
    for name, text in drawn().items():
        (IMAGES / name).write_text(text, encoding="utf-8")
