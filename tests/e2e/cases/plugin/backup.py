"""ostler/backup with real databases and a real S3-compatible server that checks signatures."""

import json
import re
import signal

import stores
from case import case
from cases.plugin.ssh_deploy import Server
from world import check

ROWS = 100000


def step(title, **inputs):
    more = {k: inputs.pop(k) for k in ("continue-on-error", "if") if k in inputs}
    return "- " + json.dumps({"name": title, "id": title, "uses": "ostler/backup@v1", "with": inputs, **more}) + "\n"


def run(w, flow, *options, limit=60):
    """Servers of the case's own go on while it runs, which is why it is not w.run()."""
    r = w.start(flow, *options).finish(limit)
    w.sane(r)
    return r


SECRETS = ["--secret", f"S3={stores.S3_SECRET}", "--secret", f"PG={stores.Postgres.PASSWORD}",
           "--secret", f"MARIA={stores.MariaDB.PASSWORD}", "--secret", "WRONG=wrongsecretkey"]


def unseen(w, r):
    everything = r.out + r.err + w.recorded()
    for text in (stores.S3_SECRET, "wrongsecretkey", "secret\\0", "secret\\\\0"):
        check(text not in everything, f"'{text}' is to be seen\n{r}")


def s3(s, **more):
    return {"to": "s3://backups/nightly", "s3-endpoint": s.url, "s3-access-key": stores.S3_KEY,
            "s3-secret-key": "${{ secrets.S3 }}", **more}


def shop(pg, s, **more):
    return s3(s, **{"source": "postgres", "database": "shop", "host": "127.0.0.1", "port": str(pg.port), "user": "boss",
                    "password": "${{ secrets.PG }}", **more})


def fill(pg, rows=ROWS, wide=0):
    pg.sql("CREATE DATABASE shop")
    pg.sql(f"""
        CREATE TABLE orders (id bigint PRIMARY KEY, what text, at timestamptz);
        INSERT INTO orders SELECT i, 'COPY it (x) FROM stdin; ' || md5(i::text) || repeat(md5((i*7)::text), {wide}), now()
            FROM generate_series(1, {rows}) i;
        CREATE TABLE empty (a int);
        CREATE SCHEMA "Odd one";
        CREATE TABLE "Odd one"."ta""ble" (t text);
        INSERT INTO "Odd one"."ta""ble" VALUES (E'a\\nb'), (E'\\\\.'), (NULL);
        CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$
        -- COPY
        SELECT 1
        $$;
        """, "shop")


