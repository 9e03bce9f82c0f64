/* ostler/ext.h - services a host may lack: step->host->extension(step, OST_EXT_...). The id carries
 * the revision; a released table changes only by appending. */
#ifndef OSTLER_EXT_H
#define OSTLER_EXT_H
#include <ostler/plugin.h>
#define OST_EXT_PROGRESS "ostler.progress/1" /* for whoever watches; a log has a line of it now and then */
struct ost_progress_v1 {
    uint32_t struct_size;
    /* LABEL says what is being done, DONE of TOTAL (any unit; -1: unknown) how far it is. Call it as often as you like:
     * the host shows the latest, a few times a second. */
    void (*update)(struct ost_step *, const char *label, int64_t done, int64_t total);
};

#define OST_EXT_HTTP "ostler.http/1" /* through the runner: its proxy, CA store, retries and host policy */
struct ost_http_request {
    uint32_t struct_size, retries;
    const char *method, *url;
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    const void *body;
    size_t body_size;
    const char *save_to;        /* stream the answer into this file; NULL: into memory, 8 MiB at most */
    int64_t timeout_ms;         /* for the whole exchange; 0: 60 s */
};
struct ost_http_response {
    uint32_t struct_size;
    int32_t status;
    const char *body;
    size_t body_size;
    const char *headers; /* as they came, a line each; bytes that are not ASCII are '?' */
};
struct ost_http_v1 {
    uint32_t struct_size;       /* an answer of any status, 500 too, is OST_OK */
    ost_status (*fetch)(struct ost_step *, const struct ost_http_request *, struct ost_http_response *);
};

#define OST_EXT_BLOBS "ostler.blobs/1" /* the job's cache and artifact services, as actions see them */
struct ost_blobs_v1 {
    uint32_t struct_size;
    ost_status (*cache_restore)(struct ost_step *, const char *const *paths, const char *const *keys,
                                const char **hit); /* *HIT: the key found, NULL: none; OST_OK both ways */
    ost_status (*cache_save)(struct ost_step *, const char *const *paths, const char *key);
    ost_status (*artifact_put)(struct ost_step *, const char *name, const char *const *paths, int32_t days);
    ost_status (*artifact_get)(struct ost_step *, const char *name, const char *dir);
};

#define OST_EXT_MASK "ostler.mask/1" /* for what leaves the job by other ways than its log */
struct ost_mask_v1 {
    uint32_t struct_size;
    /* *RET is TEXT with "***" for each of the job's secrets, as its log would have it. */
    ost_status (*apply)(struct ost_step *, const char *text, const char **ret);
};

/* ---- the same services with all that the actions of that name can ask of them ----
 * Each is NULL where the job has no such service. Paths are the job's, absolute unless said. A missing
 * service behind the table, a refusal and a broken transfer are OST_E_IO; last_error() says which. */

#define OST_EXT_CACHE "ostler.cache/1"
enum {
    OST_CACHE_LOOKUP = 1 << 0,  /* restore: find it, fetch nothing */
    OST_CACHE_CROSS_OS = 1 << 1 /* good for other systems, too: part of what tells versions apart */
};
struct ost_cache_query {
    uint32_t struct_size, flags;
    const char *const *paths; /* patterns as they stand below `path:`; they tell versions apart, too */
    const char *const *keys;  /* the primary key, then beginnings of others; 10 at most, 512 bytes each */
};
struct ost_cache_entry {
    uint32_t struct_size;
    int32_t exact;   /* the primary key itself; case does not matter */
    const char *key; /* NULL: there is none */
    int64_t size;    /* bytes of the archive; 0 when it was only looked up */
};
struct ost_cache_v1 {
    uint32_t struct_size;
    /* OST_OK also when nothing is found. OST_E_INVALID: a key or path that no cache can have. */
    ost_status (*restore)(struct ost_step *, const struct ost_cache_query *, struct ost_cache_entry *);
    /* Under the primary key. OST_E_DENIED: it is there already or being written; OST_E_NOT_FOUND: no file. */
    ost_status (*save)(struct ost_step *, const struct ost_cache_query *, struct ost_cache_entry *);
};

