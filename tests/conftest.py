"""Properties are judged by what holds, not by how fast one example ran on a busy machine."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
