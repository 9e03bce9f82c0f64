"""What ostler/backup is tested against, all of it real: PostgreSQL, MariaDB, and SeaweedFS, an S3-compatible server that
checks signatures. Each belongs to one case, runs as who runs the case (databases of root's as the account that their
package made), and is gone at its end."""

import glob
import hashlib
import hmac
import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from http.client import HTTPConnection

from world import check

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEED = ROOT / "build" / "tools" / "weed"
S3_KEY, S3_SECRET = "AKIAOSTLER", "s3secretkey0"


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def wait(what, ready, process, log):
    for _ in range(400):
        if ready():
            return
        check(process.poll() is None, f"{what} ended: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
    raise AssertionError(f"{what} is not ready: {log.read_text(errors='replace')[-2000:]}")


class Server:
    """A process with a folder; `with` ends it."""

    def begin(self, what, argv, folder, ready, user=None, env=None):
        self.log = folder / "server.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=user,
                                            env=env, start_new_session=True)
        wait(what, ready, self.process, self.log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Seaweed(Server):
    def __init__(self, w):
        check(WEED.is_file(), "build/tools/weed is missing: tests/run.sh fetches it")
        self.folder = w.root / "weed"
        self.folder.mkdir()
        (self.folder / "s3.json").write_text(json.dumps({"identities": [
            {"name": "ci", "credentials": [{"accessKey": S3_KEY, "secretKey": S3_SECRET}], "actions": ["Admin"]}]}))
        s3, master, volume, filer, *grpc = self.ports = self._ports()
        self.url = f"http://127.0.0.1:{s3}"
        ports = [f"-{name}={port}" for name, port in (
            ("s3.port", s3), ("master.port", master), ("volume.port", volume), ("filer.port", filer),
            ("s3.port.grpc", grpc[0]), ("master.port.grpc", grpc[1]), ("volume.port.grpc", grpc[2]),
            ("filer.port.grpc", grpc[3]), ("s3.port.iceberg", 0), ("s3.port.lance", 0))]
        self.begin("SeaweedFS", [WEED, "mini", "-dir=.", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.config=s3.json",
                                 "-bucket=backups", "-admin.ui=false", "-webdav=false", *ports], self.folder, self._ready,
                   env={**os.environ, "HOME": str(self.folder)})

    @staticmethod
    def _ports():
        """It keeps sockets in /tmp by the numbers of its ports and removes what is there before: what a killed one of
        another account left, it cannot."""
        while any(Seaweed._sockets(ports := free_ports(8))):
            pass
        return ports

    @staticmethod
    def _sockets(ports):
        return [path for port in ports for path in glob.glob(f"/tmp/seaweedfs-*-{port}.sock")]

    def __exit__(self, *exception):
        super().__exit__(*exception)
        for path in self._sockets(self.ports):
            pathlib.Path(path).unlink(missing_ok=True)

    def _ready(self):
        try:
            return b"<Name>backups<" in self.ask("GET", "/")
        except (AssertionError, OSError):
            return False

    def ask(self, method, path, body=b""):
        """Signed here, and not by our code."""
        path, _, query = path.partition("?")
        query = "&".join(sorted(query.replace("/", "%2F").split("&")))
        now, payload = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), hashlib.sha256(body).hexdigest()
        host, names = self.url[7:], "host;x-amz-content-sha256;x-amz-date"
        whole = f"{method}\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:{payload}\nx-amz-date:{now}\n\n{names}\n{payload}"
        scope = f"{now[:8]}/us-east-1/s3/aws4_request"
        key = ("AWS4" + S3_SECRET).encode()
        for part in *scope.split("/"), f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(whole.encode()).hexdigest()}":
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        http = HTTPConnection(host, timeout=20)
        try:
            http.request(method, path + "?" + query if query else path, body, {
                "Authorization": f"AWS4-HMAC-SHA256 Credential={S3_KEY}/{scope},SignedHeaders={names},Signature={key.hex()}",
                "x-amz-content-sha256": payload, "x-amz-date": now})
            answer = http.getresponse()
            text = answer.read()
        finally:
            http.close()
        check(answer.status < 300, f"{method} {path}: {answer.status} {text[:300]}")
        return text

    def names(self, prefix=""):
        text = self.ask("GET", f"/backups?list-type=2&prefix={prefix}").decode()
        return sorted(x.split("</Key>")[0] for x in text.split("<Key>")[1:])

    def uploads(self):
        """Those that are neither completed nor aborted."""
        return self.ask("GET", "/backups?uploads=").decode().count("<UploadId>")


