"""Opens and searches 100,000 fictitious children over HTTP, with token check and audit, beside two limits in the same run:
the same statements through plain actix-web and sqlx without token or audit, and pgbench with the record's statement."""

import json
import os
import random
import re
import statistics
import subprocess
import sys
import time

from service import Demo, say, stop

PROGRAMS = sys.argv[1]
CHILDREN = int(os.environ.get("BENCH_CHILDREN", "100000"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "8"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
# Fewer than there are places for, so that none is refused.
CONNECTIONS = 24


def psql(folder, sql):
    command = ["psql", "-h", folder + "/postgres", "-U", "contactpoint", "-XAtq", "-v", "ON_ERROR_STOP=1", "contactpoint", "-c", sql]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def wrk(url, script):
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-s", script, url]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    if errors:
        sys.exit(f"{errors.group(1)} requests failed at {url}:\n{told}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", told).group(1))
    amount, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", told).groups()
    return rate, float(amount) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def lua(path, items, request):
    path.write("local items = {\n" + ",\n".join(items) + "\n}\nlocal n = 0\n" + request)
    path.close()
    return path.name


def scripts(folder, token, numbers, searches):
    headers = '{["Authorization"]="Bearer %s", ["Access-Reason"]="direct-service", ["Content-Type"]="application/json"}' % token
    step = "function request() n = n % #items + 1; return wrk.format("
    made = {}
    quoted = [json.dumps(number) for number in numbers]
    bodies = ["[==[" + json.dumps(search) + "]==]" for search in searches]
    for name, items, request in [
        ("open", quoted, step + '"GET", "/v1/children/" .. items[n], headers) end\nheaders = ' + headers),
        ("search", bodies, step + '"POST", "/v1/children/search", headers, items[n]) end\nheaders = ' + headers),
        ("ceiling-open", quoted, step + '"GET", "/open/" .. items[n]) end'),
        ("ceiling-search", bodies, step + '"POST", "/search", {["Content-Type"]="application/json"}, items[n]) end'),
    ]:
        made[name] = lua(open(f"{folder}/{name}.lua", "w"), items, request)
    return made


def pgbench(folder):
    psql(folder, "create unlogged table if not exists bench_number as "
                 "select row_number() over () as n, index_number from child; "
                 "create unique index if not exists bench_number_n on bench_number (n); analyze bench_number")
    count = int(psql(folder, "select count(*) from bench_number")[0])
    statement = open("bench/open.sql").read().replace("$1", "(select index_number from bench_number where n = :n)")
    script = folder + "/open.pgbench"
    with open(script, "w") as file:
        file.write(f"\\set n random(1, {count})\n{statement};\n")
    command = ["pgbench", "-h", folder + "/postgres", "-U", "contactpoint", "-n", "-M", "prepared", "-f", script,
               "-c", str(CONNECTIONS), "-j", "2", "-T", str(SECONDS), "contactpoint"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"tps = ([\d.]+)", told).group(1))


def measure(folder, demo, ceiling):
    random.seed(1)
    rows = psql(folder, "select c.index_number || '|' || n.given[1] || '|' || n.family || '|' || c.date_of_birth "
                        "from child c join child_name n using (child_id) "
                        "where n.kind = 'current' and c.date_of_birth_precision = 'day' and n.family ~ '^[A-Za-z]+$' "
                        "and n.given[1] ~ '^[A-Za-z]+$' order by c.index_number")
    rows = [row.split("|") for row in random.sample(rows, min(len(rows), 10_000))]
    searches = [{"name": {"given": [given], "family": family}, "dateOfBirth": born} for _, given, family, born in rows]
    made = scripts(folder, demo.sign_in("doctor"), [row[0] for row in rows], searches)
    targets = {"open": demo.url, "search": demo.url, "ceiling-open": ceiling, "ceiling-search": ceiling}
    found = {name: [] for name in [*targets, "pgbench"]}
    for n in range(ROUNDS + 1):
        say(f"Round {n} of {ROUNDS}" + (" (to warm up)" if n == 0 else ""))
        for name, url in targets.items():
            figures = wrk(url, made[name])
            if n:
                found[name].append(figures)
        if n:
            found["pgbench"].append((pgbench(folder), 0.0))
    return found


def report(found):
    rate = {name: statistics.median(figure[0] for figure in figures) for name, figures in found.items()}
    late = {name: statistics.median(figure[1] for figure in figures) for name, figures in found.items()}
    ratio = lambda name: statistics.median(a[0] / b[0] for a, b in zip(found[name], found["ceiling-" + name]))
    print(f"{CHILDREN:,} children, {CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS} s, medians")
    print(f"{'':<34}{'per second':>12}{'p99 ms':>10}{'of the ceiling':>16}")
    for name, title in [("open", "open a record, token and audit"), ("ceiling-open", "the same, neither"),
                        ("search", "search, token and audit"), ("ceiling-search", "the same, neither"),
                        ("pgbench", "pgbench, the record's statement")]:
        share = f"{ratio(name):.2f}" if name in ("open", "search") else ""
        print(f"{title:<34}{rate[name]:>12,.0f}{late[name]:>10.1f}{share:>16}")
    print(json.dumps({
        "open_vs_ceiling": round(ratio("open"), 3), "search_vs_ceiling": round(ratio("search"), 3),
        "open_per_s": round(rate["open"]), "open_p99_ms": round(late["open"], 2),
        "search_per_s": round(rate["search"]), "search_p99_ms": round(late["search"], 2),
        "ceiling_open_per_s": round(rate["ceiling-open"]), "ceiling_search_per_s": round(rate["ceiling-search"]),
        "pgbench_per_s": round(rate["pgbench"]), "children": CHILDREN, "connections": CONNECTIONS,
    }))


def main():
    ceiling = None
    with Demo(PROGRAMS, CHILDREN) as demo:
        try:
            address = f"127.0.0.1:{random.randint(20000, 40000)}"
            ceiling = subprocess.Popen([PROGRAMS + "/examples/ceiling", demo.folder + "/postgres", "contactpoint", address])
            time.sleep(1)
            psql(demo.folder, "vacuum analyze")
            report(measure(demo.folder, demo, "http://" + address))
        finally:
            if ceiling:
                stop(ceiling)


if __name__ == "__main__":
    main()
