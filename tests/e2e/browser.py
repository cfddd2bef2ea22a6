"""What a page looks like in Chromium: screenshots, and whether anything is wider than the screen."""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile

WIDTHS = {"phone": 390, "desktop": 1280}
SCHEMES = {"dark": 0, "light": 1}

# The page in a frame as wide as the screen, measured when it is laid out.
FRAME = """<!doctype html><meta charset=utf-8><style>body{{margin:0}}iframe{{border:0;width:{width}px;
height:{height}px;display:block}}</style><iframe id=f srcdoc="{page}"></iframe><pre id=r></pre><script>
f.onload = () => {{
  const d = f.contentDocument, w = d.documentElement;
  const wide = [...d.querySelectorAll("body *")].filter(e => {{
    const b = e.getBoundingClientRect();
    return b.right > {width} + 1 && !e.closest("pre") && !e.closest("svg");
  }}).map(e => e.tagName + " " + e.textContent.slice(0, 40));
  r.textContent = "MEASURED" + JSON.stringify({{height: w.scrollHeight, wide,
    background: getComputedStyle(d.body).backgroundColor,
    fonts: [...d.querySelectorAll("svg text")].map(e => e.getBoundingClientRect().height)}}) + "END";
}};
</script>"""


def available():
    return shutil.which("chromium") is not None


def chromium(scheme, *arguments):
    with tempfile.TemporaryDirectory(prefix="ffe-chromium.") as profile:
        return subprocess.run(
            [
                "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                f"--user-data-dir={profile}", "--virtual-time-budget=5000",
                f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", *arguments,
            ],
            capture_output=True, text=True, timeout=120, check=True,
        ).stdout  # fmt: skip


def look(page, width, scheme, picture=None):
    """Measurements of the page at this width; `picture`: a PNG of all of it."""
    html = pathlib.Path(page).read_text().replace("&", "&amp;").replace('"', "&quot;")
    with tempfile.TemporaryDirectory(prefix="ffe-look.") as folder:
        file = pathlib.Path(folder) / "frame.html"
        file.write_text(FRAME.format(width=width, height=800, page=html))
        dom = chromium(scheme, "--dump-dom", file.as_uri())
        found = re.search(r"MEASURED(\{.*?\})END</pre>", dom, re.S)
        assert found, dom[-2000:]
        measured = json.loads(found[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
        if picture:
            file.write_text(FRAME.format(width=width, height=measured["height"], page=html))
            chromium(
                scheme, f"--window-size={max(width, 500)},{measured['height']}",
                f"--screenshot={picture}", file.as_uri(),
            )  # fmt: skip
        return measured


def check(page, pictures=None):
    """Nothing sticks out, dark is dark and light is light, at both widths."""
    for name, width in WIDTHS.items():
        for scheme in SCHEMES:
            picture = pictures and pathlib.Path(pictures) / f"{name}-{scheme}.png"
            seen = look(page, width, scheme, picture)
            assert seen["wide"] == [], (name, scheme, seen["wide"][:5])
            brightness = sum(map(int, re.findall(r"\d+", seen["background"])[:3])) / 3
            assert (brightness < 80) == (scheme == "dark"), (scheme, seen["background"])
            if seen["fonts"]:
                assert min(seen["fonts"]) >= 8, (name, "letters of a chart are too small", seen)
