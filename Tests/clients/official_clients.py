"""What the providers' own clients, of the Python package index, read from a server that says it speaks as they do:

    official_clients.py CLIENT NAME=URL …     openai, anthropic, bedrock, ollama, cohere; a server for each behaviour
    official_clients.py signatures            AWS's signatures, by botocore, of requests on standard input

Prints one JSON object: for each behaviour what came of every way to ask. Text, reason to end, tokens and tool calls as the
client has them, under our names; an error as its class and HTTP status. Nothing is tried twice.
"""

import base64
import json
import sys

QUESTION = [{"role": "user", "content": "Where is the opening reception tonight?"}]
TEXTS = ["one", "two!", "three"]
QUERY, DOCUMENTS = "what", ["a", "bbbb", "cc"]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
TOOL = {"name": "look_up", "description": "Looks up a city"}
MODEL, KEY = "scripted-1", "scripted-secret"


class OpenAI:
    """Chat completions and embeddings."""

    def __init__(self, url):
        import openai

        self.errors = openai.OpenAIError
        self.client = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
        self.ways = {"whole": self.whole, "streamed": self.streamed, "whole, tool": lambda: self.whole(self.tools),
                     "streamed, tool": lambda: self.streamed(self.tools), "vectors": self.vectors}
        self.tools = {"tools": [{"type": "function", "function": {**TOOL, "parameters": SCHEMA}}]}

    def whole(self, more={}):
        answer = self.client.chat.completions.create(model=MODEL, messages=QUESTION, **more)
        choice = answer.choices[0]
        calls = [(call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or []]
        return said(choice.message.content, choice.finish_reason, self.usage(answer.usage), calls)

    def streamed(self, more={}):
        text, finish, usage, names, arguments = "", None, None, [], ""
        for chunk in self.client.chat.completions.create(
                model=MODEL, messages=QUESTION, stream=True, stream_options={"include_usage": True}, **more):
            usage = chunk.usage or usage
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
                for call in choice.delta.tool_calls or []:
                    names += [call.function.name] if call.function.name else []
                    arguments += call.function.arguments or ""
        return said(text, finish, self.usage(usage), [(names[0], json.loads(arguments))] if names else [])

    def usage(self, usage):
        return usage and {
            "input": usage.prompt_tokens, "output": usage.completion_tokens, "cache_write": 0,
            "cached_input": usage.prompt_tokens_details.cached_tokens,
            "reasoning": usage.completion_tokens_details.reasoning_tokens}

    def vectors(self):
        """The client asks for base64 when it is not told otherwise."""
        answer = self.client.embeddings.create(model=MODEL, input=TEXTS, dimensions=4)
        return {"vectors": [row.embedding for row in answer.data], "usage": {"input": answer.usage.prompt_tokens}}


class Anthropic:
    """Messages."""

    def __init__(self, url):
        import anthropic

        self.errors = anthropic.AnthropicError
        self.client = anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0)
        tools = {"tools": [{**TOOL, "input_schema": SCHEMA}]}
        self.ways = {"whole": self.whole, "streamed": self.streamed, "whole, tool": lambda: self.whole(tools),
                     "streamed, tool": lambda: self.streamed(tools)}

    def whole(self, more={}):
        return self.read(self.client.messages.create(model=MODEL, max_tokens=100, messages=QUESTION, **more))

    def streamed(self, more={}):
        with self.client.messages.stream(model=MODEL, max_tokens=100, messages=QUESTION, **more) as stream:
            text = "".join(stream.text_stream)
            message = stream.get_final_message()
        if text != "".join(block.text for block in message.content if block.type == "text"):
            raise SystemExit("official_clients: the pieces are not the whole")
        return self.read(message)

    def read(self, message):
        text = "".join(block.text for block in message.content if block.type == "text")
        calls = [(block.name, block.input) for block in message.content if block.type == "tool_use"]
        return said(text, message.stop_reason, self.usage(message.usage), calls)

    def usage(self, usage):
        read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
        return {"input": usage.input_tokens + read + written, "output": usage.output_tokens, "reasoning": 0,
                "cached_input": read, "cache_write": written}


