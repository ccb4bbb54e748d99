"""How looks cost as the index grows: as many as can be through one instance, beside the same statements without token and audit."""

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import time

from look import lua
from place import Load, free_port
from service import say, stop


# As many requests as an instance works on at a time with two workers.
PLACES = 32
# Five times as many requests as can be answered: whoever is refused asks again after so many milliseconds.
AGAIN = """
pending = 0
function response(status) if status == 503 then pending = pending + 1 end end
function delay()
    if pending == 0 then return 0 end
    pending = pending - 1
    return %d
end
"""
# As many as are asked at once, where it is measured how fast it is.
CONNECTIONS = 24


def wrk(url, script, seconds, connections=CONNECTIONS):
    """Requests a second, the 99th percentile in ms, and how many were not answered as asked."""
    # What was asked before is worked on to its end, though nobody waits for it any more, and would have places that are needed now.
    time.sleep(2)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s", script, url]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    failed = int(errors.group(1)) if errors else 0
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", told).group(1))
    amount, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", told).groups()
    return rate, float(amount) * {"us": 0.001, "ms": 1, "s": 1000}[unit], failed


def warm(url, script, seconds):
    """Asks until what is asked for is in memory: until it got no faster twice."""
    best, same = 0, 0
    while same < 2:
        rate, _, failed = wrk(url, script, seconds)
        rate -= failed / seconds
        same = 0 if rate > best * 1.05 else same + 1
        best = max(best, rate)


def scripts(site, token, rows, anyone=()):
    headers = '{["Authorization"]="Bearer %s", ["Access-Reason"]="direct-service", ["Content-Type"]="application/json"}' % token
    step = "function request() n = n % #items + 1; return wrk.format("
    numbers, anybody = ([json.dumps(number) for number in numbers] for numbers in ([number for number, *_ in rows], anyone))
    # Each run begins somewhere else.
    somewhere = "\nmath.randomseed(os.time())\nn = math.random(#items)\n"
    bodies = ["[==[" + json.dumps({"name": {"given": [given], "family": family}, "dateOfBirth": born}) + "]==]"
              for _, given, family, born in rows]
    keyed = """
body, sent = '{"serviceType":"generalPractice","contact":{"team":"Test","officeHours":"01632 960001"},"startedOn":"2026-01-05"}', 0
function keyed()
    sent = sent + 1
    headers["Idempotency-Key"] = "bench-" .. n .. "-" .. sent .. "-" .. math.random(1e9)
    return headers
end"""
    made = {}
    for name, items, request in [
        ("open", numbers, step + '"GET", "/v1/children/" .. items[n], headers) end\nheaders = ' + headers),
        ("search", bodies, step + '"POST", "/v1/children/search", headers, items[n]) end\nheaders = ' + headers),
        ("ceiling-open", numbers, step + '"GET", "/open/" .. items[n]) end'),
        ("any", anybody, step + '"GET", "/v1/children/" .. items[n], headers) end\nheaders = ' + headers),
        # The doctor's practice says that it works with the child; of some it is known already.
        ("change", anybody, step + '"POST", "/v1/children/" .. items[n] .. "/involvements", keyed(), body) end\nheaders = ' + headers),
        ("ceiling-any", anybody, step + '"GET", "/open/" .. items[n]) end'),
        ("ceiling-search", bodies, step + '"POST", "/search", {["Content-Type"]="application/json"}, items[n]) end'),
    ]:
        if name == "change":
            request += keyed
        made[name] = lua(open(f"{site.folder}/{name}.lua", "w"), items, request + somewhere)
    return made


def people(site, most=20_000):
    """Children by what they are searched with: whose rows stand far apart."""
    share = min(100, 100 * most * 2 / site.children)
    rows = site.psql(
        f"select c.index_number || '|' || n.given[1] || '|' || n.family || '|' || c.date_of_birth from child c tablesample bernoulli ({share}) "
        f"join child_name n using (child_id) where n.kind = 'current' and c.status = 'active' and n.family ~ '^[A-Za-z]+$' order by random() limit {most}")
    return [row.split("|") for row in rows.splitlines()]


def anyone(site, most=300_000):
    """Children of whom hardly any was looked at before."""
    share = min(100, 100 * most * 1.1 / site.children)
    numbers = site.psql(f"select index_number from child tablesample bernoulli ({share}) where status = 'active' order by random() limit {most}")
    return numbers.split()


