"""The pages in Airflow's server.

Who gets in, what they show, and that nothing hostile comes through.
"""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from pipelines.ledger import (
    Approval,
    Outcome,
    Override,
    Reconciliation,
    RequestConf,
    RetrainRequest,
)
from pipelines.run_names import watch_run
from pipelines.store.pages import KINDS, NEWEST, publish_page
from tests.dags.pages.visits import OLD, RUN, World
from tests.dags.specs import spec_text
from tests.decisions import NOTHING, crown, drift_check, gate_verdict, raw

# Airflow's own modules import FastAPI's test client, which would like another HTTP library
# (Starlette 1, FastAPI 0.13x).
pytestmark = pytest.mark.filterwarnings(
    "ignore:Using `httpx` with `starlette.testclient` is deprecated"
)


HOSTILE = "<script>alert(1)</script>"


def test_the_overview_shows_the_models_that_the_user_may_read_and_no_others(world):
    world.log_in("cabs")
    answer = world.get("/")
    assert answer.status_code == 200
    assert "cabs" in answer.text
    assert "sales" not in answer.text


def test_the_overview_says_what_serves_since_when_and_what_was_last_found(known):
    known.ledger.append("sales", "first", gate_verdict())
    known.ledger.crown("sales", expected=None, champion=crown("1"), key="first")
    check = drift_check()
    known.ledger.append("sales", RUN, check)
    request = RetrainRequest(
        run_id="drift__sales__2024-01-04T00:00:00Z",
        window=check.window,
        reasons=["drift"],
        conf=RequestConf(as_of=check.window.end, reason="drift"),
    )
    known.ledger.append("sales", "000001", request)
    text = known.get("/").text
    for words in [
        "version 1",
        "since 2024-01-05 00:00 UTC",
        "3 of 4 inputs have drifted",
        "promote",
        ">under way<",
        "drift_sales",
    ]:
        assert words in text
    outcome = Outcome(run=request.run_id, outcome="deployed", version="2", reasons=[])
    known.ledger.append("sales", request.run_id, outcome)
    assert ">under way<" not in known.get("/").text


def override(**facts):
    said = {
        "version": "2",
        "by": "bob",
        "reason": "we must",
        "refused_by": RUN,
        "reasons": ["weak"],
    }
    return Override(**{**said, **facts})


def test_the_mark_of_an_override_stands_wherever_its_version_or_verdict_is_shown(known):
    mark = "refused, and overridden by bob: we must"
    known.ledger.append("sales", RUN, gate_verdict(version="2", verdict="refuse", reasons=["weak"]))
    known.ledger.append("sales", "later", gate_verdict(version="3"))
    shown = [("verdict", RUN), ("card", RUN), ("comparison", RUN), ("versions", "1..2")]
    for kind, run in [*shown, ("drift", RUN)]:
        publish_page(known.store, model="sales", kind=kind, run=run, page=OLD.encode())
    publish_page(known.store, model="sales", kind="verdict", run="later", page=OLD.encode())
    for path in ("/", "/models/sales", f"/pages/sales/verdict/{RUN}"):
        assert mark not in known.get(path).text
    known.ledger.append("sales", "override:hand__x", override())
    known.ledger.crown("sales", expected=None, champion=crown("2"), key="override:hand__x")
    for path in ("/", f"/pages/sales/verdict/{RUN}", f"/pages/sales/comparison/{RUN}"):
        assert mark in known.get(path).text, path
    assert mark in known.get(f"/pages/sales/card/{RUN}").text
    assert mark in known.get("/pages/sales/versions/1..2").text
    history = known.get("/models/sales").text
    assert history.count(mark) == 4, "what serves, the verdict, the crown, the override itself"
    for path in (f"/pages/sales/drift/{RUN}", "/pages/sales/verdict/later"):
        assert mark not in known.get(path).text, path


