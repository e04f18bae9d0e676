"""A web page from another port of this very address, in a browser that is signed in."""

import functools
import http.server
import threading

import pytest
from waiting import wait_until

pytestmark = [pytest.mark.process, pytest.mark.slow]

ATTACK = """<!doctype html>
<img src="{page}/voices/{voice}/samples/a.wav">
<audio src="{page}/events" autoplay></audio>
<script src="{page}/static/main.js"></script>
<link rel="stylesheet" href="{page}/static/style.css">
<iframe name="inside" src="{page}/"></iframe>
<iframe name="answer"></iframe>
<form method="post" action="{page}/voices/{voice}/speak" target="answer" enctype="text/plain">
<input name='{{"sentence": "Go.", "x": "' value='"}}'></form>
<script>
const send = {{method: "POST", credentials: "include", body: '{{"sentence": "Go."}}'}};
fetch("{page}/voices/{voice}/speak", {{...send, mode: "no-cors"}}).catch(() => 0);
fetch("{page}/voices/{voice}/speak", send).catch(() => 0);
fetch("{page}/voices/{voice}/speak", {{...send, headers: {{"X-Own": "1"}}}}).catch(() => 0);
fetch("{page}/events", {{credentials: "include"}}).catch(() => 0);
navigator.sendBeacon("{page}/sound", '{{"tab": "t", "on": true}}');
new EventSource("{page}/events?tab=t", {{withCredentials: true}});
document.forms[0].submit();
</script>"""
ATTEMPTS = 12


@pytest.fixture
def serve():
    """Serve a web page at another port of 127.0.0.1; returns its address."""
    servers = []

    def start(content):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(content.encode())

            log_message = functools.partialmethod(lambda *_: None)

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_another_page_of_this_address_reaches_nothing(chromium, listen, make_voice, serve) -> None:
    page = listen(str(make_voice(text2mel=5).folder))
    [voice] = page.state()
    own = f"http://127.0.0.1:{page.port}"
    with chromium.new_context() as context:
        tab = context.new_page()
        tab.goto(page.address)
        tab.locator("#line:not(:empty)").wait_for()
        tab.close()
        # The port is no part of a site: such a page is sent the cookie.
        [cookie] = context.cookies(own)
        assert (cookie["sameSite"], cookie["httpOnly"]) == ("Strict", True)

        tab = context.new_page()
        asked, ended, answers = [], [], []
        tab.on("request", lambda request: asked.append(request.url))
        for end in ("requestfinished", "requestfailed"):
            tab.on(end, lambda request: ended.append(request.url))
        tab.on("response", lambda answer: answers.append((answer.url, answer.status)))
        tab.goto(serve(ATTACK.format(page=own, voice=voice["id"])), wait_until="load")
        wait_until(
            lambda: tab.wait_for_timeout(50) or len(ended) == len(asked) > ATTEMPTS, "all requests"
        )
        # Of most, the browser does not even tell that page what became of them.
        assert len([url for url in asked if url.startswith(own)]) == ATTEMPTS
        assert {status for url, status in answers if url.startswith(own)} == {403}
    sound = {"voice": voice["folder"], "path": "/nowhere", "title": "sound"}
    assert page.ask("/play", sound).json == {"listeners": 0}
    assert page.state()[0]["samples"] == voice["samples"]
