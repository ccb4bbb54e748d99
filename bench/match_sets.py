"""The labelled files: FEBRL 1 and 2 as their authors made them, and the children that `population` makes."""

import csv
import datetime
import json
import subprocess


def possible(born):
    """The date as far as there is one: the service takes no 56th of a month, and Splink holds such a date for none."""
    year, month, day = int(born[:4]), int(born[4:6]), int(born[6:])
    try:
        return datetime.date(year, month, day).isoformat()
    except ValueError:
        return f"{year:04}-{month:02}" if 1 <= month <= 12 else f"{year:04}"


def febrl(source, target):
    """A file of FEBRL: each record is held and asked. State and social security number are left out, for both."""
    with open(source, newline="") as rows, open(target, "w") as out:
        for row in csv.DictReader(rows, skipinitialspace=True):
            row = {name.strip(): (value or "").strip() for name, value in row.items()}
            born = row["date_of_birth"]
            record = {
                "id": row["rec_id"], "child": row["rec_id"].split("-")[1], "held": True, "asked": True,
                "names": [{"given": [row["given_name"]] if row["given_name"] else [], "family": row["surname"], "kind": "current"}],
                "addresses": [{"lines": [line for line in (f"{row['street_number']} {row['address_1']}".strip(), row["address_2"]) if line],
                               "town": row["suburb"], "postcode": row["postcode"], "former": False}],
            }
            if len(born) == 8:
                record["dateOfBirth"] = possible(born)
            out.write(json.dumps(record) + "\n")


def children(population, target, held, per_class):
    """Children of England, held, and asked for with something wrong in each of 21 ways."""
    with open(target, "w") as out:
        subprocess.run([population, str(held), str(per_class)], stdout=out, check=True)