def test_a_verdict_says_what_was_answered_when_a_person_was_asked(known):
    known.ledger.append("sales", RUN, gate_verdict(version="2"))
    publish_page(known.store, model="sales", kind="verdict", run=RUN, page=OLD.encode())
    why = f"{HOSTILE} did not approve it"
    no = Approval(
        version="2", approved=False, by="ann", answered_at="2024-01-04T00:00:00Z", why=why
    )
    known.ledger.append("sales", RUN, no)
    for path in ("/", "/models/sales", f"/pages/sales/verdict/{RUN}"):
        text = known.get(path).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt; did not approve it" in text
        assert "<script" not in text


def test_a_broken_spec_says_what_is_wrong_and_what_still_serves(known):
    (known.home / "models" / "cabs" / "model.yaml").write_text(spec_text("cabs") + "colour: red\n")
    known.ledger.crown("cabs", expected=None, champion=crown("7"), key="first")
    for path in ("/", "/models/cabs"):
        text = known.get(path).text
        assert "colour: unknown key" in text
        assert "version 7" in text


def test_without_any_model_the_overview_says_so(tmp_path):
    empty = World(tmp_path)
    empty.log_in()
    assert "There is no model that you may read" in empty.get("/").text


def test_a_models_page_tells_every_decision_newest_first_with_links(known):
    refused = gate_verdict(verdict="refuse", reasons=["too weak"])
    known.ledger.append("sales", "first", refused)
    known.ledger.append("sales", RUN, drift_check(evidently=NOTHING.model_dump()))
    of_drift = [("drift", RUN), ("evidently", RUN), ("validation", watch_run(RUN))]
    for kind, name in [*of_drift, ("verdict", "first")]:
        publish_page(known.store, model="sales", kind=kind, run=name, page=OLD.encode())
    text = known.get("/models/sales").text
    assert text.index("3 of 4 inputs have drifted", text.index("newest first")) < text.index(
        "too weak", text.index("newest first")
    )
    run = RUN.replace(":", "%3A").replace("+", "%2B")
    for path in (
        f"/perennial/pages/sales/drift/{run}",
        f"/perennial/pages/sales/evidently/{run}",
        f"/perennial/pages/sales/validation/drift%3A{run}",
        f"/dags/drift_sales/runs/{run}",
        "/perennial/pages/sales/verdict/first",
        "/dags/retrain_sales/runs/first",
    ):
        assert f'href="{path}"' in text


def test_a_card_is_linked_where_it_was_written_and_nowhere_else(known):
    known.ledger.append("sales", "old", gate_verdict(version="1"))
    known.ledger.append("sales", "none", gate_verdict(version="", verdict="refuse", reasons=["x"]))
    known.ledger.append("sales", RUN, gate_verdict(version="2"))
    publish_page(known.store, model="sales", kind="card", run=RUN, page=OLD.encode())
    linked = re.findall(r'href="(/perennial/pages/[^"]*)"', known.get("/models/sales").text)
    assert linked == [f"/perennial/pages/sales/card/{quote(RUN, safe='')}"]
    for path in linked:
        assert known.get(path.removeprefix("/perennial")).status_code == 200
    answer = known.get("/pages/sales/card/old")
    assert (answer.status_code, "perennial card sales 1" in answer.text) == (404, True)
    assert "registered no version" in known.get("/pages/sales/card/none").text
    assert "registered no version" in known.get("/pages/sales/card/never").text


def test_a_model_whose_folder_is_gone_keeps_its_record_and_one_that_never_was_is_not_found(known):
    assert known.get("/models/gone").status_code == 404
    known.ledger.append("gone", "x", Reconciliation(reason="the champion is 1"))
    answer = known.get("/models/gone")
    assert answer.status_code == 200
    assert "the champion is 1" in answer.text


def test_an_entry_of_a_newer_version_is_shown_as_it_is(known):
    known.ledger.append("sales", RUN, drift_check())
    known.ledger.append("sales", "newer", raw("drift", {"verdict": "quiet", "rows": 12}))
    text = known.get("/models/sales").text
    assert "rows 12, verdict quiet" in text
    assert "3 of 4 inputs have drifted" in text
    assert "quiet" in known.get("/").text


