"""Schemathesis asks every described operation what its description allows, and what it does not."""

import asyncio
import sys
from pathlib import Path

from office import Office

#: One account that may do everything described.
EVERYTHING = {
    "login": "every.role",
    "name_zh": "全能",
    "name_en": "Every Role",
    "roles": ["operator", "supervisor", "admin"],
    "password": "a long password",
}
SECONDS = 45
#: There is no Asterisk behind this service, so commands of the desk answer 503 line_away, as described.
CONFIG = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]
"""


async def test_the_api_is_as_it_is_described(own_office: Office, tmp_path: Path) -> None:
    admin = await own_office.logged_in("admin")
    assert (await admin.ask("POST", "/api/v1/users", EVERYTHING))[0] == 201
    browser = own_office.browser()
    assert (await browser.log_in("every.role", "a long password"))[0] == 200
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{own_office.url}/api/openapi.json"),
        *("--header", f"Cookie: callcenter_session={browser.cookie()}", "--header", "X-Callcenter: 1"),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--max-time", str(SECONDS)),
        *("--generation-deterministic", "--generation-allow-x00", "false"),
        # The session is given by a header; every route without it is asked in test_api.
        *("--generation-with-security-parameters", "false"),
        *("--checks", "all", "--warnings", "off", "--no-color", "--continue-on-failure"),
        # Logging out ends the session that asks; a websocket answers with no body. Both have tests of their own.
        *("--exclude-operation-id", "people_log_out", "--exclude-operation-id", "push_live"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 3 * SECONDS)
    assert process.returncode == 0, said.decode()
