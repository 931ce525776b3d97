"""Links show what they lead to."""

from tests.site.browser import open_page


def test_links_show_what_they_lead_to(tabs: dict, address: str, troubles: list[str]) -> None:
    tab = tabs["light"]
    open_page(tab, f"{address}book/diffusion/adam.html")
    link, preview = tab.locator("article a[href='sgd.html#equation-eq-3']").first, tab.locator(".adai-preview")
    link.hover()
    preview.locator("mjx-container").first.wait_for()
    assert "(3)" in preview.inner_text() and link.get_attribute("aria-describedby") == preview.get_attribute("id")
    preview.hover()
    tab.wait_for_timeout(400)
    assert preview.count() == 1
    tab.keyboard.press("Escape")
    assert preview.count() == 0 and link.get_attribute("aria-describedby") is None
    own = tab.locator("article p a.internal[href^='#equation-eq-']:visible").first
    own.focus()
    preview.wait_for()
    assert not preview.locator("[id]").count()
    own.blur()
    assert preview.count() == 0
    assert not troubles