#define OST_EXT_ARTIFACTS "ostler.artifacts/1"
enum { OST_ARTIFACT_RAW = 1 << 0 }; /* the one file as it is, not in a zip; download: do not unzip */
struct ost_artifact {
    uint32_t struct_size;
    int32_t zip;        /* its content is a zip */
    int64_t id, size;   /* bytes */
    int64_t created;    /* seconds since 1970 */
    const char *name;
    const char *digest; /* SHA-256 of the content, lower-case hex; "": not known */
};
struct ost_artifact_upload {
    uint32_t struct_size, flags;
    const char *name;         /* raw: "" for that of the file */
    const char *root;         /* names in the zip are relative to it */
    const char *const *files; /* below root, NULL-terminated; links are followed */
    int32_t days;             /* 0: the service's own */
    int32_t level;            /* of compression, 0 to 9 */
};
struct ost_artifact_download {
    uint32_t struct_size, flags;
    int64_t id;
    const char *dir; /* made where it is missing; files in it are overwritten */
};
struct ost_artifacts_v1 {
    uint32_t struct_size;
    /* Those of this run, the newest first; 1,000 at most. */
    ost_status (*list)(struct ost_step *, const struct ost_artifact *const **items, size_t *n);
    /* OST_E_DENIED: the run has one of that name. */
    ost_status (*upload)(struct ost_step *, const struct ost_artifact_upload *, struct ost_artifact *);
    /* The digest in the answer is that of what came. */
    ost_status (*download)(struct ost_step *, const struct ost_artifact_download *, struct ost_artifact *);
    ost_status (*remove)(struct ost_step *, const char *name); /* OST_E_NOT_FOUND: there is none */
};

#define OST_EXT_FILES "ostler.files/1" /* GitHub's patterns: *, ?, **, [], ~, !excluded, # comments */
enum {
    OST_GLOB_LINKS = 1 << 0,     /* follow symbolic links to folders */
    OST_GLOB_INSIDE = 1 << 1,    /* a folder that matches stands for all that is in it */
    OST_GLOB_FOLDERS = 1 << 2,   /* folders are results, too */
    OST_GLOB_NO_HIDDEN = 1 << 3  /* nothing on the way, its first step included, that begins with a dot */
};
struct ost_files_v1 {
    uint32_t struct_size;
    /* Relative patterns begin at the workspace. Absolute paths in the order of GitHub's walk. */
    ost_status (*glob)(struct ost_step *, const char *const *patterns, uint32_t flags,
                       const char *const **paths, size_t *n);
    /* Where a walk for the patterns begins: the part of each before its first wildcard, none below another. */
    ost_status (*roots)(struct ost_step *, const char *const *patterns, const char *const **paths, size_t *n);
    /* As hashFiles() has it, "--follow-symbolic-links" in front included; *HEX is "" when nothing matches. */
    ost_status (*hash)(struct ost_step *, const char *const *patterns, const char **hex);
};

#define OST_EXT_SOURCE "ostler.source/1" /* source code that is on this machine: a local run's own tree, clones it knows */
enum { OST_SOURCE_CLEAN = 1 << 0 }; /* what lies at PATH is removed first; else nothing may lie there */
struct ost_source_query {
    uint32_t struct_size, flags;
    const char *repository; /* "owner/name" */
    const char *ref;        /* as under `with:`; "": what the run is for, or the default branch */
    const char *path;       /* where it is to be: absolute, in the workspace */
};
struct ost_source {
    uint32_t struct_size;
    int32_t shown;      /* it is at PATH, all of it, and stands for REF and COMMIT */
    const char *folder; /* else: the repository that has COMMIT, to fetch it from; absolute */
    const char *origin; /* where that is a clone of; "": nobody knows */
    const char *ref;    /* "refs/heads/main"; "": the commit alone was asked for */
    const char *commit; /* 40 or 64 hex digits */
};
struct ost_source_v1 {
    uint32_t struct_size;
    /* OST_E_NOT_FOUND: it is not here, so fetch it. OST_E_DENIED: and nothing may be fetched. */
    ost_status (*find)(struct ost_step *, const struct ost_source_query *, struct ost_source *);
};

#define OST_EXT_MIRROR "ostler.mirror/1" /* whole copies of servers' repositories, that the runner keeps */
enum { OST_MIRROR_MAKE = 1 << 0 }; /* one that is not there is made; else OST_E_NOT_FOUND */
struct ost_mirror_query {
    uint32_t struct_size, flags;
    const char *url;    /* "https://HOST/OWNER/NAME" */
    const char *header; /* "Name: value", that proves to the server who asks; "": nothing does */
};
struct ost_mirror_v1 {
    uint32_t struct_size;
    /* Brings the mirror up to date, and shows it: *PATH is a bare repository to fetch from, with all branches and
     * tags under their names. Any failure means that there is none now, and nothing more. */
    ost_status (*show)(struct ost_step *, const struct ost_mirror_query *, const char **path);
};
#endif
