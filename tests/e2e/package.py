"""make deb and make install, as far as they can be tried without installing: listed, unpacked, run.

Usage: package.py BUILD
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

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
    assert "Package: ffe\n" in fields and "libsecp256k1" in fields and "libcurl4" in fields, fields
    run("dpkg-deb", "--extract", package, work / "root")
    check_tree(work / "root", "usr")
    unit = work / "root/usr/lib/systemd/system/ffe-aggregator.service"
    if shutil.which("systemd-analyze"):
        text = unit.read_text().replace("/usr/bin/ffe-aggregator", f"{work}/root/usr/bin/ffe-aggregator")
        (work / "ffe-aggregator.service").write_text(text)
        run("systemd-analyze", "verify", "--man=no", work / "ffe-aggregator.service")


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
        (pathlib.Path(folder) / "package").mkdir()
        check_package(build, pathlib.Path(folder) / "package")


main()
