"""make deb, make install and make tarball, as far as they can be tried without installing: listed,
unpacked, run; the container's recipe, read.

Usage: package.py BUILD
"""

import fnmatch
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
EXPECTED = {
    "usr/bin/ffe", "usr/bin/ffe-aggregator", "usr/share/ffe/contracts/FFECoordinator.json",
    "usr/share/man/man1/ffe.1", "usr/share/man/man1/ffe-session-open.1",
    "usr/share/man/man7/ffe-exit-codes.7", "usr/share/bash-completion/completions/ffe",
    "usr/share/zsh/vendor-completions/_ffe", "usr/share/fish/vendor_completions.d/ffe.fish",
    "usr/lib/systemd/system/ffe-aggregator.service", "usr/share/doc/ffe/docs/guide/runbook.md",
    "usr/share/doc/ffe/LICENSE",
}  # fmt: skip


def run(*command, **more):
    done = subprocess.run(command, text=True, capture_output=True, **more)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def check_tree(root, prefix):
    """The programs run from where they lie, and find what lies beside them."""
    home = {"HOME": str(root / "home"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    ffe = root / prefix / "bin/ffe"
    assert re.match(r"ffe \d+\.\d+\.\d+( \([0-9a-f]{10}(-dirty)?\))?\n$", run(ffe, "--version"))
    assert run(root / prefix / "bin/ffe-aggregator", "--version").startswith("ffe-aggregator ")
    doctor = run(ffe, "doctor", "--json", env=home)
    assert '"contracts":true' in doctor, doctor
    page = root / prefix / "share/man/man1/ffe-submit.1"
    if shutil.which("man"):
        assert "--dry-run" in run("man", "-l", page, env=home | {"MANWIDTH": "80"})
    bash = f"source {root / prefix}/share/bash-completion/completions/ffe && complete -p ffe"
    assert "_ffe" in run("bash", "-c", bash)


def check_package(build, work):
    run("cpack", "-G", "DEB", "-B", str(work), cwd=build)
    (package,) = work.glob("ffe_*.deb")
    listed = {
        line.split()[5].removeprefix("./")
        for line in run("dpkg-deb", "--contents", package).splitlines()
    }
    assert EXPECTED <= listed, EXPECTED - listed
    fields = run("dpkg-deb", "--field", package)
    assert "Package: ffe\n" in fields and "libcurl4" in fields, fields
    run("dpkg-deb", "--extract", package, work / "root")
    check_tree(work / "root", "usr")
    unit = work / "root/usr/lib/systemd/system/ffe-aggregator.service"
    if shutil.which("systemd-analyze"):
        text = unit.read_text().replace("/usr/bin/ffe-aggregator", f"{work}/root/usr/bin/ffe-aggregator")
        (work / "ffe-aggregator.service").write_text(text)
        run("systemd-analyze", "verify", "--man=no", work / "ffe-aggregator.service")


def needed_by_table():
    """Libraries that docs/guide/install.md says the machine must have."""
    page = (ROOT / "docs/guide/install.md").read_text()
    rows = re.findall(r"(?m)^\| `(lib[^|]*)` \|", page)
    return {name.strip("` ") for row in rows for name in row.split(",")}


def needed(program):
    """The shared libraries that a program itself names."""
    return set(re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", program)))


def check_tarball(build, work):
    """Unpacked anywhere it runs: with what it carries, and with what the guide says is needed."""
    archive = run(ROOT / "scripts/tarball", build, work).strip()
    run("tar", "--extract", "--file", archive, "--directory", work)
    (root,) = (p for p in work.iterdir() if p.is_dir())
    check_tree(root, "")
    carried = {p.name for p in (root / "lib/ffe").iterdir()}
    allowed = needed_by_table()
    for program in ("ffe", "ffe-aggregator"):
        names = needed(root / "bin" / program)
        assert names <= carried | allowed, f"not in the guide: {names - carried - allowed}"
        for line in run("ldd", root / "bin" / program).splitlines():
            name, _, path = line.strip().partition(" => ")
            assert "not found" not in line, line
            assert name not in carried or path.startswith(str(root)), f"not its own: {line}"
    assert not any(re.search("secp256k1|sqlite|pcre2|edit", n) for n in carried | allowed)
    assert (root / "share/doc/ffe/licences/libfmt").exists()


def check_recipe(build):
    """Instructions, the package's name and the steps' shell; `make image-check` runs them."""
    text = (ROOT / "packaging/Containerfile").read_text()
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", text)).splitlines()
    words = [line.split(maxsplit=1) for line in lines if line.strip()]
    assert [w[0] for w in words] == ["FROM", "COPY", "RUN", "ENV", "ENTRYPOINT"], words
    by_word = dict(words)
    assert by_word["FROM"] == "debian:12-slim"
    pattern, target = by_word["COPY"].split()
    names = [p.name for p in build.glob("ffe_*.deb")]
    assert target == "/tmp/" and any(fnmatch.fnmatch(f"build/{n}", pattern) for n in names), names
    run("sh", "-n", "-c", by_word["RUN"])
    assert pattern.removeprefix("build/") in by_word["RUN"], "it installs what it copied"
    assert json.loads(by_word["ENTRYPOINT"]) == ["ffe"]


def check_install(build, work):
    run("cmake", "--install", build, "--prefix", "/opt/ffe", env=os.environ | {"DESTDIR": str(work)})
    check_tree(work, "opt/ffe")


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="ffe-package.") as folder:
        check_install(build, pathlib.Path(folder) / "installed")
        if not shutil.which("dpkg-deb") or not shutil.which("dpkg-shlibdeps"):
            print("SKIPPED: no Debian tools (dpkg-dev)")
            sys.exit(SKIPPED)
        for name in ("package", "tarball"):
            (pathlib.Path(folder) / name).mkdir()
        check_package(build, pathlib.Path(folder) / "package")
        check_recipe(pathlib.Path(folder) / "package")
        check_tarball(build, pathlib.Path(folder) / "tarball")


main()
