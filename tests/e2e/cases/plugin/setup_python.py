"""actions/setup-python as the plugin serves it, with the Python of this machine."""

import io
import shutil
import subprocess
import zipfile

from case import case
from world import check

PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")


def version():
    """Of the machine's python3: "3.11.2"."""
    return subprocess.run([PYTHON, "-I", "-c", "import platform; print(platform.python_version())"],
                          check=True, capture_output=True, text=True).stdout.strip()


def wheel(w, name, text):
    """A package of one module, NAME, with one command of that name, both of which say TEXT."""
    info, made = f"{name}-1.0.dist-info", io.BytesIO()
    with zipfile.ZipFile(made, "w") as z:
        z.writestr(f"{name}.py", f"def main():\n    print({text!r})\n")
        z.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        z.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{name} = {name}:main\n")
        z.writestr(f"{info}/RECORD", "".join(f"{n},,\n" for n in [*z.namelist(), f"{info}/RECORD"]))
    w.write(f"wheels/{name}-1.0-py3-none-any.whl", made.getvalue())


def cached(w, number, arch="x64"):
    """A Python of that NUMBER in a tool cache: the machine's own, behind a wrapper that says which it is."""
    tools = w.root / "tools"
    place = tools / "Python" / number / arch
    w.write("bin/python", f'#!/bin/sh\necho "$0 is {number}"\n', mode=0o755, below=place)
    w.write(f"{arch}.complete", "", below=place.parent)
    tools.chmod(0o755)
    w.env["RUNNER_TOOL_CACHE"] = str(tools)


@case(limit=180)
def pip_installs_into_the_job_and_not_into_the_machine(w):
    """With Debian's Python, which pip may not touch: requirements, commands, and the second step with it."""
    wheel(w, "ostlertiny", "hello from the wheel")
    wheel(w, "ostlermore", "hello from the step's own")
    w.write("requirements.txt", "ostlertiny==1.0\n")
    w.commit("a package")
    minor = ".".join(version().split(".")[:2])
    flow = w.steps(f"""
        - uses: actions/checkout@v4
        - {{name: py, id: py, uses: actions/setup-python@v5, with: {{python-version: '{minor}'}}}}
        - {{name: install, run: pip install --no-index --find-links wheels -r requirements.txt}}
        - name: use
          run: |
            ostlertiny
            python -c 'import ostlertiny; ostlertiny.main()'
            echo "version ${{{{ steps.py.outputs.python-version }}}}"
            test "$(command -v python)" = "${{{{ steps.py.outputs.python-path }}}}"
            test "$(command -v pip)" = "$pythonLocation/bin/pip"
            test "$Python_ROOT_DIR $Python2_ROOT_DIR $Python3_ROOT_DIR" = "$pythonLocation $pythonLocation $pythonLocation"
            test "$PKG_CONFIG_PATH" = "$pythonLocation/lib/pkgconfig"
            test "$LD_LIBRARY_PATH" = "$pythonLocation/lib"
            case $pythonLocation in "$RUNNER_TEMP"/*) ;; *) exit 1 ;; esac
            python -c 'import ssl, sqlite3, sys; print("whole", sys.version_info.major)'
        - name: again
          uses: actions/setup-python@v6
          with: {{python-version: 3.x, pip-install: --no-index --find-links wheels ostlermore}}
        - {{name: still, run: ostlertiny && ostlermore}}
        - {{name: plain python, shell: python, run: "import ostlertiny; ostlertiny.main()"}}
        """)
    r = w.run(flow, "--offline", code=0, limit=120)
    r.says("hello from the wheel\nhello from the wheel", f"version {version()}", "whole 3", step="use")
    r.says(f"Successfully set up CPython ({version()})", step="py")
    r.says("hello from the wheel\nhello from the step's own", step="still")
    r.says("hello from the wheel", step="plain python")
    check(subprocess.run([PYTHON, "-c", "import ostlertiny"], capture_output=True).returncode != 0,
          "the package is on the machine")


