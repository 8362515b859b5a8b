#!/usr/bin/env python3
"""Fails when a file includes a folder its own folder may not know, or calls what only one may.

Run by ctest as `layers`. usage: check_layers.py [ROOT]
"""
import pathlib
import re
import sys

MAY_INCLUDE = {  # folder -> folders it may name in #include "..."
    "runtime": set(),
    "net": {"runtime"},
    "vito": {"runtime"},
    "actors": {"runtime", "net", "vito"},
    "lua": {"runtime", "net", "vito", "actors"},
    "gateway": {"runtime", "net", "vito", "actors", "lua"},
    "bench": {"runtime", "net", "vito", "actors", "lua"},
}
PRIVATE = {  # who alone may name it from outside
    "vito/store/sqlite": ("gateway", "bench/ledger"),
    "vito/store/postgres": ("gateway", "bench/ledger"),
}
PRIVATE_HEADERS = {  # a header that only its own folder may include
    "runtime/internal.h": "runtime",
    "runtime/scheduler.h": "runtime",
    "vito/internal.h": "vito",
    "vito/keyring.h": "vito",
    "vito/vault/blob.h": "vito",
    "vito/vault/head.h": "vito",
    "vito/vault/vault_state.h": "vito",
}
ONLY_IN = {  # a pattern that may stand in these files alone
    r"\bhttp\.start\(": {"actors/vendor_wire.c"},
    r'#include [<"]lua(lib|xlib|jit)?\.h': "lua",
    r"\b(clock_gettime|time\(NULL\)|getrandom|rand\(\))": {
        "runtime/world.c", "lua/vm.c", "gateway/ws_client.c", "gateway/serve.c", "gateway/evidence_claims.c",
    },
    r"\batomic_thread_fence\b": set(),
    r"\b(strtod|atof)\(": set(),
}
CHECKED = ("runtime", "net", "vito", "actors", "lua", "gateway")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def sources(root, folders):
    for folder in folders:
        for path in sorted((root / folder).rglob("*.[ch]")):
            yield folder, path, path.relative_to(root).as_posix(), path.read_text()


def wrong_includes(root):
    for folder, path, here, text in sources(root, MAY_INCLUDE):
        for header in INCLUDE.findall(text):
            target = header.split("/")[0]
            if target != folder and target in MAY_INCLUDE and target not in MAY_INCLUDE[folder]:
                yield f"{here}: {folder}/ may not include {header}"
            for private, owner in PRIVATE.items():
                if header.startswith(private + "/") and not here.startswith((private, *owner)):
                    yield f"{here}: only {owner[0]}/ may include {header}"
            if PRIVATE_HEADERS.get(header, folder) != folder:
                yield f"{here}: {header} is private to {PRIVATE_HEADERS[header]}/"


def wrong_calls(root):
    for folder, path, here, text in sources(root, CHECKED):
        code = COMMENT.sub("", text)
        for pattern, allowed in ONLY_IN.items():
            if allowed == folder or (isinstance(allowed, set) and here in allowed):
                continue
            for found in re.finditer(pattern, code):
                yield f"{here}: {found.group(0)} may not stand here"


if __name__ == "__main__":
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    problems = [*wrong_includes(root), *wrong_calls(root)]
    print("\n".join(problems) or "layers: nothing to say")
    sys.exit(bool(problems))
