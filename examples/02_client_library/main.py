"""Rows from an external client library, which calls back whenever something arrives.

The library is tweepy (`pip install tweepy`). The service it was made for no longer streams for free, so the client
is pointed at the small server beside this file:

    python examples/02_client_library/main.py                               # with a server of its own
    python examples/02_client_library/main.py http://127.0.0.1:8765 posts.csv

It prints the posts about herons and writes them to posts.csv. Ctrl-C, or SIGTERM, disconnects the client and leaves a
complete csv file.
"""

import sys
from typing import Any

import pathway as pw
import requests.adapters
import tweepy
from server import PostsServer


class OtherHost(requests.adapters.HTTPAdapter):
    """Sends the requests for the service to another address."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def send(self, request, *arguments, **keywords):
        request.url = request.url.replace(SERVICE, self._address)
        return super().send(request, *arguments, **keywords)


SERVICE = "https://api.twitter.com"


class PostsClient(tweepy.StreamingClient):
    """Hands every post to the subject."""

    def __init__(self, subject: "PostsSubject", address: str) -> None:
        super().__init__("no token is needed here")
        self._subject = subject
        self.session.mount(SERVICE, OtherHost(address))

    def on_response(self, response: tweepy.StreamResponse) -> None:
        self._subject.next(id=int(response.data.id), text=response.data.text)


class PostsSubject(pw.io.python.ConnectorSubject):
    """Holds the client: starts it when the computation starts, disconnects it when that ends."""

    def __init__(self, address: str) -> None:
        super().__init__("posts")
        self._client = PostsClient(self, address)

    def run(self) -> None:
        self._client.sample()

    def on_stop(self) -> None:
        self._client.disconnect()


class Post(pw.Schema):
    id: int = pw.column_definition(primary_key=True)
    text: str


def main(address: str | None = None, output: str = "posts.csv") -> None:
    if address is None:
        address = PostsServer().start()
    posts = pw.io.python.read(PostsSubject(address), schema=Post, autocommit_duration_ms=100)
    herons = posts.filter(posts.text.str.startswith("heron"))
    pw.io.csv.write(herons, output)
    pw.io.subscribe(herons, on_change=show)
    pw.run()


def show(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
    if is_addition:
        print(f"post {row['id']}: {row['text']}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