@case(limit=120)
def a_database_goes_to_S3_and_comes_back(w):
    """100,000 rows: dumped, verified in a scratch database, pruned by count, listed, restored; nothing is left over."""
    with stores.Postgres(w) as pg, stores.Seaweed(w) as s:
        fill(pg)
        again = shop(pg, s, **{"keep-last": 2})
        flow = w.steps(step("one", **{**again, "verify": True, "compress": "gzip"}) + step("two", **again)
                       + step("three", **again)
                       + step("would", **s3(s, operation="prune", name="shop", **{"keep-last": 1, "dry-run": True}))
                       + step("list", **s3(s, operation="list", name="shop"))
                       + step("check", **{**shop(pg, s), "operation": "verify"})
                       + step("back", **{**shop(pg, s), "operation": "restore", "restore-to": "shop_again"})
                       + "- {name: after, run: 'echo \"${{ toJSON(steps.one.outputs) }} ${{ toJSON(steps.three.outputs) }}\"'}\n")
        r = run(w, flow, *SECRETS, limit=100).exits(0)
        r.says(f"is good: 3 tables, {ROWS + 3} rows", step="one").says(f"is good: 3 tables, {ROWS + 3} rows", step="check")
        r.says("verified: true", f"rows: {ROWS + 3}", "tables: 3", step="after")
        names = s.names()
        check(re.fullmatch(r"nightly/shop-\d{8}T\d{6}Z\.sql\.gz", names[1]) is not None, str(names))
        # The first was verified, so it is kept as the last good one; the newest two by the rule.
        r.equal("how many files", len(names), 9).says("would prune", step="would")
        r.equal("how many rows are back", pg.sql("SELECT count(*) FROM orders", "shop_again"), str(ROWS))
        r.equal("and what is in them", pg.sql("SELECT md5(string_agg(o::text, '' ORDER BY id)) FROM orders o", "shop_again"),
                pg.sql("SELECT md5(string_agg(o::text, '' ORDER BY id)) FROM orders o", "shop"))
        r.equal("databases", pg.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'ostler%'"), "0")
        r.equal("uploads", s.uploads(), 0)
        unseen(w, r)

        # Once a newer one is verified, the older one may go.
        flow = w.steps(step("more", **{**again, "verify": True, "keep-last": 1}))
        r = run(w, flow, *SECRETS).exits(0).says("pruning", step="more")
        r.equal("how many files", len(s.names()), 3)
        manifest = json.loads(s.ask("GET", "/" + "backups/" + [n for n in s.names() if n.endswith(".json")][0]))
        r.equal("tables", manifest["tables"], {"public.orders": ROWS, "public.empty": 0, "\"Odd one\".\"ta\"\"ble\"": 3})


@case(limit=120)
def a_bad_backup_is_found_and_a_stopped_one_is_none(w):
    """A changed byte, a row that is missing, half an object; a wrong key; killed and cancelled in the middle."""
    with stores.Postgres(w) as pg, stores.Seaweed(w) as s:
        fill(pg, rows=2000)
        # Stopped in the middle: 100 MB are a dozen parts.
        pg.sql("CREATE DATABASE big")
        pg.sql("CREATE TABLE noise AS SELECT i, repeat('x', 4000) FROM generate_series(1, 25000) i", "big")
        big = shop(pg, s, database="big", compress="none")
        for how in (signal.SIGINT, signal.SIGKILL):
            job = w.start(w.steps(step("dump", **big)), *SECRETS)
            for _ in range(600):
                if s.uploads():
                    break
                job._pump(0.05)
            check(s.uploads() == 1, "no upload was seen")
            job.send(how)
            r = job.finish(30)
            check(r.code != 0, str(r))
            r.equal(f"backups after {how}", s.names(), [])
            if how == signal.SIGINT:
                r.equal("uploads", s.uploads(), 0)
        flow = w.steps(step("made", **{**shop(pg, s), "compress": "none"})
                       + step("wrong", **{**shop(pg, s, **{"s3-secret-key": "${{ secrets.WRONG }}"}), "continue-on-error": True})
                       + step("nobody", **{**shop(pg, s, password="${{ secrets.WRONG }}"), "continue-on-error": True}))
        r = run(w, flow, *SECRETS).exits(0).concluded(made="success")
        r.says("SignatureDoesNotMatch", "is 's3-secret-key' the one of this 's3-access-key'?", step="wrong")
        r.equal("errors of it", r.log("wrong").count("##[error]"), 1)
        r.says("cannot dump 'shop'", "password authentication failed", step="nobody")
        unseen(w, r)
        names = s.names()
        r.equal("files", len(names), 3)
        file, = [n for n in names if n.endswith(".sql")]
        manifest, = [n for n in names if n.endswith(".json")]
        good, known = s.ask("GET", f"/backups/{file}"), s.ask("GET", f"/backups/{manifest}")

        def verify(text):
            r = run(w, w.steps(step("check", **{**shop(pg, s), "operation": "verify"})), *SECRETS)
            r.exits(1 if text else 0)
            if text:
                r.says("is damaged", text, step="check")
            r.equal("databases", pg.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'ostler%'"), "0")

        verify("")
        s.ask("PUT", f"/backups/{file}", good.replace(b"\n1000\t", b"\n1O00\t", 1))
        verify("its SHA-256 is")
        s.ask("PUT", f"/backups/{file}", good[:len(good) // 2])
        verify("bytes, and had")
        s.ask("PUT", f"/backups/{file}", good)
        s.ask("PUT", f"/backups/{manifest}", known.replace(b'"public.orders": 2000', b'"public.orders": 2001'))
        verify("table public.orders had 2001 rows, and the dump has 2000")


@case(limit=90)
def MariaDB_and_files_go_to_a_folder_and_come_back(w):
    with stores.MariaDB(w) as db:
        db.sql("CREATE DATABASE shop")
        db.sql(r"""
            CREATE TABLE orders (id int PRIMARY KEY, what text, raw blob);
            INSERT INTO orders SELECT seq, concat('(''', seq, char(92), '''), (";', seq, char(10)), unhex('00ff27')
                FROM seq_1_to_20000;
            CREATE TABLE empty (a int);
            CREATE TABLE `od``d one` (a text);
            INSERT INTO `od``d one` VALUES ('x'), (NULL), ('),(');
            DELIMITER ;;
            CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW BEGIN
            INSERT INTO empty VALUES (1),(2);
            END;;
            """, "shop")
        here = {"to": "backups", "source": "mysql", "database": "shop", "host": "127.0.0.1", "port": str(db.port),
                "user": "boss", "password": "${{ secrets.MARIA }}"}
        tree = {"to": "backups", "source": "files", "paths": "tree", "exclude": "*.tmp"}
        flow = w.steps("- run: mkdir -p tree/a && echo one >tree/a/1 && echo two >'tree/- 2' && ln -s a tree/l && touch tree/x.tmp\n"
                       + step("dump", **here, verify=True)
                       + step("back", **{**here, "operation": "restore", "restore-to": "shop_again"})
                       + step("taken", **{**here, "operation": "restore", "restore-to": "shop", "continue-on-error": True})
                       + step("tree", **tree, verify=True)
                       + step("out", **{**tree, "operation": "restore", "restore-to": "out"})
                       + "- {name: after, run: 'diff -r tree/a out/tree/a && cat \"out/tree/- 2\" && test -L out/tree/l && "
                         "test ! -e out/tree/x.tmp && ls backups && (cd backups && sha256sum -c *.sha256)'}\n")
        r = run(w, flow, *SECRETS).exits(0)
        r.says("is good: 3 tables, 20003 rows", step="dump").says("is good: 5 entries", step="tree")
        r.says("cannot make the database 'shop'", step="taken")
        r.says("two", ": OK", step="after").never_says(".part", "FAILED", step="after")
        r.equal("what is back", db.sql("CHECKSUM TABLE orders, empty", "shop_again").replace("shop_again.", "shop."),
                db.sql("CHECKSUM TABLE orders, empty", "shop"))
        r.equal("databases", db.sql("SHOW DATABASES LIKE 'ostler%'"), "")
        unseen(w, r)


@case()
def a_plan_dumps_nothing_and_says_what_would_go(w):
    w.steps(step("dump", **{"to": "s3://backups/x", "database": "shop", "s3-access-key": "nobody's", "s3-secret-key": "key0key0",
                           "verify": True, "keep-days": 30}))
    r = w.ostler_call("run", "--plan").exits(0)
    r.shows("back up shop .*s3://backups/x as shop-TIME.sql.zst", "verify it", "prune s3://backups/x .*keep-days 30")


@case(quick=False, needs=("ssh",), limit=90)
def files_go_to_a_server_by_ssh_if_it_is_the_right_one(w):
    """Many parts, verified; another host key, and none, stop it before anything is sent."""
    with Server() as server:
        folder = server.accounts[0][1] / "back ups"
        secrets = w.root / "secrets"
        secrets.write_text(f'KEY="{(server.place / "id").read_text()}"\n')
        secrets.chmod(0o600)
        name = f"{server.accounts[0][0]}@127.0.0.1:{server.port}"
        there = {"to": f"ssh://{name}{folder}", "source": "files", "paths": "noise", "compress": "none",
                 "ssh-key": "${{ secrets.KEY }}", "ssh-known-hosts": server.known()}
        made = "- run: head -c 9000000 /dev/urandom >noise\n"
        flow = w.steps(made + step("dump", **there, verify=True) + step("list", **{**there, "operation": "list"})
                       + step("stranger", **{**there, "ssh-known-hosts": server.known("other"), "continue-on-error": True})
                       + step("nobody", **{**there, "ssh-known-hosts": "", "continue-on-error": True}))
        r = run(w, flow, "--secret-file", secrets).exits(0)
        r.says("is good: 1 entries", step="dump").says("files-2", ", verified", step="list")
        r.says("Host key verification failed", step="stranger").says("'ssh-known-hosts' is empty", step="nobody")
        names = sorted(p.name for p in folder.iterdir())
        r.equal("how many files", len(names), 3)
        check(not [n for n in names if n.endswith(".part")], str(names))
        r.equal("who may read it", {oct(p.stat().st_mode & 0o777) for p in folder.iterdir()}, {"0o600"})
        check("PRIVATE KEY" not in r.out + r.err, f"the key is in the open\n{r}")


@case(quick=False, needs=("docker", "services"), limit=120)
def a_service_container_is_backed_up_with_its_own_client(w):
    """No port, and no client in the job: dumped, verified and restored by docker exec."""
    there = {"to": "backups", "database": "shop", "user": "postgres", "password": "pgsecret0",
             "container": "${{ job.services.db.id }}"}
    flow = w.steps("- name: fill\n  run: \"docker exec ${{ job.services.db.id }} psql -q -U postgres -d shop -c 'CREATE TABLE a AS SELECT "
                   "generate_series(1, 5000)'\"\n" + step("dump", **there, verify=True)
                   + step("back", **{**there, "operation": "restore", "restore-to": "again"})
                   + "- {name: after, run: \"docker exec ${{ job.services.db.id }} psql -U postgres -d again -Atc 'SELECT count(*) "
                     "FROM a'\"}\n", job="""
        services:
          db:
            image: postgres:15
            env: {POSTGRES_PASSWORD: pgsecret0, POSTGRES_DB: shop}
            options: --health-cmd "pg_isready -h 127.0.0.1" --health-interval 500ms --health-retries 60
        """)
    # The engine's socket of the tests is below /tmp, of which a sandboxed job has one of its own.
    r = w.run(flow, "--isolation", "host", limit=100, code=0)
    r.says("is good: 1 tables, 5000 rows", step="dump").says("restored into 'again'", step="back").says("5000", step="after")
    r.never_says("pgsecret0", step="dump")
