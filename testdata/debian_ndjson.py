"""Turns the package records of `apt-cache dumpavail` into NDJSON for debian.schema.json.

    apt-get update && apt-cache dumpavail | python3 testdata/debian_ndjson.py >debian.ndjson

One object a line, in the order of the records, the same bytes for the same input. Fields that a
record lacks are left out; bytes that are not UTF-8 become U+FFFD. `installed_size` is in KiB and
`size` in bytes, as Debian's policy (5.6.20) and repository format define them.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator

TEXTS = {
    "Package": "package",
    "Source": "source",
    "Version": "version",
    "Section": "section",
    "Priority": "priority",
    "Architecture": "architecture",
    "Maintainer": "maintainer",
    "Homepage": "homepage",
}
NUMBERS = {"Installed-Size": "installed_size", "Size": "size"}
# The first word of each alternative of a dependency: "a (>= 1) | b:any, c" names a, b and c.
NAME = re.compile(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]*)")


def records(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """The records (paragraphs) of deb822 text, each value with its continuation lines."""
    record: dict[str, str] = {}
    name = None
    for line in lines:
        line = line.rstrip("\r\n")
        if not line.strip():
            if record:
                yield record
            record, name = {}, None
        elif line[0] in " \t":
            if name:  # a lone dot stands for an empty line
                record[name] += "\n" + ("" if line.strip() == "." else line.strip())
        else:
            name, colon, value = line.partition(":")
            if colon:
                record[name] = value.strip()
            else:
                name = None
    if record:
        yield record


def document(record: dict[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, field in TEXTS.items():
        if record.get(name):
            found[field] = record[name]
    if "source" in found:  # "name (version)" where the source has another version
        found["source"] = record["Source"].split(" ", 1)[0]
    for name, field in NUMBERS.items():
        value = record.get(name, "")
        if value.isascii() and value.isdigit() and int(value) < 1 << 64:
            found[field] = int(value)
    # A set of names in the order of the record.
    depends = list(dict.fromkeys(NAME.findall(record.get("Depends", ""))))
    if depends:
        found["depends"] = depends
    tags = [tag.strip() for tag in record.get("Tag", "").split(",") if tag.strip()]
    if tags:
        found["tags"] = tags
    for name, value in record.items():
        # Translations are called Description-de and so on; Description-md5 is none of them.
        if re.fullmatch(r"Description(-en)?", name) and value:
            found["description"] = value
    return found


def main() -> None:
    lines = (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
    for record in records(lines):
        if record.get("Package"):
            line = json.dumps(document(record), ensure_ascii=False) + "\n"
            # json leaves no lone surrogates here: decoding with "replace" made none.
            sys.stdout.buffer.write(line.encode("utf-8"))


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.stderr.close()  # the reader has had enough: `| head` is fine
