"""What pydantic found wrong, in one line."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError


def describe(error: ValidationError) -> str:
    """Say the first mistake of a pydantic validation in one line."""
    mistakes = error.errors()
    # A misspelt field is the cause of the field that is then missing.
    first = next((m for m in mistakes if m["type"] == "extra_forbidden"), mistakes[0])
    place = ".".join(str(part) for part in first["loc"]) or "document"
    message = str(first["msg"]).removeprefix("Value error, ")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"].startswith("union_tag_"):  # no kind of thing has this name
        context = first["ctx"]
        field = str(context["discriminator"]).strip("'")
        known = context.get("expected_tags", "one")
        return f"{place}.{field} is {context.get('tag')!r}; expected {known}{more}"
    if first["type"] == "extra_forbidden":
        return f"unknown field {place!r}{more}"
    if isinstance(first.get("input"), Mapping):  # a rule over several fields, which it names
        return f"{message}{more}" if not first["loc"] else f"{place}: {message}{more}"
    shown = repr(first.get("input"))
    shown = shown if len(shown) < 60 else shown[:57] + "..."
    return f"{place} is {shown}: {message}{more}"