class Bedrock:
    """Converse and ConverseStream: requests are signed, and each frame's checksums looked at, by botocore."""

    def __init__(self, url):
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        self.errors = (BotoCoreError, ClientError)
        self.client = boto3.client(
            "bedrock-runtime", endpoint_url=url, region_name="eu-central-1", aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key=KEY, config=Config(retries={"total_max_attempts": 1}))
        tools = {"toolConfig": {"tools": [{"toolSpec": {**TOOL, "inputSchema": {"json": SCHEMA}}}]}}
        self.ways = {"whole": self.whole, "streamed": self.streamed, "whole, tool": lambda: self.whole(tools),
                     "streamed, tool": lambda: self.streamed(tools)}
        self.question = {"modelId": "eu.scripted-v1:0", "messages": [
            {"role": "user", "content": [{"text": QUESTION[0]["content"]}]}]}

    def whole(self, more={}):
        answer = self.client.converse(**self.question, **more)
        blocks = answer["output"]["message"]["content"]
        calls = [(block["toolUse"]["name"], block["toolUse"]["input"]) for block in blocks if "toolUse" in block]
        text = "".join(block.get("text", "") for block in blocks)
        return said(text, answer["stopReason"], self.usage(answer.get("usage")), calls)

    def streamed(self, more={}):
        text, finish, usage, names, arguments = "", None, None, [], ""
        for event in self.client.converse_stream(**self.question, **more)["stream"]:
            for kind, body in event.items():
                if kind == "contentBlockStart":
                    names.append(body["start"]["toolUse"]["name"])
                elif kind == "contentBlockDelta":
                    text += body["delta"].get("text", "")
                    arguments += body["delta"].get("toolUse", {}).get("input", "")
                elif kind == "messageStop":
                    finish = body["stopReason"]
                elif kind == "metadata":
                    usage = body["usage"]
        return said(text, finish, self.usage(usage), [(names[0], json.loads(arguments))] if names else [])

    def usage(self, usage):
        read, written = usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]
        return {"input": usage["inputTokens"] + read + written, "output": usage["outputTokens"], "reasoning": 0,
                "cached_input": read, "cache_write": written}


class Ollama:
    """Chat and embed."""

    def __init__(self, url):
        import ollama

        self.errors = (ollama.ResponseError, ConnectionError)
        self.client = ollama.Client(host=url)
        tools = {"tools": [{"type": "function", "function": {**TOOL, "parameters": SCHEMA}}]}
        self.ways = {"whole": self.whole, "streamed": self.streamed, "whole, tool": lambda: self.whole(tools),
                     "streamed, tool": lambda: self.streamed(tools), "vectors": self.vectors}

    def whole(self, more={}):
        return self.read([self.client.chat(model=MODEL, messages=QUESTION, **more)])

    def streamed(self, more={}):
        return self.read(self.client.chat(model=MODEL, messages=QUESTION, stream=True, **more))

    def read(self, parts):
        text, calls = "", []
        for part in parts:
            text += part.message.content or ""
            calls += [(call.function.name, call.function.arguments) for call in part.message.tool_calls or []]
        return said(text, part.done_reason, {
            "input": part.prompt_eval_count, "output": part.eval_count, "reasoning": 0, "cached_input": 0,
            "cache_write": 0}, calls)

    def vectors(self):
        answer = self.client.embed(model=MODEL, input=TEXTS, dimensions=4)
        return {"vectors": answer.embeddings, "usage": {"input": answer.prompt_eval_count}}


class Cohere:
    """Rerank."""

    def __init__(self, url):
        import cohere
        from cohere.core.api_error import ApiError

        self.errors = ApiError
        self.client = cohere.ClientV2(api_key=KEY, base_url=url)
        self.ways = {"ranks": self.ranks, "best": lambda: self.ranks(top_n=1)}

    def ranks(self, **more):
        answer = self.client.rerank(
            model=MODEL, query=QUERY, documents=DOCUMENTS, request_options={"max_retries": 0}, **more)
        return {"ranks": [[row.index, row.relevance_score] for row in answer.results],
                "usage": {"search_units": answer.meta.billed_units.search_units}}


CLIENTS = {"openai": OpenAI, "anthropic": Anthropic, "bedrock": Bedrock, "ollama": Ollama, "cohere": Cohere}


def said(text, finish, usage, calls):
    return {"text": text, "finish": finish, "usage": usage, "calls": [{"name": n, "arguments": a} for n, a in calls]}


def error(problem):
    """botocore's code says more than its class, which is a general one for what a service's model does not name."""
    name, status = type(problem).__name__, getattr(problem, "status_code", None)
    if isinstance(getattr(problem, "response", None), dict):
        name = problem.response["Error"]["Code"]
        status = problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return {"error": name, "status": status}


def ask(client, url):
    told, client = {}, CLIENTS[client](url)
    for name, way in client.ways.items():
        try:
            told[name] = way()
        except client.errors as problem:
            told[name] = error(problem)
    return told


def signatures():
    """Of each request the signature by the time and the names of headers that its own has."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    for request in json.load(sys.stdin):
        signed = AWSRequest("POST", request["url"], data=base64.b64decode(request["body"]), headers=request["headers"])
        signed.context["timestamp"] = request["headers"]["X-Amz-Date"]
        auth = SigV4Auth(Credentials(request["id"], request["secret"]), "bedrock", "eu-central-1")
        text = auth.string_to_sign(signed, auth.canonical_request(signed))
        yield auth.signature(text, signed)


def main(name, *servers):
    if name == "signatures":
        answer = list(signatures())
    else:
        answer = {behaviour: ask(name, url) for behaviour, url in (server.split("=", 1) for server in servers)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
