"""Container images as files, made without an engine: busybox of this machine in layers, in each form that tools write."""

import gzip
import hashlib
import io
import json
import pathlib
import shutil
import subprocess
import tarfile

OCI, DOCKER = "application/vnd.oci.image", "application/vnd.docker"


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(files):
    """A tar of FILES, {name: bytes, or where a link leads}; the same for the same files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode = 0o755
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


class Image:
    """Busybox in the first layer, MORE files in one layer each."""

    def __init__(self, *more, architecture="amd64", busybox=True):
        base = {"bin/busybox": pathlib.Path("/bin/busybox").read_bytes(), "bin/sh": "busybox", "bin/cat": "busybox",
                "bin/ls": "busybox"}
        self.layers = [layer(base)] if busybox else []
        self.layers += [layer(files) for files in more]
        self.architecture = architecture
        self.config = json.dumps({
            "architecture": architecture, "os": "linux", "created": "2026-01-01T00:00:00Z",
            "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": [sha(one) for one in self.layers]}}).encode()

    @property
    def id(self):
        return sha(self.config)

    # -- docker-archive --

    def archive(self, path, tag="team/app:1", links=False):
        """As `docker save` before 25 wrote it, manifest.json last; LINKS: as skopeo and buildah write it."""
        with tarfile.open(path, "w") as tar:
            def add(name, data):
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))

            names = []
            for number, data in enumerate(self.layers):
                folder = hashlib.sha256(b"%d" % number + data).hexdigest()
                names.append(f"{folder}/layer.tar" if not links else f"{sha(data)[7:]}.tar")
                if links:
                    add(names[-1], data)
                    entry = tarfile.TarInfo(f"{folder}/layer.tar")
                    entry.type, entry.linkname = tarfile.SYMTYPE, f"../{names[-1]}"
                    tar.addfile(entry)
                    names[-1] = entry.name  # by its old name
                else:
                    add(f"{folder}/VERSION", b"1.0")
                    add(names[-1], data)
            add(f"{self.id[7:]}.json", self.config)
            add("manifest.json", json.dumps([{"Config": f"{self.id[7:]}.json", "RepoTags": [tag], "Layers": names}]).encode())
        return path

    # -- OCI layouts --

    def put(self, place, packed=True):
        """Its blobs below the layout PLACE; its descriptor."""
        def blob(data):
            path = place / "blobs" / "sha256" / sha(data)[7:]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            return {"digest": sha(data), "size": len(data)}

        layers = [{"mediaType": f"{OCI}.layer.v1.tar" + ("+gzip" if packed else ""),
                   **blob(gzip.compress(one, 6, mtime=1) if packed else one)} for one in self.layers]
        # with blanks and an annotation: to be sent as it is, byte for byte
        manifest = json.dumps({"schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json",
                               "config": {"mediaType": f"{OCI}.config.v1+json", **blob(self.config)},
                               "layers": layers, "annotations": {"test": "ä"}}, indent=3).encode()
        return {"mediaType": f"{OCI}.manifest.v1+json", **blob(manifest),
                "platform": {"os": "linux", "architecture": self.architecture}}

    def layout(self, place, packed=True):
        return layout(place, [self.put(place, packed)])


def layout(place, descriptors):
    place.mkdir(parents=True, exist_ok=True)
    (place / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (place / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": descriptors}))
    return place


def nested(place, *images):
    """A layout whose index.json has one index of IMAGES; the digest of that."""
    index = json.dumps({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json",
                        "manifests": [one.put(place) for one in images]}, indent=1).encode()
    (place / "blobs" / "sha256" / sha(index)[7:]).write_bytes(index)
    layout(place, [{"mediaType": f"{OCI}.index.v1+json", "digest": sha(index), "size": len(index),
                    "annotations": {"org.opencontainers.image.ref.name": "1"}}])
    return sha(index)


def tarred(folder, path, program=None):
    """The FOLDER as a tar, packed as a whole with PROGRAM ("gzip", "zstd")."""
    with tarfile.open(path, "w") as tar:
        tar.add(folder, arcname=".")
    if program:
        with open(f"{path}.packed", "wb") as to:
            subprocess.run([program, "-c", path], stdout=to, check=True)
        shutil.move(f"{path}.packed", path)
    return path
