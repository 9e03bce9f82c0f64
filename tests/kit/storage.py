"""What GitHub's results service keeps for jobs: artifacts (the fourth kind), caches (the second), and the blobs of both.

A mixin of a Double. The blobs take Azure's ways to write: in one piece, in blocks with a list, by appending. The two services
are at the root of their host, whatever path ACTIONS_RESULTS_URL has: GitHub's own clients ask there."""

import re
import secrets

from double import Answer, parse

ARTIFACTS = "twirp/github.actions.results.api.v1.ArtifactService/"
CACHES = "twirp/github.actions.results.api.v1.CacheService/"
AZURE = {"x-ms-request-id": "1", "x-ms-version": "2020-10-02", "ETag": '"0x1"'}


class Blob:
    def __init__(self):
        self.data, self.blocks, self.kind, self.sealed = b"", {}, None, False
        self.type = "application/octet-stream"  # that it is given back with


class Storage:
    """Mixin: expects complain() and url."""

    whole_blobs = True  # one may be put in a single request; a Gitea takes that, answers, and has nothing

    def prepare_storage(self):
        self.blobs, self.artifacts, self.caches = {}, {}, {}

    def new_blob(self, name=None):
        name = name or f"{len(self.blobs)}-{secrets.token_hex(4)}"
        self.blobs[name] = Blob()
        return name

    def blob_url(self, name):
        return f"{self.url}/blob/{name}?sig={secrets.token_hex(8)}"

    def blob(self, call):
        """A request below /blob/."""
        blob = self.blobs.get(call.path.rpartition("/")[2])
        if blob is None or "sig" not in call.query:
            self.complain(f"blob: no such address: {call.method} {call.path}")
            return Answer(404)
        if call.headers.get("Authorization"):
            self.complain("blob: a token where the address is enough")
        if call.method in ("GET", "HEAD"):
            return self.read_blob(blob, call)
        if call.method != "PUT":
            self.complain(f"blob: {call.method}")
            return Answer(405)
        return self.write_blob(blob, call, call.query.get("comp", [""])[0].lower())

    @staticmethod
    def read_blob(blob, call):
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", call.headers.get("x-ms-range") or call.headers.get("Range") or "")
        if not asked:
            return Answer(body=blob.data, type=blob.type, headers={"Accept-Ranges": "bytes", **AZURE})
        first, last = int(asked[1]), min(int(asked[2] or 1 << 62), len(blob.data) - 1)
        return Answer(206, blob.data[first:last + 1], blob.type,
                      {"Content-Range": f"bytes {first}-{last}/{len(blob.data)}", **AZURE})

    def write_blob(self, blob, call, kind):
        if blob.sealed:
            self.complain("blob: it is sealed")
            return Answer(409, headers=AZURE)
        blob.type = call.headers.get("x-ms-blob-content-type", blob.type)
        if kind == "block":
            blob.blocks[call.query["blockid"][0]] = call.raw
        elif kind == "blocklist":
            try:
                blob.data = b"".join(blob.blocks[i] for i in re.findall(r"<(?:Latest|Uncommitted)>([^<]+)<", call.raw.decode()))
            except KeyError as error:
                self.complain(f"blob: its list has a block that never came, {error}")
                return Answer(400, headers=AZURE)
        elif kind == "appendblock":
            if blob.kind != "AppendBlob":
                self.complain("blob: appended to, and it was not created for that")
                return Answer(409, headers=AZURE)
            blob.data += call.raw
            blob.sealed = call.query.get("seal") == ["true"] or call.headers.get("x-ms-blob-sealed", "").lower() == "true"
        elif kind == "seal":
            blob.sealed = True
        elif kind:
            self.complain(f"blob: comp={kind}")
            return Answer(400, headers=AZURE)
        else:
            if not self.whole_blobs:
                self.complain("blob: put as a whole, not as blocks and their list")
            blob.kind = call.headers.get("x-ms-blob-type")
            if blob.kind not in ("BlockBlob", "AppendBlob"):
                self.complain(f"blob: x-ms-blob-type is {blob.kind!r}")
            if blob.kind == "AppendBlob" and call.raw:
                self.complain("blob: one to append to is created empty")
            blob.data = call.raw
        return Answer(201, headers=AZURE)

    # -- artifacts and caches: RUN and SCOPE say whose --

    def stored(self, call, what, run, scope, job=""):
        """A call of one of the two services, WHAT behind its path. RUN: of the artifacts; SCOPE: of the caches."""
        try:
            data = call.data = parse(call.raw)
        except ValueError as error:
            self.complain(f"{call.name}: {error}")
            return Answer(400, {"code": "malformed", "msg": str(error)})
        if what in ("CreateCacheEntry", "FinalizeCacheEntryUpload", "GetCacheEntryDownloadURL"):
            return getattr(self, what)(data, scope)
        if what not in ("CreateArtifact", "FinalizeArtifact", "ListArtifacts", "GetSignedArtifactURL", "DeleteArtifact"):
            self.complain(f"{call.name}: no such call")
            return Answer(404, {"code": "bad_route", "msg": "no handler"})
        if what == "GetSignedArtifactURL" and job:  # the job that made it, as the list says
            job = self.artifacts.get((run, data.get("name")), {}).get("job", job)
        if data.get("workflow_run_backend_id", run) != run or (job and data.get("workflow_job_run_backend_id", job) != job):
            self.complain(f"{call.name}: the run and job are not those of the token")
        return getattr(self, what)(data, run)

    def CreateArtifact(self, data, run):
        if (run, data.get("name")) in self.artifacts:
            return Answer(409, {"code": "already_exists", "msg": "an artifact with this name already exists"})
        name = self.new_blob()
        self.artifacts[run, data.get("name")] = {"blob": name, "id": str(len(self.artifacts) + 1), "done": False,
                                                 "job": data.get("workflow_job_run_backend_id", "")}
        return Answer(body={"ok": True, "signed_upload_url": self.blob_url(name)})

    def FinalizeArtifact(self, data, run):
        found = self.artifacts.get((run, data.get("name")))
        if not found:
            return Answer(404, {"code": "not_found", "msg": "artifact not found"})
        found["done"], found["digest"] = True, data.get("hash")
        if int(data.get("size", -1)) != len(self.blobs[found["blob"]].data):
            self.complain(f"FinalizeArtifact: size {data.get('size')}, there are {len(self.blobs[found['blob']].data)} bytes")
        return Answer(body={"ok": True, "artifact_id": found["id"]})

    def ListArtifacts(self, data, run):
        wanted = data.get("name_filter")
        rows = [{"name": name, "database_id": a["id"], "workflow_run_backend_id": run, "workflow_job_run_backend_id": a["job"],
                 "size": str(len(self.blobs[a["blob"]].data)), "created_at": "2026-08-01T10:00:00Z",
                 **({"digest": a["digest"]} if a.get("digest") else {})}
                for (of, name), a in self.artifacts.items() if of == run and a["done"] and wanted in (None, name)]
        return Answer(body={"artifacts": rows})

    def GetSignedArtifactURL(self, data, run):
        found = self.artifacts.get((run, data.get("name")))
        return Answer(body={"signed_url": self.blob_url(found["blob"])}) if found else \
            Answer(404, {"code": "not_found", "msg": "artifact not found"})

    def DeleteArtifact(self, data, run):
        found = self.artifacts.pop((run, data.get("name")), None)
        return Answer(body={"ok": True, "artifact_id": found["id"]}) if found else \
            Answer(404, {"code": "not_found", "msg": "artifact not found"})

    def CreateCacheEntry(self, data, scope):
        key = (scope, data.get("version"), data.get("key"))
        if key in self.caches:
            return Answer(body={"ok": False})
        name = self.new_blob()
        self.caches[key] = {"blob": name, "done": False}
        return Answer(body={"ok": True, "signed_upload_url": self.blob_url(name)})

    def FinalizeCacheEntryUpload(self, data, scope):
        found = self.caches.get((scope, data.get("version"), data.get("key")))
        if not found or int(data.get("size_bytes", -1)) != len(self.blobs[found["blob"]].data):
            self.complain("FinalizeCacheEntryUpload: no such entry, or of another size")
            return Answer(404, {"code": "not_found", "msg": "cache entry not found"})
        found["done"] = True
        return Answer(body={"ok": True, "entry_id": "1"})

    def GetCacheEntryDownloadURL(self, data, scope):
        exact = self.caches.get((scope, data.get("version"), data.get("key")))
        if exact and exact["done"]:
            return Answer(body={"ok": True, "signed_download_url": self.blob_url(exact["blob"]), "matched_key": data["key"]})
        for start in [data.get("key", ""), *data.get("restore_keys", [])]:
            for (of, version, key), entry in reversed(self.caches.items()):
                if of == scope and version == data.get("version") and key.startswith(start) and entry["done"]:
                    return Answer(body={"ok": True, "signed_download_url": self.blob_url(entry["blob"]), "matched_key": key})
        return Answer(body={"ok": False})
