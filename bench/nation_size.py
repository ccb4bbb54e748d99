"""How looks cost as the index grows: as many as can be through one instance, beside the same statements without token and audit."""

import json
import random
import re
import subprocess
import sys
import time

from look import CONNECTIONS, lua
from place import Line, free_port
from service import say, stop


def wrk(url, script, seconds, connections=CONNECTIONS, failures=False):
    """Requests a second, the 99th percentile in ms, and how many were not answered as asked."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s", script, url]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    failed = int(errors.group(1)) if errors else 0
    if failed and not failures:
        sys.exit(f"{failed} requests failed at {url}:\n{told}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", told).group(1))
    amount, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", told).groups()
    return rate, float(amount) * {"us": 0.001, "ms": 1, "s": 1000}[unit], failed


def scripts(site, token, rows):
    headers = '{["Authorization"]="Bearer %s", ["Access-Reason"]="direct-service", ["Content-Type"]="application/json"}' % token
    step = "function request() n = n % #items + 1; return wrk.format("
    numbers = [json.dumps(number) for number, *_ in rows]
    bodies = ["[==[" + json.dumps({"name": {"given": [given], "family": family}, "dateOfBirth": born}) + "]==]"
              for _, given, family, born in rows]
    made = {}
    for name, items, request in [
        ("open", numbers, step + '"GET", "/v1/children/" .. items[n], headers) end\nheaders = ' + headers),
        ("search", bodies, step + '"POST", "/v1/children/search", headers, items[n]) end\nheaders = ' + headers),
        ("ceiling-open", numbers, step + '"GET", "/open/" .. items[n]) end'),
        ("ceiling-search", bodies, step + '"POST", "/search", {["Content-Type"]="application/json"}, items[n]) end'),
    ]:
        made[name] = lua(open(f"{site.folder}/{name}.lua", "w"), items, request)
    return made


def people(site, most=20_000):
    """Children by what they are searched with."""
    share = min(100, 100 * most * 3 / site.children)
    rows = site.psql(
        f"select c.index_number || '|' || n.given[1] || '|' || n.family || '|' || c.date_of_birth from child c tablesample system ({share}) "
        f"join child_name n using (child_id) where n.kind = 'current' and c.status = 'active' and n.family ~ '^[A-Za-z]+$' limit {most}")
    rows = [row.split("|") for row in rows.splitlines()]
    random.shuffle(rows)
    return rows


def resident(process):
    with open(f"/proc/{process}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024


def size(site, seconds, rounds):
    """The figures of one size."""
    port = free_port()
    with site.serving(1):
        ready = site.a.ready_after
        time.sleep(20)
        idle = resident(site.a.process.pid)
        made = scripts(site, site.crew.token("doctor"), people(site))
        ceiling = subprocess.Popen([site.programs + "/examples/ceiling", site.folder + "/postgres", "contactpoint", f"127.0.0.1:{port}"])
        time.sleep(1)
        try:
            urls = {"open": f"http://127.0.0.1:{site.a.port}", "ceiling-open": f"http://127.0.0.1:{port}"}
            urls |= {"search": urls["open"], "ceiling-search": urls["ceiling-open"]}
            found = {name: [] for name in urls}
            for n in range(rounds + 1):
                for name, url in urls.items():
                    figures = wrk(url, made[name], seconds)
                    if n:
                        found[name].append(figures)
        finally:
            stop(ceiling)
        peak = resident(site.a.process.pid)
    middle = lambda values: sorted(values)[len(values) // 2]
    rate = {name: middle([one[0] for one in figures]) for name, figures in found.items()}
    late = {name: middle([one[1] for one in figures]) for name, figures in found.items()}
    ratio = lambda name: middle([a[0] / b[0] for a, b in zip(found[name], found["ceiling-" + name])])
    told = {
        "children": site.children, "made_per_s": round(site.children / site.made_in), "looks_per_s": round(rate["open"]),
        "p99_ms": round(late["open"], 2), "searches_per_s": round(rate["search"]), "search_p99_ms": round(late["search"], 2),
        "open_vs_ceiling": round(ratio("open"), 3), "search_vs_ceiling": round(ratio("search"), 3),
        "ceiling_open_per_s": round(rate["ceiling-open"]), "rss_mb_idle": round(idle), "rss_mb": round(max(idle, peak)),
        "ready_s": round(ready, 2),
        "database_gb": round(int(site.psql("select pg_database_size(current_database())")) / 2**30, 1),
    }
    say(f"  {told}")
    return told


def overload(site, seconds):
    """Five times as many who ask as there are places for, against as many as there are: what gets through, and whether health answers."""
    with site.serving(1):
        made = scripts(site, site.crew.token("doctor"), people(site))
        url = f"http://127.0.0.1:{site.a.port}"
        wrk(url, made["open"], seconds)
        peak = wrk(url, made["open"], seconds)
        crowd = subprocess.Popen(["wrk", "-t2", f"-c{5 * 64}", f"-d{seconds * 2}s", "--timeout", "30s", "--latency", "-s", made["open"], url],
                                 stdout=subprocess.PIPE, text=True)
        healthy, worst, line = 0, 0.0, Line(site.a.port)
        for _ in range(seconds * 10):
            answer = line.ask("GET", "/health/live")
            healthy += answer.status == 200
            worst = max(worst, answer.ended - answer.began)
            time.sleep(0.1)
        told, _ = crowd.communicate()
    requests = float(re.search(r"Requests/sec:\s+([\d.]+)", told).group(1)) * seconds * 2
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    goodput = (requests - int(refused.group(1) if refused else 0)) / (seconds * 2)
    return {"overload_goodput_share": round(goodput / peak[0], 3), "overload_refused": int(refused.group(1)) if refused else 0,
            "overload_health_failed": seconds * 10 - healthy, "overload_health_worst_ms": round(worst * 1000, 1)}
