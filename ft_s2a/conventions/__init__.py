"""Conventions shared by every layer: progress, atomic writing, logging, lazy imports."""