class Postgres(Server):
    """Superuser "boss", password "pgsecret0", by TCP with scram; a password is asked for."""

    PASSWORD = "pg:secret\\0"

    def __init__(self, w):
        bins = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        check(bins, "PostgreSQL is missing")
        # Not below the case's root: that is for root alone, and PostgreSQL refuses to be root.
        self.bin, self.folder = pathlib.Path(bins[-1]), pathlib.Path(tempfile.mkdtemp(prefix="ostpg."))
        user = "postgres" if os.geteuid() == 0 else None
        password = self.folder / "password"
        password.write_text(self.PASSWORD + "\n")
        if user:
            for path in (self.folder, password):
                os.chown(path, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        subprocess.run([self.bin / "initdb", "-N", "-A", "scram-sha-256", "-U", "boss", f"--pwfile={password}", "-D",
                        self.folder / "data", "--locale=C", "-E", "UTF8"], cwd=self.folder, user=user, check=True,
                       capture_output=True)
        password.unlink()
        self.port, = free_ports(1)
        self.begin("PostgreSQL", [self.bin / "postgres", "-D", "data", "-p", str(self.port), "-k", "", "-c", "fsync=off",
                                  "-c", "listen_addresses=127.0.0.1"], self.folder, self._ready, user=user)

    def _ready(self):
        return subprocess.run([self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0

    def sql(self, text, database="postgres"):
        done = subprocess.run([self.bin / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p",
                               str(self.port), "-U", "boss", "-d", database], input=text, capture_output=True, text=True,
                              env={**os.environ, "PGPASSWORD": self.PASSWORD})
        check(done.returncode == 0, done.stderr)
        return done.stdout.strip()


class MariaDB(Server):
    PASSWORD = 'maria"se\\cret0'

    def __init__(self, w):
        check(shutil.which("mariadbd", path="/usr/sbin"), "MariaDB is missing")
        self.folder = w.root / "maria"
        self.folder.mkdir()
        self.port, = free_ports(1)
        (self.folder / "init.sql").write_text(
            "CREATE USER 'boss'@'%' IDENTIFIED BY 'maria\"se\\\\cret0';\nGRANT ALL ON *.* TO 'boss'@'%' WITH GRANT OPTION;\n")
        me = pwd.getpwuid(os.geteuid()).pw_name
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data", f"--user={me}",
                        "--auth-root-authentication-method=socket", "--skip-test-db", "--innodb-flush-method=nosync"],
                       cwd=self.folder, check=True, capture_output=True, env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/bin"})
        self.begin("MariaDB", ["/usr/sbin/mariadbd", "--no-defaults", f"--datadir={self.folder}/data", f"--user={me}",
                               f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.folder}/s",
                               f"--init-file={self.folder}/init.sql", "--skip-name-resolve", "--innodb-flush-method=nosync"],
                   self.folder, self._ready)

    def _ready(self):
        try:
            return self.sql("SELECT 1") == "1"
        except AssertionError:
            return False

    def sql(self, text, database=""):
        done = subprocess.run(["mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", str(self.port), "-u", "boss", "-N", "-B",
                               *([database] if database else [])], input=text, capture_output=True, text=True,
                              env={**os.environ, "MYSQL_PWD": self.PASSWORD})
        check(done.returncode == 0, done.stderr)
        return done.stdout.strip()
