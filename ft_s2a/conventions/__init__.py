"""Conventions shared by every layer: progress, atomic writing, logging, text, lazy imports."""
