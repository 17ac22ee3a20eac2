"""How texts stand for numbers, times and missing values."""

import pytest

from pipelines.onboarding.text_values import date_formats, missing_markers, number_style


@pytest.mark.parametrize(
    ("values", "style"),
    [
        (["1.5", "2", "3.25"], {}),
        (["1,5", "2", "3,25"], {"decimal": ","}),
        (["1.234,56", "7,5"], {"decimal": ",", "thousands": "."}),
        (["1,234.56", "7.5"], {"thousands": ","}),
        (["1,234", "12,345", "7"], {"thousands": ","}),
        (["1 234", "7"], {"thousands": " "}),
        (["2024-01-01", "no number"], {}),
        (["1.234", "5.678"], {}),
    ],
)
def test_the_signs_of_numbers(values, style):
    assert number_style({"x": values}) == style


def test_the_columns_of_a_file_decide_together():
    assert number_style({"whole": ["1.234", "999"], "price": ["1,5", "2,25"]}) == {
        "decimal": ",", "thousands": ".",
    }  # fmt: skip


def test_markers_of_missing_values_are_found_among_numbers_only():
    assert missing_markers({"x": ["1", "?", "2"], "word": ["-", "text"]}) == ["?"]
    assert missing_markers({"x": ["1", "-999", "2"]}) == ["-999"]
    assert missing_markers({"x": ["1", "-999", "-3"]}) == []


@pytest.mark.parametrize(
    ("values", "formats"),
    [
        (["2024-01-31", "2024-02-01T10:00:00+02:00"], ["ISO"]),
        (["31.12.2023", "01.02.2024"], ["%d.%m.%Y"]),
        (["12/31/2023", "02/01/2024"], ["%m/%d/%Y"]),
        (["31/12/2023 08:30", "01/02/2024 23:59"], ["%d/%m/%Y %H:%M"]),
        (["12/31/2023 08:30 PM", "01/02/2024 11:59 AM"], ["%m/%d/%Y %I:%M %p"]),
        (["20231231", "20240101"], ["%Y%m%d"]),
        (["05/06/2023", "07/08/2023"], ["%d/%m/%Y", "%m/%d/%Y"]),
        (["31.12.2023", "12/31/2023"], []),
        (["1234", "1235"], []),
        (["Köln 2023", "x"], []),
    ],
)
def test_formats_of_times_are_those_in_which_all_values_can_be_read(values, formats):
    assert date_formats(values) == formats