def test_everything_that_was_written_down_is_escaped(known):
    check = drift_check(reasons=[HOSTILE], drifted=[HOSTILE], metric=HOSTILE, champion=HOSTILE)
    known.ledger.append("sales", f'"><img src=x>{HOSTILE}', check)
    verdict = gate_verdict(reasons=[HOSTILE], candidate=HOSTILE, version=HOSTILE)
    known.ledger.append("sales", HOSTILE, verdict)
    known.ledger.append("sales", "x", Reconciliation(reason=HOSTILE))
    for kind in ("drift", "verdict"):
        odd = raw(kind, {"verdict": HOSTILE, "window": {"start": HOSTILE}, "reason": HOSTILE})
        known.ledger.append("sales", f"odd {HOSTILE}", odd)
    for path in ("/", "/models/sales"):
        answer = known.get(path)
        assert answer.status_code == 200
        assert "<script" not in answer.text
        assert "<img" not in answer.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_runs_page_is_shown_as_nobodys(known, kind):
    publish_page(known.store, model="sales", kind=kind, run=RUN, page=b"<h1>old</h1>")
    publish_page(known.store, model="sales", kind=kind, run=RUN, page=b"<h1>new</h1>")
    answer = known.get(f"/pages/sales/{kind}/{RUN}")
    assert answer.status_code == 200
    assert answer.text.endswith("<h1>new</h1>")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'")
    assert "allow-same-origin" not in policy
    assert "http" not in policy, "nothing is fetched from anywhere"


@pytest.mark.parametrize("kind", KINDS)
def test_a_stored_page_has_the_frame_which_leads_back_to_the_model(known, kind):
    publish_page(known.store, model="sales", kind=kind, run="<script>alert(1)", page=OLD.encode())
    text = known.get(f"/pages/sales/{kind}/{quote('<script>alert(1)')}").text
    head, body = text.split('<body class="old">')
    frame = body[: body.index("<h1>Verdict on sales</h1>")]
    assert head in OLD
    for path in ("/perennial/", "/perennial/models/sales", "/"):
        assert f'href="{path}"' in frame
    assert f"{kind} of &lt;script&gt;" in frame
    assert "<script" not in text
    assert ("h1 {" in frame) == (kind != "evidently"), "Evidently's page keeps its own looks"
    assert "{#" not in frame


def test_the_frame_is_the_same_around_every_page(known):
    publish_page(known.store, model="sales", kind="verdict", run=RUN, page=OLD.encode())
    navs = [
        re.sub(r"\s+", " ", known.get(path).text.split("<nav")[1].split("</nav>")[0])
        for path in ("/models/sales", f"/pages/sales/verdict/{RUN}")
    ]
    here = re.compile(r"&#32;· verdict of [^<]*(?=</span>)")
    assert here.sub("", navs[1]) == navs[0]


def test_the_plugin_brings_the_app_and_the_way_to_it():
    import perennial_plugin

    plugin = perennial_plugin.PerennialPlugin()
    [app] = plugin.fastapi_apps
    assert (app["url_prefix"], app["app"].title) == ("/perennial", "Perennial")
    assert plugin.fastapi_apps[0]["app"] is app["app"], "Airflow asks more than once"
    [view] = plugin.external_views
    assert (view["destination"], view["href"]) == ("nav", "/perennial/")


def test_a_models_page_leads_to_the_profile_of_its_data_where_there_is_one(known):
    assert "Profile of the data" not in known.get("/models/sales").text
    publish_page(known.store, model="sales", kind="profile", run=NEWEST, page=b"<body>Here</body>")
    assert 'href="/perennial/pages/sales/profile/newest"' in known.get("/models/sales").text
    assert "Here" in known.get("/pages/sales/profile/newest").text