@case()
def a_python_of_the_tool_cache_comes_first(w):
    for number in ("3.90.2", "3.90.10", "3.91.0"):
        cached(w, number)
    w.write("pyproject.toml", '[project]\nname = "x"\nrequires-python = ">=3.80,<3.91"\n')
    w.write(".tool-versions", "python 3.90.2\n")
    w.commit("versions")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: file, id: file, uses: actions/setup-python@v4, with: {python-version-file: pyproject.toml, architecture: x64}}
        - {name: first, run: 'python; echo "<${{ steps.file.outputs.python-version }}>"'}
        - {name: two, uses: actions/setup-python@v7, with: {python-version: "3.90\\n3.91", architecture: x64}}
        - {name: second, run: python}
        - {name: tools, id: tools, uses: actions/setup-python@v5, with: {python-version-file: .tool-versions, update-environment: false, architecture: x64}}
        - {name: third, run: 'python; ${{ steps.tools.outputs.python-path }}'}
        """)
    r = w.run(flow, "--offline", code=0)
    r.says("is 3.90.10", "<3.90.10>", step="first").says("is 3.91.0", step="second")
    r.says("is 3.91.0", "is 3.90.2", step="third")


@case()
def a_python_that_is_not_there_is_a_clear_error(w):
    cached(w, "3.90.2")
    wants = {"none": "3.3", "ten": "3.10", "pypy": "pypy3.10", "word": "newest"}
    flow = w.steps("\n".join(f"- {{name: {name}, if: always(), uses: actions/setup-python@v5, "
                             f"with: {{python-version: {want}, architecture: x64}}}}" for name, want in wants.items()))
    r = w.run(flow, "--offline", code=1).concluded(**dict.fromkeys(wants, "failure"))
    r.says("no Python 3.3 for x64 on this machine", "has 3.90.2", version(), "--plugins actions/setup-python=never", step="none")
    r.says("no Python 3.1 for x64", "If 3.10 is meant, put it in quotes", step="ten")
    r.says("'pypy3.10' is not served", step="pypy").says("'newest' is no version of Python", step="word")


@case()
def what_is_not_served_is_a_warning(w):
    cached(w, "3.90.2")
    flow = w.steps("""
        - {name: py, id: py, uses: actions/setup-python@v5, with: {python-version: 3.x, check-latest: true, architecture: x64}}
        - {name: path, uses: actions/setup-python@v5}
        """)
    r = w.run(flow, "--offline", code=0)
    found = [a["message"] for a in r.of("annotation", level="warning")]
    check(any("check-latest is not served" in m for m in found), f"{found}")
    check(any("`python-version` input is not set" in m for m in found), f"{found}")


@case()
def a_traceback_becomes_an_annotation(w):
    w.write("app.py", 'def main():\n    raise ValueError(\'no stars tonight\')\n\n\nmain()\n')
    w.commit("a fault")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: py, uses: actions/setup-python@v5}
        - {name: fails, continue-on-error: true, run: 'python3 "$PWD/app.py"'}
        """)
    r = w.run(flow, "--offline", code=0)
    found = [(a.get("file"), a.get("line"), a["message"]) for a in r.of("annotation", level="error")
             if "stars" in a["message"]]
    r.equal("annotations", found, [("app.py", 2, "no stars tonight")])


@case()
def the_plan_says_which_python(w):
    place = next((w.build / "plugins").rglob("setup-python.so"))
    r = w.ostler_call("plugin", "run", str(place), "--with", "python-version=3.90", "--plan").exits(0)
    r.shows(r"use +a virtual environment of the Python on PATH +\(if there is a 3\.90\)")


@case(limit=180)
def what_pip_has_fetched_comes_back(w):
    """In the next run, as long as the requirements are the same; else as a beginning."""
    w.env["XDG_CACHE_HOME"] = str(w.root / "cache")
    minor = ".".join(version().split(".")[:2])
    w.write("requirements.txt", "one\n")
    w.commit("requirements")
    flow = w.steps(f"""
        - uses: actions/checkout@v4
        - {{name: py, id: py, uses: actions/setup-python@v5, with: {{python-version: '{minor}', cache: pip}}}}
        - name: work
          run: |
            place=$(pip cache dir)
            echo "hit <${{{{ steps.py.outputs.cache-hit }}}}> $(cat "$place/wheel" 2>/dev/null)"
            mkdir -p "$place" && cp requirements.txt "$place/wheel"
        """)
    r = w.run(flow, "--offline", code=0, limit=60).says("hit <false> \n", step="work").says("pip cache is not found", step="py")
    r.says(f"Cache saved with the key: setup-python-Linux-x64-", f"-python-{version()}-pip-", step="Post py")
    r = w.run(flow, "--offline", code=0, limit=60).says("hit <true> one", step="work")
    r.says("Cache hit occurred on the primary key setup-python-", step="Post py")
    w.write("requirements.txt", "two\n")
    w.commit("others")
    w.run(flow, "--offline", code=0, limit=60).says("hit <false> one", step="work")
