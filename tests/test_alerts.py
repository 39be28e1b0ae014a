"""The alert rules and the dashboard in deploy/: that they are proper, tell when they should, and name what there is."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from servers import ROOT

import app

RULES = ROOT / "deploy/alerts.yml"
ALERTS = dict(re.findall(r"- alert: (\w+)\n(.+?)(?=\n\n|\Z)", RULES.read_text(), re.S))
PANELS = json.loads((ROOT / "deploy/dashboard.json").read_text())["panels"]
SELECTOR = re.compile(r"\b((?:party|process)_\w+)\{([^}]*)\}")


def promtool(*arguments, **more):
    """What it says. It is in PATH, or where tests/install_promtool.sh puts it."""
    path = shutil.which("promtool") or shutil.which("promtool", path=Path(sys.executable).parent)
    assert path, "No promtool: `make test` fetches one, or `sh tests/install_promtool.sh .venv/bin`."
    ended = subprocess.run([path, *map(str, arguments)], capture_output=True, text=True, check=False, **more)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


@pytest.mark.server
def test_the_rules_are_proper():
    assert f"SUCCESS: {len(ALERTS)} rules found" in promtool("check", "rules", RULES)


@pytest.mark.server
def test_the_figures_are_as_prometheus_wants_them(clean_party):
    text = clean_party.app.test_client().get("/metrics").text
    assert promtool("check", "metrics", input=text) == ""


PARTY = 'job="party", instance="one"'


def within(name, seconds):
    """A histogram of which all in every minute, sixty, took less than that, and more than the bucket before."""
    return {
        f'{name}_bucket{{{PARTY}, le="{bucket}"}}': "0+60x30" if float(bucket) >= seconds else "0x30"
        for bucket in ("0.01", "0.1", "0.25", "0.5", "+Inf")
    }


# For each alert: series for half an hour, a number each minute, of which it tells, such of which it does not, and where
# there are two reasons of which it tells too. It is asked about the last minute.
TELLS = {
    "PartyDown": ({f"up{{{PARTY}}}": "1x20 0x9"}, {f"up{{{PARTY}}}": "1x10 0 1x18"}),
    "PartyLogUnwritable": (
        {f'party_ready{{{PARTY}, check="log"}}': "1x20 0x9"},
        {f'party_ready{{{PARTY}, check="log"}}': "1x29", f'party_ready{{{PARTY}, check="ticks"}}': "0x29"},
    ),
    "PartyNotReady": (
        {f'party_ready{{{PARTY}, check="ticks"}}': "1x20 0x9"},
        {f'party_ready{{{PARTY}, check="ticks"}}': "1x29", f'party_ready{{{PARTY}, check="log"}}': "0x29"},
    ),
    "PartyUnavailable": (
        {f'party_events_total{{{PARTY}, event="message", outcome="unavailable"}}': "0x26 1 1 1"},
        {f'party_events_total{{{PARTY}, event="message", outcome="conflict"}}': "0+5x29"},
    ),
    "PartyMistake": ({f"party_mistakes_total{{{PARTY}}}": "0x26 1 1 1"}, {f"party_mistakes_total{{{PARTY}}}": "7x29"}),
    "PartySlow": (within("party_event_duration_seconds", 0.5), within("party_event_duration_seconds", 0.1)),
    "PartyLate": (within("party_tick_delay_seconds", 0.5), within("party_tick_delay_seconds", 0.1)),
    "PartyMemory": (
        {f"process_resident_memory_bytes{{{PARTY}}}": "900000000x29"},
        {f"process_resident_memory_bytes{{{PARTY}}}": "700000000x29"},
    ),
    "PartyOriginRefused": (
        {f'party_refused_handshakes_total{{{PARTY}, reason="origin"}}': "0+6x29"},
        {
            f'party_refused_handshakes_total{{{PARTY}, reason="origin"}}': "0+3x29",
            f'party_refused_handshakes_total{{{PARTY}, reason="signed_out"}}': "0+60x29",
        },
    ),
    "PartyBackupOld": (  # it is asked half an hour after 1970 began
        {f"party_last_backup_timestamp_seconds{{{PARTY}}}": f"-{2 * 86_400 - 1_700}x29"},
        {
            f"party_last_backup_timestamp_seconds{{{PARTY}}}": f"-{2 * 86_400 - 1_800}x29",
            f"process_start_time_seconds{{{PARTY}}}": f"-{2 * 86_400 - 1_700}x29",
        },
        {f"process_start_time_seconds{{{PARTY}}}": f"-{2 * 86_400 - 1_700}x29"},
    ),
    "PartyServiceLate": (
        {f'party_service_lag_seconds{{{PARTY}, service="figures"}}': "0+60x29"},
        {f'party_service_lag_seconds{{{PARTY}, service="figures"}}': "500x29"},
    ),
    "PartyRestarts": (
        {f"process_start_time_seconds{{{PARTY}}}": "100x9 700x9 1300x4 1600x4"},
        {f"process_start_time_seconds{{{PARTY}}}": "100x9 700x9 1300x9"},
    ),
}


@pytest.mark.server
def test_each_alert_tells_when_it_should_and_else_not(tmp_path):
    assert TELLS.keys() == ALERTS.keys()
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing", instance="one"}})',
                    "eval_time": "29m",
                    "exp_samples": [{"labels": "{}", "value": 1}] if tells else [],
                }
            ],
        }
        for alert, cases in TELLS.items()
        for series, tells in zip(cases, (True, False, True), strict=False)
    ]
    file = tmp_path / "alerts.json"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    assert "SUCCESS" in promtool("test", "rules", file)


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_leads_to_its_place_in_the_emergency_plan(alert):
    assert f"runbook: docs/emergency.md#{alert.lower()}\n" in f"{ALERTS[alert]}\n"
    assert f"\n### {alert}\n" in (ROOT / "docs/emergency.md").read_text()


# Of the alerts and of the dashboard: what it is for → its text.
EXPRESSIONS = {name: re.search(r"expr: (.+?)\n +(?:for|labels):", text, re.S)[1] for name, text in ALERTS.items()}
EXPRESSIONS |= {panel["title"]: " ".join(target["expr"] for target in panel["targets"]) for panel in PANELS}


@pytest.mark.parametrize("title", EXPRESSIONS)
def test_what_alerts_and_dashboard_name_is_among_the_figures(clean_party, title):
    browser = clean_party.app.test_client()
    browser.post("/sign-in", data={"name": "asha"})  # so that there is a form among the requests
    text = browser.get("/metrics").text
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    names = set(kinds) | {f"{name}_bucket" for name, kind in kinds.items() if kind == "histogram"}
    selected = SELECTOR.findall(EXPRESSIONS[title])
    assert len(selected) == len(re.findall(r"\b(?:party|process)_\w+", EXPRESSIONS[title])), "each names its job"
    for name, labels in selected:
        assert name in names
        assert 'job="party"' in labels
        for label in re.findall(r'(\w+="\w+")', labels):
            assert label.startswith(("job=", "status=")) or re.search(rf"^{name}\{{.*{label}", text, re.M), label


def test_the_dashboard_shows_every_figure_of_ours():
    shown = " ".join(EXPRESSIONS[panel["title"]] for panel in PANELS)
    text = app.app.test_client().get("/metrics").text
    ours = re.findall(r"^# TYPE (party_\w+)", text, re.M)
    assert ours and [name for name in ours if name not in shown] == []
