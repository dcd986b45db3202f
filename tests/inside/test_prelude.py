"""What the prelude does, without a kernel."""

from __future__ import annotations

import io
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.inside import prelude

URL = "https://archive.example.org/mpg/auto-mpg.data"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Answer URL from a file; everything is as it was when the test is over."""
    for handler, method in (
        (urllib.request.HTTPHandler, "http_open"),
        (urllib.request.HTTPSHandler, "https_open"),
        (urllib.request.FTPHandler, "ftp_open"),
    ):
        monkeypatch.setattr(handler, method, getattr(handler, method))
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
    page = tmp_path / "auto-mpg.data"
    page.write_bytes(b"18.0 8\n15.0 8\n")
    prelude.answer_offline({URL: str(page)})


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    "url", [URL, URL.replace("https", "http"), URL + "/", URL.replace("archive", "ARCHIVE")]
)
def test_a_known_url_is_answered_from_its_file(url: str) -> None:
    with urllib.request.urlopen(url) as reply:  # noqa: S310  no network here
        assert (200, b"18.0 8\n15.0 8\n") == (reply.status, reply.read())


@pytest.mark.usefixtures("offline")
def test_an_opener_of_the_students_own_is_answered_too() -> None:
    opener = urllib.request.build_opener()
    opener.addheaders = [("User-Agent", "Mozilla/5.0")]
    with opener.open(URL) as reply:
        assert b"18.0 8\n15.0 8\n" == reply.read()


@pytest.mark.usefixtures("offline")
def test_urlretrieve_writes_the_file(tmp_path: Path) -> None:
    target, _ = urllib.request.urlretrieve(URL, tmp_path / "copy")
    assert b"18.0 8\n15.0 8\n" == Path(target).read_bytes()


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("url", ["https://example.org/x", "http://example.org", "ftp://x.org/y"])
def test_any_other_url_says_that_there_is_no_network(url: str) -> None:
    with pytest.raises(urllib.error.URLError, match="no network while grading"):
        urllib.request.urlopen(url)  # noqa: S310  no network here


@pytest.mark.usefixtures("offline")
def test_no_other_machine_has_an_address() -> None:
    with pytest.raises(socket.gaierror, match="no network while grading"):
        socket.create_connection(("example.org", 80))


@pytest.mark.parametrize(
    "command",
    [
        "pip install numpy",
        "  pip3 install numpy",
        "sudo apt-get install graphviz",
        "apt install x",
        "conda install -y pandas",
        "{sys.executable} -m pip install tqdm",
        "/usr/bin/python3 -m pip install tqdm",
        "cd data && wget https://example.org/x",
        "git clone https://example.org/x",
    ],
)
def test_installing_and_downloading_is_recognized(command: str) -> None:
    assert prelude.INSTALL.search(command)


@pytest.mark.parametrize(
    "command", ["ls", "echo pip", "cat pip.txt", "python script.py", "git status", "pipx-like"]
)
def test_other_commands_are_let_through(command: str) -> None:
    assert not prelude.INSTALL.search(command)


class Stream:
    """Ipykernel's stream, as far as it is used here."""

    def __init__(self, *texts: tuple[str, str]) -> None:
        self.texts = texts

    def _flush_buffers(self) -> Iterator[tuple[dict[str, str], str]]:
        for cell, text in self.texts:
            yield {"msg_id": cell}, text

    def sent(self) -> list[tuple[str, int]]:
        return [(parent["msg_id"], len(text)) for parent, text in self._flush_buffers()]


def test_long_output_is_sent_in_slices() -> None:
    size = prelude.SLICE
    stream = Stream(("1", "x" * (2 * size + 1)), ("2", "short"), ("3", ""))
    prelude.send_in_slices(stream, 10 * size)
    assert [("1", size), ("1", size), ("1", 1), ("2", 5)] == stream.sent()


def test_more_than_is_taken_of_a_cell_is_not_sent() -> None:
    size = prelude.SLICE
    stream = Stream(("1", "x" * (9 * size)), ("2", "heard"))
    prelude.send_in_slices(stream, 2 * size)
    assert [("1", size), ("1", size), ("1", size), ("2", 5)] == stream.sent()


def test_another_kind_of_stream_is_left_alone() -> None:
    prelude.send_in_slices(io.StringIO(), 0)
