"""The sample configurations of proxies are right, and take what the server takes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from detector.review.app import LARGER_BODIES
from detector.review.bodies import LARGEST_BODY
from detector.review.routes.api_events import LONGEST_S

DEPLOY = Path(__file__).parents[2] / "deploy"
NGINX, CADDY = DEPLOY / "nginx.conf", DEPLOY / "Caddyfile"


def blocks(text: str) -> dict[str, str]:
    """The innermost blocks of nginx's locations, by path."""
    return dict(re.findall(r"location (?:= )?(\S+) \{([^{}]*)\}", text))


def mb_of(block: str) -> int:
    found = re.search(r"client_max_body_size (\d+)m;", block)
    assert found, block
    return int(found[1])


def test_both_samples_take_the_bodies_that_the_server_takes() -> None:
    nginx, caddy = NGINX.read_text(), CADDY.read_text()
    places = blocks(nginx)
    sizes = {f"{rule.most_bytes // 1_000_000}" for rule in LARGER_BODIES.values()}
    for path, rule in LARGER_BODIES.items():
        assert mb_of(places[path]) == rule.most_bytes // 1_000_000, path
        assert "proxy_request_buffering off" in places[path]
    assert mb_of(nginx) == LARGEST_BODY // 1_000_000
    assert set(re.findall(r"max_size (\d+)MB", caddy)) == sizes | {f"{LARGEST_BODY // 1_000_000}"}


def test_both_samples_let_event_streams_through() -> None:
    events = blocks(NGINX.read_text())["/api/v1/events"]
    wait = re.search(r"proxy_read_timeout (\d+)s", events)
    assert wait
    assert int(wait[1]) > LONGEST_S
    assert "proxy_buffering off" in events
    assert "flush_interval -1" in CADDY.read_text()


@pytest.mark.parametrize("sample", [NGINX, CADDY], ids=lambda path: path.name)
def test_braces_close_and_directives_end(sample: Path) -> None:
    lines = [line.strip() for line in sample.read_text().splitlines()]
    code = [line for line in lines if line and not line.startswith("#")]
    depth = 0
    for line in code:
        depth += line.endswith("{") - (line == "}")
        assert depth >= 0
        assert sample is CADDY or line.endswith((";", "{")) or line == "}", line
    assert depth == 0


def test_nginx_accepts_its_sample(tmp_path: Path) -> None:
    nginx, openssl = shutil.which("nginx"), shutil.which("openssl")
    if nginx is None or openssl is None:
        pytest.skip("nginx or openssl is not installed")
    words = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=kerbwatch.example -keyout k.pem -out c.pem"
    subprocess.run([openssl, *words.split()], cwd=tmp_path, check=True, capture_output=True)
    text = NGINX.read_text().replace("/etc/ssl/certs/kerbwatch.pem", f"{tmp_path}/c.pem")
    (tmp_path / "site.conf").write_text(text.replace("/etc/ssl/private/kerbwatch.key", f"{tmp_path}/k.pem"))
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{ access_log off; include {tmp_path}/site.conf; }}\n"
    )
    done = subprocess.run(
        [nginx, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def test_caddy_accepts_its_sample(tmp_path: Path) -> None:
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("caddy is not installed")
    words = [caddy, "adapt", "--adapter", "caddyfile", "--validate", "--config", str(CADDY)]
    homes = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(words, capture_output=True, check=False, env=homes)
    assert done.returncode == 0, done.stderr.decode()
