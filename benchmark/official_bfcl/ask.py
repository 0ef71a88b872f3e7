"""Ask a served model BFCL's questions with native `tools=`; answers are kept, a second run resumes.

    python -m benchmark.official_bfcl.ask MODEL NAME SLICE [CATEGORY ...]

The server is $OPENAI_BASE_URL. MODEL is its name of the model, NAME ours. Their own code writes the
requests and runs the simulations; this module adds what it has not: one line where it would record
a dead server as the model's answer, and a run that resumes.
"""

import copy
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai

from agent_tuning.records import BadInput, Unfinished
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.progress import Progress
from benchmark.official_bfcl import answers, package, questions
from benchmark.official_bfcl.answers import Answer
from benchmark.official_bfcl.questions import BfclConfig

if TYPE_CHECKING:
    from benchmark.official_bfcl.served_handler import ServedHandler

DOWN = {401, 403, 404, 408, 409, 429, 502, 503, 504}  # statuses that say nothing about a question
# What their code raises on a reply that it cannot read. They count it as a wrong answer too.
UNREADABLE = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def build_handler(model: str, settings: BfclConfig) -> "ServedHandler":
    from bfcl_eval.model_handler import base_handler

    from benchmark.official_bfcl.served_handler import ServedHandler

    base_handler.print = lambda *_, **__: None  # it prints every step of several turns
    ServedHandler.max_tokens, ServedHandler.timeout = settings.max_tokens, settings.timeout
    return ServedHandler(
        model_name=model,
        temperature=settings.temperature,
        registry_name=package.MODEL,
        is_fc_model=True,
    )


def check_server(handler: "ServedHandler", url: str) -> None:
    """One short request, so that a wrong address or name is one line and no file of errors."""
    request = {"model": handler.model_name, "messages": [{"role": "user", "content": "Hi"}]}
    try:
        reply = handler.client.chat.completions.create(**request, max_tokens=1)
    except openai.APIConnectionError as error:
        raise BadInput(f"{url}: no server answers; start one with `make serve`") from error
    except openai.APIStatusError as error:
        reason = f"HTTP {error.status_code}: {error.message}".splitlines()[0][:300]
        raise BadInput(f"{url}: model {handler.model_name}: {reason}") from error
    except (openai.APIError, ValueError):  # no JSON, whatever its headers say
        reply = None
    if not getattr(reply, "choices", None):  # of a page, the client makes a text
        raise BadInput(
            f"{url}: answers, but not as a chat completion with choices; expected the address of "
            "an OpenAI-compatible server, which mostly ends in /v1"
        )


def answer_question(handler: "ServedHandler", entry: dict[str, Any]) -> Answer:
    """Raises Unfinished if the server is gone."""
    try:
        result, details = handler.inference(
            copy.deepcopy(entry), include_input_log=False, exclude_state_log=True
        )
    except (openai.APIConnectionError, openai.APIStatusError) as error:
        status = getattr(error, "status_code", None)
        reason = " ".join(str(error).split())[:300]
        if status is None or status in DOWN:
            raise Unfinished(
                f"{entry['id']}: {reason}; answers are kept: run the same command to resume"
            ) from error
        return Answer(entry["id"], f"Error during inference: {reason}", failed=True)
    except UNREADABLE as error:
        return Answer(entry["id"], f"Error during inference: {error!r}", failed=True)
    return Answer(
        entry["id"], answers.to_json(result), log=answers.to_json(details.get("inference_log"))
    )


def list_open(chosen: questions.Slice, done: dict[str, Answer]) -> Iterator[dict[str, Any]]:
    """The questions of the slice that have no answer yet."""
    for category, ids in chosen.items():
        if any(id not in done for id in ids):
            known = questions.load_questions(category)
            yield from (known[id] for id in ids if id not in done)


def ask_all(
    handler: "ServedHandler", folder: Path, chosen: questions.Slice, threads: int
) -> list[Answer]:
    """Ask what is open, and keep each answer at once. Raises what stops it."""
    done = answers.read_answers(folder)
    waiting = list(list_open(chosen, done))
    kept = sum(map(len, chosen.values())) - len(waiting)
    progress = Progress("bfcl", kept + len(waiting), kept)
    progress.show(kept)
    new: list[Answer] = []
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(answer_question, handler, entry) for entry in waiting]
        try:
            for job in as_completed(jobs):
                answer = job.result()
                answers.append_answer(folder, answer)
                new.append(answer)
                progress.show(kept + len(new), answer.id)
        finally:  # whatever stops it, nothing is asked whose answer nobody would keep
            pool.shutdown(cancel_futures=True)
    return new


def main(model: Path, name: Path, slice: Path, *categories: Path) -> None:
    settings = config.load("official_bfcl", BfclConfig)
    url = os.environ.get("OPENAI_BASE_URL", "")
    if not url:
        raise BadInput("OPENAI_BASE_URL is not set; set it to the server, or use `make bfcl URL=…`")
    package.open_package(answers.ROOT)
    chosen = questions.keep_categories(questions.read_slice(slice), [*map(str, categories)])
    _, key = answers.identify_run(str(model), url, settings)
    folder = answers.find_folder(str(name), key)
    handler = build_handler(str(model), settings)
    check_server(handler, url)
    new = ask_all(handler, folder, chosen, settings.requests)
    failed = sum(answer.failed for answer in new)
    print(f"{folder}: {len(new)} new answers, {failed} of them failed")


if __name__ == "__main__":
    cli.run(main)
