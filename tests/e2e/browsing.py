"""Airflow's UI as a person uses it: what is clicked is found by its role and waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import TimeoutError as NeverCame

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

TRIES = 4
TRY_MS = 15_000


def open_by_menu(page: Page, menu: str, entry: str) -> Page:
    """Choose an entry of a menu of the navigation, and return the page that it opens.

    A menu can be opened before Airflow has told which entries its plugins add, and closes when it
    is drawn anew: so the entry is waited for, and the menu opened again where it closed. Airflow's
    first page has a heading with the text of our entry, which only the role tells from it.
    """
    button = page.get_by_role("button", name=menu, exact=True)
    link = page.get_by_role("menuitem", name=entry, exact=True)
    for tries_left in reversed(range(TRIES)):
        if button.get_attribute("aria-expanded", timeout=4 * TRY_MS) != "true":
            button.click()
        try:
            with page.context.expect_page(timeout=TRY_MS) as opened:
                link.click(timeout=TRY_MS)
        except NeverCame:
            if not tries_left:
                raise
        else:
            break
    return opened.value


def open_trigger_form(page: Page) -> Locator:
    """Open the form that starts a run of the DAG whose page this is, and return it."""
    form = page.get_by_role("dialog")
    button = page.get_by_role("button", name="Trigger")
    for tries_left in reversed(range(TRIES)):
        button.first.click(timeout=4 * TRY_MS)
        try:
            form.wait_for(timeout=TRY_MS)
        except NeverCame:
            if not tries_left:
                raise
        else:
            break
    return form
