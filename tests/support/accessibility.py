"""What must hold for the live view whatever it shows: where its list begins, and that it is accessible."""

from axe_playwright_python.async_playwright import Axe

from tests.support.live_view import View

LIST_TOP = (
    "document.querySelector('#canvas .row').getBoundingClientRect().top + document.querySelector('#list').scrollTop"
)

# Without the rules that passed, which are a lot of data.
AXE = """
axe.run({resultTypes: ['violations'], rules: {'target-size': {enabled: true}}}).then(results => results.violations)
"""


async def is_accessible(view: View) -> None:
    """Let axe look at the page as it is."""
    await view.page.evaluate("document.getAnimations().forEach(animation => animation.cancel())")
    if not await view.page.evaluate("'axe' in window"):
        await view.page.evaluate(Axe().axe_script)
    found = await view.page.evaluate(AXE)
    faults = [(rule["id"], node["html"][:120], node["failureSummary"]) for rule in found for node in rule["nodes"]]
    assert not faults, faults
