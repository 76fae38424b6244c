"""Checks of the repository that no tool of cargo makes. Run from its top."""

import pathlib
import re
import subprocess
import sys
import tomllib

# "About 500 lines without tests": a tenth more is too many.
MAX_LINES = 550


def tracked(*patterns: str) -> list[pathlib.Path]:
    listed = subprocess.run(["git", "ls-files", *patterns], check=True, capture_output=True, text=True)
    return [pathlib.Path(name) for name in listed.stdout.split("\n") if name]


def long_files() -> list[str]:
    found = []
    for path in tracked("src/*.rs", "tests/*.rs", "benches/*.rs"):
        text = path.read_text()
        if path.parts[0] == "src":
            text = re.split(r"^#\[cfg\((?:test|all\(test, not\(shuttle\)\))\)\]\nmod tests", text, flags=re.MULTILINE)[0]
        elif path.parts[0] == "tests" and path.parts[1] != "common":
            continue  # without tests, a file of tests is empty
        lines = text.count("\n")
        if lines > MAX_LINES:
            found.append(f"{path}: {lines} lines without tests, more than {MAX_LINES}")
    return found


def stated_msrv() -> list[str]:
    """Cargo.toml states the oldest Rust; what the documents say must be that."""
    manifest = tomllib.loads(pathlib.Path("Cargo.toml").read_text())
    msrv = manifest["package"]["rust-version"]
    found = []
    for path in tracked("*.md"):
        for said in re.findall(r"\bRust (1\.\d+)", path.read_text()):
            if said != msrv:
                found.append(f"{path}: says Rust {said}, Cargo.toml says {msrv}")
    readme = pathlib.Path("README.md")
    said = readme.read_text() if readme.exists() else ""
    if f"Rust {msrv}" not in said and "rust-version" not in said:
        found.append(f"README.md: does not say that Rust {msrv} is needed")
    return found


def paths_of_a_machine() -> list[str]:
    found = []
    for path in tracked("*.rs", "*.md", "*.toml", "*.py", "*.json"):
        if path.parts[0] == ".ci":
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"(?<![\w.])/(work/(wt|main|shared|target)|tmp/src)\b", line):
                found.append(f"{path}:{number}: a path of one machine: {line.strip()}")
    return found


def main() -> None:
    problems = long_files() + stated_msrv() + paths_of_a_machine()
    print(*problems, sep="\n", end="\n" if problems else "")
    if problems:
        sys.exit(1)
    print("file lengths, stated Rust version and paths are in order")


if __name__ == "__main__":
    main()
