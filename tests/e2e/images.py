"""PostgreSQL and Redis as images with the official names, for an engine of ours: they are made of Debian's
packages once, kept in build/images and loaded from there afterwards.

They are stand-ins (no Alpine, and a PostgreSQL that sets itself up without a first, temporary server), so no
case may ask for more than the environment, the port, the volume and the clients of the official ones. The
machine's own engine never gets them: there, the official ones are pulled."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

RELEASE, PACKAGES = "bookworm", ("postgresql-15", "redis-server", "gosu")
NOT_WANTED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/i18n", "var/cache", "var/lib/apt",
              "var/lib/postgresql/15")
BASE = "ostler-test/services:1"

POSTGRES = """\
#!/bin/sh
# What the official entry point does with its environment, as far as jobs count on it.
set -e
[ "$1" = postgres ] || exec "$@"
mkdir -p "$PGDATA" /run/postgresql
chown -R postgres "$PGDATA" /run/postgresql
chmod 700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "$POSTGRES_PASSWORD$POSTGRES_HOST_AUTH_METHOD" ]; then
        echo 'Error: Database is uninitialized and superuser password is not specified.' >&2
        exit 1
    fi
    user=${POSTGRES_USER:-postgres} db=${POSTGRES_DB:-${POSTGRES_USER:-postgres}}
    (umask 077; printf '%s\\n' "$POSTGRES_PASSWORD" >/run/password; chown postgres /run/password)
    gosu postgres initdb -N -U "$user" --pwfile=/run/password -D "$PGDATA" >/dev/null
    rm /run/password
    echo "host all all all ${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
    [ "$db" = postgres ] ||
        echo "CREATE DATABASE \\"$db\\"" | gosu postgres postgres --single -D "$PGDATA" template1 >/dev/null
fi
shift
exec gosu postgres postgres -D "$PGDATA" -c listen_addresses='*' "$@"
"""

RECIPES = {
    "postgres:15": f"""\
FROM {BASE}
COPY --chown=0:0 postgres /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENV PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
EXPOSE 5432
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
""",
    "redis:7-alpine": f"""\
FROM {BASE}
VOLUME /data
WORKDIR /data
EXPOSE 6379
CMD ["redis-server", "--protected-mode", "no", "--bind", "0.0.0.0", "--save", ""]
""",
}


class ImageError(Exception):
    """There are no images, and none could be made."""


def demand(*argv, **more):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if done.returncode:
        raise ImageError(f"{' '.join(map(str, argv))}: {done.stdout.decode(errors='replace').strip()[-600:]}")


def provide(kept, ours):
    """All of RECIPES in the engine. KEPT: where made ones are kept; OURS: stand-ins may have these names here."""
    missing = [name for name in RECIPES
               if subprocess.run(["docker", "image", "inspect", name], capture_output=True).returncode]
    if not missing:
        return
    if not ours:
        for name in missing:
            demand("docker", "pull", "--quiet", name)
        return
    if archive(kept).exists():
        demand("docker", "load", "--quiet", "--input", archive(kept))
        return
    with tempfile.TemporaryDirectory(prefix="ostsvc.") as folder:
        make(pathlib.Path(folder))
        keep(archive(kept))


def archive(kept):
    """Where those of today's recipe are, once they were made."""
    text = "".join([RELEASE, *PACKAGES, *NOT_WANTED, POSTGRES, *RECIPES.values()])
    return pathlib.Path(kept, f"services-{hashlib.sha256(text.encode()).hexdigest()[:12]}.tar")


def make(folder):
    if not shutil.which("debootstrap"):
        raise ImageError("there is no 'debootstrap': install it (tests/run.sh does)")
    print("making the images of PostgreSQL and Redis, once", flush=True)
    root, packed = folder / "root", folder / "root.tar"
    # What it mounts there goes with it, also when we are stopped: who removes the folder then does not walk through /proc.
    demand("unshare", "--mount", "debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", RELEASE, root)
    for name in NOT_WANTED:
        shutil.rmtree(root / name, ignore_errors=True)
    demand("tar", "--directory", root, "--create", "--file", packed, "--exclude=./dev/*", ".")
    demand("docker", "import", packed, BASE)
    context = folder / "context"
    context.mkdir()
    (context / "postgres").write_text(POSTGRES)
    (context / "postgres").chmod(0o755)
    for name, recipe in RECIPES.items():
        (context / "Dockerfile").write_text(recipe)
        demand("docker", "build", "--quiet", "--tag", name, context, env={**os.environ, "DOCKER_BUILDKIT": "0"})


def keep(to):
    """Whole or not at all; what an older recipe left goes."""
    to.parent.mkdir(parents=True, exist_ok=True)
    new = to.with_suffix(f".{os.getpid()}")
    try:
        demand("docker", "save", "--output", new, *RECIPES)
        new.rename(to)
    finally:
        new.unlink(missing_ok=True)
    for path in to.parent.glob("services-*.tar"):
        if path != to:
            path.unlink()
