"""What is wrong with a setting, in a sentence that names it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from lapel.config.rules import plain_types
from lapel.errors import FieldError

__all__ = ["explain"]


def explain(found: ErrorDetails, values: Mapping[str, str], fields: Mapping[str, FieldInfo]) -> FieldError:
    """One of pydantic's findings in our words; a secret's value is not repeated.

    Args:
        values: what was given, by the variables' names.
        fields: the settings, by their attributes' names.
    """
    named = {str(field.validation_alias): field for field in fields.values()}
    place = str(found["loc"][0])  # the variable's name, or the attribute's if the value is a default
    name = place if place in named else str(fields[place].validation_alias)
    context = found.get("ctx", {})
    if found["type"] == "wrong_database_url":
        name = context["variable"]  # wrong only together with DB_TYPE, where it was found
    match found["type"]:
        case "wrong_database_url":
            problem = "must be an address such as postgresql://user:password@host/name"
        case "value_error":
            problem = str(context["error"])
        case "int_parsing" | "int_parsing_size" | "int_from_float":
            problem = "must be a whole number"
        case "bool_parsing":
            problem = "must be true or false"
        case "greater_than_equal":
            problem = f"must be at least {context['ge']}"
        case "less_than_equal":
            problem = f"must be at most {context['le']}"
        case "literal_error":
            problem = f"must be {context['expected'].replace(chr(39), '')}"
        case _:
            problem = f"is not valid ({found['msg']})"
    secret = SecretStr in plain_types(named[name].annotation)
    shown = "" if secret or name not in values else f" (it is “{values[name][:100]}”)"
    return FieldError(f"/{name}", f"{name} {problem}{shown}")
