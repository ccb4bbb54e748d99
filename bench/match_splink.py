"""Splink beside us: one labelled file, linked as Splink's authors do, without labels. `match_splink.py FILE`: one JSON line."""

import json
import logging
import sys
from collections import defaultdict

import pyarrow
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

COLUMNS = ["unique_id", "given", "middle", "family", "name", "born", "gender", "house", "street", "more", "town", "postcode",
           "outward"]
FEW = 1e-9


def read(path):
    with open(path) as lines:
        return [json.loads(line) for line in lines]


def row(record):
    """The same fields as ours, in columns; what is not known is null."""
    name = record["names"][0]
    home = (record.get("addresses") or [{}])[0]
    lines = home.get("lines") or [""]
    first, _, rest = lines[0].partition(" ")
    house, street = (first, rest) if first[:1].isdigit() else ("", lines[0])
    given = [one for one in name["given"] if one.lower() != "baby"]
    postcode = home.get("postcode", "")
    whole = postcode if " " in postcode or postcode.isdigit() else ""
    values = [record["id"], *(given + ["", ""])[:2], name["family"], "", record.get("dateOfBirth", ""), record.get("gender", ""),
              house, street, (lines + [""])[1], home.get("town", ""), whole, postcode.split(" ")[0]]
    values = [value.lower() if n else value for n, value in enumerate(values)]
    values[4] = f"{values[1]} {values[3]}" if values[1] and values[3] else ""
    return [value or None for value in values]


def table(records):
    rows = [row(record) for record in records]
    columns = {name: pyarrow.array([one[n] for one in rows], pyarrow.string()) for n, name in enumerate(COLUMNS)}
    return pyarrow.table(columns)


def comparisons(records, whole_address):
    english = any(" " in home["postcode"] for record in records for home in record.get("addresses", []))
    postcode = cl.PostcodeComparison("postcode") if english else cl.DamerauLevenshteinAtThresholds("postcode", [1, 2])
    tf = {"term_frequency_adjustments": True}
    compared = [
        cl.ForenameSurnameComparison("given", "family", forename_surname_concat_col_name="name"),
        cl.DateOfBirthComparison("born", input_is_string=True, datetime_format="%Y-%m-%d"),
        postcode.configure(**tf),
        cl.ExactMatch("house").configure(**tf),
    ]
    if whole_address:
        compared += [cl.JaroWinklerAtThresholds("street", [0.92, 0.85]).configure(**tf),
                     cl.JaroWinklerAtThresholds("town", [0.92]).configure(**tf)]
    known = {name for name in ("middle", "gender", "more") if any(one[COLUMNS.index(name)] for one in map(row, records))}
    if "middle" in known:
        compared.append(cl.JaroWinklerAtThresholds("middle", [0.92]).configure(**tf))
    if "gender" in known:
        compared.append(cl.ExactMatch("gender"))
    if "more" in known and whole_address:
        compared.append(cl.JaroWinklerAtThresholds("more", [0.92, 0.85]).configure(**tf))
    return compared


PREDICT = [
    ("given", "family"), ("born",), ("postcode",), ("house", "street"), ("house", "town", "substr(family,1,3)"),
    ("family", "substr(born,1,4)"), ("given", "substr(born,1,4)"), ("family", "outward"), ("given", "outward"),
    ("substr(family,1,3)", "substr(given,1,3)"), ("street", "substr(given,1,2)"), ("street", "substr(family,1,2)"),
    ("family", "substr(born,6,5)"), ("given", "substr(born,6,5)"), ("substr(family,1,4)", "town"),
]


