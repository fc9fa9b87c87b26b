"""Error messages for wrong settings."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from lapel.config.rules import plain_types
from lapel.errors import FieldError

__all__ = ["explain"]


def explain(error: ErrorDetails, values: Mapping[str, str], fields: Mapping[str, FieldInfo]) -> FieldError:
    """Translate one of pydantic's errors into a sentence that names the variable. A secret's value is not repeated.

    Args:
        values: the values that were set, by the names of the variables.
        fields: the settings, by the names of their attributes.
    """
    by_variable = {str(field.validation_alias): field for field in fields.values()}
    location = str(error["loc"][0])  # the variable's name, or the attribute's if the value is a default
    name = location if location in by_variable else str(fields[location].validation_alias)
    context = error.get("ctx", {})
    if error["type"] == "wrong_database_url":
        name = context["variable"]  # the error is reported for DB_TYPE, because only together they are wrong
    match error["type"]:
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
            problem = f"is not valid ({error['msg']})"
    is_secret = SecretStr in plain_types(by_variable[name].annotation)
    value = "" if is_secret or name not in values else f" (it is “{values[name][:100]}”)"
    return FieldError(f"/{name}", f"{name} {problem}{value}")
