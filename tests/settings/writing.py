"""Configurations written for a test."""

from pathlib import Path

PAIR = '[[pairs]]\nsymbol = "BTC/USDT"\nstrategy = "sma_cross"\n'


def written(directory: Path, text: str, name: str = "dirigent.toml") -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path