def predict(held, asked, records, whole_address):
    """The weight of every pair that a rule brings together."""
    dedupe = held == asked
    settings = SettingsCreator(
        link_type="dedupe_only" if dedupe else "link_only", comparisons=comparisons(records, whole_address),
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in PREDICT]
        + ["l.given = r.family and l.family = r.given"],
        retain_matching_columns=False, additional_columns_to_retain=[])
    db = DuckDBAPI()
    tables = [db.register(table(held), table_name="held")]
    if not dedupe:
        tables.append(db.register(table(asked), table_name="asked"))
    linker = Linker(tables if not dedupe else tables[0], settings)
    certain = [block_on("given", "family", "born"), block_on("given", "family", "postcode"), block_on("born", "postcode", "house"),
               block_on("given", "born", "street")]
    train = linker.training
    train.estimate_probability_two_random_records_match(certain, recall=0.8)
    train.estimate_u_using_random_sampling(max_pairs=5e6, seed=1)
    for rule in (block_on("born"), block_on("given", "family"), block_on("postcode")):
        train.estimate_parameters_using_expectation_maximisation(rule)
    found = linker.inference.predict(threshold_match_weight=-15)
    rows = found.as_duckdbpyrelation().select("unique_id_l, unique_id_r, match_weight").fetchall()
    return rows


def figures(records, pairs):
    """Best F1, recall above the first false pair, and how often the right one comes first."""
    child = {record["id"]: record["child"] for record in records}
    of_child = defaultdict(list)
    for record in records:
        of_child[record["child"]].append(record)
    truths = sum((a["asked"] and b["held"]) or (b["asked"] and a["held"])
                 for same in of_child.values() for n, a in enumerate(same) for b in same[n + 1:])
    pairs.sort(key=lambda pair: -pair[2])
    best, right, clean, seen = (0.0, None), 0, None, 0
    for n, (a, b, weight) in enumerate(pairs):
        same = child[a] == child[b]
        right += same
        seen += 1
        if not same and clean is None:
            # Those that are as heavy as the first false pair are not above it.
            clean = sum(child[c] == child[d] for c, d, w in pairs[:n] if w > weight + FEW)
        if n + 1 == len(pairs) or pairs[n + 1][2] < weight - FEW:
            best = max(best, (2 * right / (seen + truths), weight), key=lambda one: one[0])
    told = {"f1": best[0], "recall_at_zero_fp": (right if clean is None else clean) / max(truths, 1), "true_pairs": truths}
    of_asked = defaultdict(list)
    for a, b, weight in pairs:
        of_asked[a].append((weight, child[a] == child[b]))
        of_asked[b].append((weight, child[a] == child[b]))
    classes = defaultdict(lambda: {"asked": 0, "retrieved": 0, "top1": 0, "above": 0})
    for record in records:
        if not record["asked"]:
            continue
        present = any(one["held"] and one["id"] != record["id"] for one in of_child[record["child"]])
        found = of_asked[record["id"]]
        top = max(found, default=(None, False))
        counts = classes[record.get("class", "all"), "present" if present else "absent"]
        counts["asked"] += 1
        counts["retrieved"] += any(same for _, same in found)
        counts["top1"] += top[1]
        counts["above"] += top[0] is not None and top[0] >= best[1]
    there = [counts for (_, where), counts in classes.items() if where == "present"]
    told["top1"] = sum(counts["top1"] for counts in there) / max(1, sum(counts["asked"] for counts in there))
    told["per_class"] = defaultdict(dict)
    for (name, where), counts in classes.items():
        told["per_class"][name][where] = counts
    return told


def main():
    logging.getLogger("splink").setLevel(logging.ERROR)
    records = read(sys.argv[1])
    held, asked = [one for one in records if one["held"]], [one for one in records if one["asked"]]
    # Street and town say again what the postcode says, which makes a change of address count too much; without them a wrong
    # postcode does. Splink is set against us with whichever does better.
    told = [figures(records, predict(held, asked, records, whole)) | {"whole_address": whole} for whole in (True, False)]
    print(json.dumps(max(told, key=lambda one: one["f1"]) | {
        name: max(one[name] for one in told) for name in ("f1", "recall_at_zero_fp", "top1")}))


if __name__ == "__main__":
    main()
