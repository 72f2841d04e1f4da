"""lm-evaluation-harness asks the gateway: the requests of its client, and the program itself where there is one.

The program (``lm_eval`` on the path, or what ``OUTTHINK_LM_EVAL`` names) runs the task of docs/evaluations.md as it is.
"""

import json
import os
import re
import shutil
from pathlib import Path

import aiohttp
import anyio
import pytest

from outthink.models.fake_server import FakeServer
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
PAGE = Path(__file__).parents[2] / "docs" / "evaluations.md"
ANSWERS = {"7 weeks": "49", "4 cats": "16", "1,200 + 34": "1234"}
QUESTIONS = {"How many days are in 7 weeks?": "49", "How many legs have 4 cats?": "16", "What is 1,200 + 34?": "1234"}
SCRIPT = Script(accuracy=0.8, answers=ANSWERS)
SENT = {
    "model": "fake+self-consistency(n=8)",
    "max_tokens": 256,
    "temperature": 0.7,
    "stop": [],
    "seed": 1234,
}
"""What ``local-chat-completions`` of lm_eval 0.4.13 puts beside the messages; seen on the wire."""
HEADERS = {"Authorization": "Bearer", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}


async def test_the_requests_of_its_client_are_answered_by_a_vote(open_gateway):
    async with FakeServer(SCRIPT).serve() as server, open_gateway(server) as gate, aiohttp.ClientSession() as session:
        for question, right in QUESTIONS.items():
            body = {"messages": [{"role": "user", "content": question}], **SENT}
            async with session.post(f"{gate.url}/chat/completions", json=body, headers=HEADERS) as response:
                assert response.status == 200
                said = await response.json()
            (choice,) = said["choices"]
            assert (choice["index"], choice["finish_reason"]) == (0, "stop")
            assert choice["message"]["content"].endswith(f"{right}.")
            assert said["outthink"]["answer"] == right
            assert said["outthink"]["strategy"] == "self-consistency(n=8)"
        assert all(sent["temperature"] == 0.7 and sent["max_tokens"] == 256 for sent in server.bodies)
        assert {sent["seed"] for sent in server.bodies} <= set(range(1234, 1242))
        assert gate.gateway.spent.completion_tokens == server.completion_tokens


async def test_the_same_requests_again_get_the_same_answers(open_gateway):
    body = {"messages": [{"role": "user", "content": "How many days are in 9 weeks?"}], **SENT}
    async with FakeServer(SCRIPT).serve() as server, open_gateway(server) as gate, aiohttp.ClientSession() as session:
        texts = set()
        for _ in range(2):
            async with session.post(f"{gate.url}/chat/completions", json=body, headers=HEADERS) as response:
                texts.add((await response.json())["choices"][0]["message"]["content"])
    assert len(texts) == 1


@pytest.mark.timeout(300)
async def test_the_program_runs_the_documented_task(open_gateway, tmp_path):
    program = os.environ.get("OUTTHINK_LM_EVAL") or shutil.which("lm_eval")
    if program is None:
        pytest.skip("lm_eval is not installed; OUTTHINK_LM_EVAL=PATH names one of another environment")
    found = re.search(r"<!-- file: (\S+\.yaml) -->\n```yaml\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / found[1]).write_text(found[2])
    rows = [{"question": question, "answer": right} for question, right in QUESTIONS.items()]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    async with FakeServer(SCRIPT).serve() as server, open_gateway(server) as gate:
        arguments = f"model={SENT['model']},base_url={gate.url}/chat/completions,num_concurrent=4"
        command = [program, "run", "--tasks", "sums", "--include_path", ".", "--apply_chat_template"]
        command += ["--output_path", "results", "--log_samples"]
        command += ["--model", "local-chat-completions", "--model_args", arguments]
        environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
        done = await anyio.run_process(command, cwd=tmp_path, env=environment, check=False)
        assert done.returncode == 0, done.stderr.decode()
        (results,) = tmp_path.glob("results/*/results*.json")
        scored = json.loads(results.read_text())["results"]["sums"]
        assert scored["exact_match,last-number"] == 1.0
        assert gate.gateway.runs == len(QUESTIONS)
        assert len({sent["messages"][-1]["content"] for sent in server.bodies}) == len(QUESTIONS)
