import hashlib
import http.server
import threading

import pytest

from preprocessing.download import Archive, download
from preprocessing.files import UserError

CONTENT = bytes(range(256)) * 20_000


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.server.starts.append(start)
        self.send_response(206 if start else 200)
        self.end_headers()
        self.wfile.write(CONTENT[start : self.server.end])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.starts, server.end = [], None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def archive(server, md5=None):
    url = f"http://127.0.0.1:{server.server_port}/x.zip"
    return Archive("x.zip", url, len(CONTENT), md5 or hashlib.md5(CONTENT).hexdigest())


def test_a_download_comes_whole_once_and_goes_on_where_it_stopped(tmp_path, server):
    (tmp_path / "x.zip.part").write_bytes(CONTENT[:1_000_000])
    path = download(archive(server), tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.starts == [1_000_000]
    assert download(archive(server), tmp_path) == path
    assert len(server.starts) == 1


def test_what_came_before_a_server_hung_up_is_kept(tmp_path, server):
    server.end = 2_000_000
    with pytest.raises(UserError, match="run it again"):
        download(archive(server), tmp_path)
    server.end = None
    assert download(archive(server), tmp_path).read_bytes() == CONTENT
    assert server.starts == [0, 2_000_000]


def test_another_file_than_expected_is_refused(tmp_path, server):
    with pytest.raises(UserError, match="MD5"):
        download(archive(server, md5="0" * 32), tmp_path)
    assert not (tmp_path / "x.zip").exists()


def test_without_a_network_the_error_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="--data"):
        download(Archive("x.zip", "http://127.0.0.1:9/x.zip", 1, "0"), tmp_path)
