"""Schemathesis asks every described operation what its description allows, and what it does not."""

import asyncio
import sys
from pathlib import Path

import pytest
from baresip.runtime import Runtime
from office import Browser
from stack import open_stack

#: One account that may do everything described.
EVERYTHING = {
    "login": "every.role",
    "name_zh": "全能",
    "name_en": "Every Role",
    "roles": ["operator", "supervisor", "admin"],
    "password": "a long password",
}
SECONDS = 15
#: What no schema can say (a note only for "other", two items of one name) is refused with 422, as described.
CONFIG = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422", "429", "5xx"]
"""


@pytest.mark.long
async def test_the_api_is_as_it_is_described(telephony: Runtime, tmp_path: Path) -> None:
    """Against a whole instance: the commands of the desk reach a real Asterisk."""
    async with open_stack(telephony) as stack:
        boss = next(account["login"] for account in stack.told["demo_accounts"] if account["role"] == "admin")
        assert (await (await stack.browser(boss)).ask("POST", "/api/v1/users", EVERYTHING))[0] == 201
        browser = await stack.browser(boss)
        assert (await browser.log_in("every.role", "a long password"))[0] == 200
        await _schemathesis(browser, tmp_path)


async def _schemathesis(browser: Browser, folder: Path) -> None:
    (folder / "schemathesis.toml").write_text(CONFIG)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{browser.url}/api/openapi.json"),
        *("--header", f"Cookie: callcenter_session={browser.cookie()}", "--header", "X-Callcenter: 1"),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--max-time", str(SECONDS)),
        *("--generation-deterministic", "--generation-allow-x00", "false"),
        # The session is given by a header; every route without it is asked in test_api.
        *("--generation-with-security-parameters", "false"),
        *("--checks", "all", "--warnings", "off", "--no-color", "--continue-on-failure"),
        # Logging out ends the session that asks; a websocket answers with no body. Both have tests of their own.
        *("--exclude-operation-id", "people_log_out", "--exclude-operation-id", "push_live"),
        # A second of a core for each question.
        *("--exclude-operation-id", "staffing_show_what_if"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 3 * SECONDS)
    assert process.returncode == 0, said.decode()
