"""Airflow's UI as a person uses it: what is clicked is found by its role and waited for."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import TimeoutError as NeverCame
from playwright.sync_api import sync_playwright

from tools.screenshots import QUIET, log_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Locator, Page

    from stack.layout import Layout

TRIES = 4
TRY_MS = 15_000


@contextmanager
def logged_in(layout: Layout) -> Iterator[BrowserContext]:
    """Give a real browser that is logged in to the Airflow of this stack; skip where none is."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no Chromium (Debian: apt-get install chromium)")
    with sync_playwright() as browsers:
        started = browsers.chromium.launch(executable_path=chromium, args=QUIET)
        context = started.new_context(viewport={"width": 1440, "height": 860})
        log_in(context.new_page(), layout)
        yield context
        started.close()


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
