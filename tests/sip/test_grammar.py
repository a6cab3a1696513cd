"""Tokens, numbers, parameters, quoted strings and comma lists (RFC 3261 §25)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.errors import ParseError
from sip.grammar import MAX_PARAMETERS, number, parameters, quote, split_first, split_list, unquote, write_parameters


@pytest.mark.parametrize("text", ["", "-1", "+1", "1_000", "0x10", "1.0", "٣", "12345678901", "1 2", "1\x0b", "\x851"])
def test_a_number_is_ascii_digits_and_nothing_else(text: str) -> None:
    with pytest.raises(ParseError, match="Expires"):
        number(text, "Expires")


def test_a_number_may_have_leading_zeros_and_blanks_and_a_limit() -> None:
    assert number(" 0068\t", "Max-Forwards", 255) == 68
    with pytest.raises(ParseError):
        number("256", "Max-Forwards", 255)


def test_parameters_keep_quotes_and_lose_case_of_names_and_blanks() -> None:
    text = ' ; Tag =  98asjd8 ;lr; reason="a;b,c\\"d" ;q = 0.33'
    assert parameters(text, "From") == (("tag", "98asjd8"), ("lr", None), ("reason", '"a;b,c\\"d"'), ("q", "0.33"))


@pytest.mark.parametrize("text", [";", ";=a", ';a="open', "a=b", ";a b", ";a=b,c", ";a\x0b=b", ";a;;b"])
def test_broken_parameters_are_an_error(text: str) -> None:
    with pytest.raises(ParseError):
        parameters(text, "Via")


def test_the_number_of_parameters_is_limited() -> None:
    assert len(parameters(";a=b" * MAX_PARAMETERS, "Via")) == MAX_PARAMETERS
    with pytest.raises(ParseError):
        parameters(";a=b" * (MAX_PARAMETERS + 1), "Via")


def test_commas_in_quotes_and_brackets_do_not_split() -> None:
    value = '"Chen, Alice" <sip:a@b;x=1,2>;q=1 , sip:c@d,, "back\\"slash, too" <sip:e@f>'
    assert list(split_list(value)) == ['"Chen, Alice" <sip:a@b;x=1,2>;q=1', "sip:c@d", '"back\\"slash, too" <sip:e@f>']


def test_the_first_element_is_cut_at_the_first_comma_outside_quotes() -> None:
    assert split_first('a;x="1,2\\",3" , b,c') == ('a;x="1,2\\",3"', "b,c")
    assert split_first("alone ") == ("alone", "")


@given(st.text(st.characters(exclude_characters="\r\n\0")))
def test_quote_and_unquote_are_inverse(text: str) -> None:
    assert unquote(quote(text)) == text


TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=12)


@given(
    st.lists(st.tuples(TOKENS.map(str.lower), st.none() | TOKENS | st.text('ab ,;<>\\"', max_size=8).map(quote)), max_size=8)
)
def test_parameters_read_back_as_they_were_written(items: list[tuple[str, str | None]]) -> None:
    assert parameters(write_parameters(tuple(items)), "test") == tuple(items)


@given(st.lists(st.text('ab"\\<>, ', max_size=12), max_size=5).map(",".join))
def test_splitting_never_raises_and_the_first_element_is_no_longer_than_the_value(value: str) -> None:
    assert all(element for element in split_list(value) if "," in value)
    assert len(split_first(value)[0]) <= len(value)


@pytest.mark.parametrize(
    "text", [";a=" + "\\" * 8000 + "<", ';a="' + "\\" * 8000, ';a="' + "x" * 8000, ";" * 8000, ";a" + " " * 8000 + "b"]
)
def test_hostile_parameters_take_linear_time(text: str) -> None:
    started = time.process_time()
    with pytest.raises(ParseError):
        for _ in range(10):
            parameters(text, "Via")
    assert time.process_time() - started < 0.2