def resident(process):
    with open(f"/proc/{process}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024


def size(site, seconds, rounds):
    """The figures of one size."""
    port = free_port()
    with site.serving(1):
        ready = site.a.ready_after
        counted = site.counted()
        time.sleep(20)
        idle = resident(site.a.process.pid)
        made = scripts(site, site.crew.token("doctor"), people(site), anyone(site))
        ceiling = subprocess.Popen([site.programs + "/examples/ceiling", site.folder + "/postgres", "contactpoint", f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
        time.sleep(1)
        try:
            urls = {"open": f"http://127.0.0.1:{site.a.port}", "ceiling-open": f"http://127.0.0.1:{port}"}
            urls |= {name: urls["open"] for name in ("search", "any", "change")}
            urls |= {"ceiling-" + name: urls["ceiling-open"] for name in ("search", "any")}
            for name in ("ceiling-open", "ceiling-search", "open", "search"):
                warm(urls[name], made[name], seconds)
            found = {name: [] for name in urls}
            for _ in range(rounds):
                for name, url in urls.items():
                    found[name].append(wrk(url, made[name], seconds))
        finally:
            stop(ceiling)
        peak = resident(site.a.process.pid)
    middle = lambda values: sorted(values)[len(values) // 2]
    answered = {name: [one[0] - one[2] / seconds for one in figures] for name, figures in found.items()}
    rate = {name: middle(figures) for name, figures in answered.items()}
    late = {name: middle([one[1] for one in figures]) for name, figures in found.items()}
    # Of any child, more may be asked than a disk can read; and some changes were made before.
    failed = lambda name: sum(one[2] for one in found[name])
    ratio = lambda name: middle([a / b for a, b in zip(answered[name], answered["ceiling-" + name])])
    told = {
        "children": site.children, "made_per_s": round(site.children / site.made_in), "looks_per_s": round(rate["open"]),
        "p99_ms": round(late["open"], 2), "searches_per_s": round(rate["search"]), "search_p99_ms": round(late["search"], 2),
        "looks_of_any_per_s": round(rate["any"]), "any_p99_ms": round(late["any"], 2), "any_vs_ceiling": round(ratio("any"), 3),
        "changes_per_s": round(rate["change"]), "change_p99_ms": round(late["change"], 2),
        "looks_failed": failed("open"), "searches_failed": failed("search"), "looks_of_any_failed": failed("any"),
        "open_vs_ceiling": round(ratio("open"), 3), "search_vs_ceiling": round(ratio("search"), 3),
        "ceiling_open_per_s": round(rate["ceiling-open"]), "rss_mb_idle": round(idle), "rss_mb": round(max(idle, peak)),
        "ready_s": round(ready, 2), "names_counted_s": round(counted),
        "database_gb": round(int(site.psql("select pg_database_size(current_database())")) / 2**30, 1),
    }
    say(f"  {told}")
    return told


@contextlib.contextmanager
def apart(site):
    """Keeps whoever asks off the cores of the service and its database, so that what asking costs is not taken for what refusing does."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("This takes two cores, one of them for whoever asks.")
    site.pin(cores[:-1])
    os.sched_setaffinity(0, cores[-1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        site.pin(cores)


def overload(site, seconds):
    """Five times as many requests as can be answered, against as many as can: what gets through, how late who gets through is, how soon who
    does not is told, and whether health answers. Whoever asks has a core of their own, as they have machines of their own."""
    with site.serving(1), apart(site):
        token, numbers = site.crew.token("doctor"), site.numbers(2000)
        made = scripts(site, token, people(site))
        url = f"http://127.0.0.1:{site.a.port}"
        lines = [site.a.line() for _ in range(8)]
        ask = lambda n: lines[n].ask("GET", "/v1/children/" + random.choice(numbers), token)
        about, *_ = wrk(url, made["open"], seconds)
        # The same client for both, which costs as much for each answer.
        with open(made["open"]) as asked, open(site.folder + "/again.lua", "w") as again:
            again.write(asked.read() + AGAIN % (5 * PLACES * 1000 / (5 * about)))
        with Load(40, ask, 8) as calm:
            peak, _, few = wrk(url, again.name, seconds * 2, connections=PLACES * 3 // 4)
            peak -= few / (seconds * 2)
        with Load(40, ask, 8) as pressed, Load(10, lambda n: site.a.line().ask("GET", "/health/live"), 4) as health:
            rate, _, refused = wrk(url, again.name, seconds * 2, connections=5 * PLACES)
    goodput = rate - refused / (seconds * 2)
    p99 = lambda load, status: percentile([took for _, got, took in load.asked if got == status], 99)
    return {"overload_times": round(rate / peak, 1), "overload_goodput_share": round(goodput / peak, 3), "overload_refused": refused,
            "overload_p99_ratio": round(p99(pressed, 200) / p99(calm, 200), 2), "overload_p99_ms": p99(pressed, 200),
            "overload_refusal_p99_ms": p99(pressed, 503), "overload_other_status": sum(got not in (200, 503) for _, got, _ in pressed.asked),
            "overload_health_failed": sum(got != 200 for _, got, _ in health.asked), "overload_health_p99_ms": p99(health, 200)}


def percentile(took, of):
    took = sorted(took)
    return round(took[len(took) * of // 100] * 1000, 1) if took else 0.0
