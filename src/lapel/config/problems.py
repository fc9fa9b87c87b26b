"""What is wrong with a setting, in our words."""

from __future__ import annotations

from pydantic_core import ErrorDetails

__all__ = ["problem_of"]


def problem_of(found: ErrorDetails) -> str:
    """The second half of a sentence that begins with the setting's name."""
    context = found.get("ctx", {})
    match found["type"]:
        case "wrong_database_url":
            return "must be an address such as postgresql://user:password@host/name"
        case "value_error":
            return str(context["error"])
        case "int_parsing" | "int_parsing_size" | "int_from_float":
            return "must be a whole number"
        case "bool_parsing":
            return "must be true or false"
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case "literal_error":
            return f"must be {context['expected'].replace(chr(39), '')}"
    return f"is not valid ({found['msg']})"
