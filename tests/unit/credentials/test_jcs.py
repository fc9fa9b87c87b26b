"""JSON in its canonical form: the examples of RFC 8785."""

from __future__ import annotations

import struct

import pytest

from lapel.credentials.jcs import NotCanonicalisable, canonicalise
from lapel.credentials.strict_json import read_json


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_a_number_is_written_as_ecmascript_writes_it(bits: str, text: str) -> None:
    """RFC 8785, appendix B."""
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonicalise(number) == text
    assert canonicalise(read_json(text)) == text


def test_spellings_of_one_document_have_one_text() -> None:
    """RFC 8785, 3.2.2."""
    given = r"""{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"""
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        + r'"string":"€$\u000f\nA'
        + "'"
        + r'B\"\\\\\"/"}'
    )
    assert canonicalise(read_json(given)) == expected


def test_members_are_in_the_order_of_their_utf_16_code_units() -> None:
    """RFC 8785, 3.2.3."""
    names = ["\r", "1", "\x80", "ö", "€", "\U0001f600", "\ufb33"]
    text = canonicalise(dict.fromkeys(reversed(names), 1))
    assert list(read_json(text)) == names  # type: ignore[arg-type]  # it is an object


def test_an_integer_that_is_no_double_has_no_canonical_form() -> None:
    assert canonicalise(2**53 + 2) == "9007199254740994"
    with pytest.raises(NotCanonicalisable):
        canonicalise({"value": 2**53 + 1})
