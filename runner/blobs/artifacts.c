/* Artifacts, as version 4 of @actions/artifact has them (runtime contract 13.2 to 13.4). */
#include "blobs/artifacts.h"

#include "base/fd.h"
#include "base/path.h"
#include "blobs/blobs.h"
#include "blobs/fetch.h"
#include "blobs/message.h"
#include "blobs/packer.h"
#include "blobs/service.h"
#include "blobs/upload.h"

#include <strings.h>
#include <time.h>

enum { VERSION = 7, FILES_MAX = 1 << 20, DAYS_MAX = 3650, LEVEL = 6 };

#define SERVICE "ArtifactService"

/* ---- names and types ---- */

int artifacts_check_name(const char *name, bool path, struct err *err)
{
    size_t n = strcspn(name, path ? "\":<>|*?\r\n" : "\":<>|*?\r\n\\/");
    const char bad[2] = {name[n], '\0'};

    if (!*name)
        return err_set(err, ERR_INVALID, "an artifact's name is empty");
    if (!name[n])
        return ERR_OK;
    return err_set(err, ERR_INVALID,
                   "The %s is not valid: %.120s. Contains the following character: %s",
                   path ? "path for one of the files in artifact" : "artifact name", name,
                   *bad == '\r'   ? "Carriage return \\r"
                   : *bad == '\n' ? "Line feed \\n"
                                  : bad);
}

const char *artifacts_type(const char *name)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {"txt", "text/plain"},
        {"html", "text/html"},
        {"htm", "text/html"},
        {"css", "text/css"},
        {"csv", "text/csv"},
        {"xml", "text/xml"},
        {"md", "text/markdown"},
        {"js", "application/javascript"},
        {"mjs", "application/javascript"},
        {"json", "application/json"},
        {"png", "image/png"},
        {"jpg", "image/jpeg"},
        {"jpeg", "image/jpeg"},
        {"gif", "image/gif"},
        {"svg", "image/svg+xml"},
        {"webp", "image/webp"},
        {"ico", "image/x-icon"},
        {"bmp", "image/bmp"},
        {"tiff", "image/tiff"},
        {"tif", "image/tiff"},
        {"mp3", "audio/mpeg"},
        {"wav", "audio/wav"},
        {"ogg", "audio/ogg"},
        {"flac", "audio/flac"},
        {"mp4", "video/mp4"},
        {"webm", "video/webm"},
        {"avi", "video/x-msvideo"},
        {"mov", "video/quicktime"},
        {"pdf", "application/pdf"},
        {"doc", "application/msword"},
        {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
        {"xls", "application/vnd.ms-excel"},
        {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
        {"ppt", "application/vnd.ms-powerpoint"},
        {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
        {"zip", "application/zip"},
        {"tar", "application/x-tar"},
        {"gz", "application/gzip"},
        {"rar", "application/vnd.rar"},
        {"7z", "application/x-7z-compressed"},
        {"wasm", "application/wasm"},
        {"yaml", "application/x-yaml"},
        {"yml", "application/x-yaml"},
        {"woff", "font/woff"},
        {"woff2", "font/woff2"},
        {"ttf", "font/ttf"},
        {"otf", "font/otf"},
        {"eot", "application/vnd.ms-fontobject"},
    };
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && dot != name && i < COUNT_OF(types); i++)
        if (strcasecmp(dot + 1, types[i].end) == 0)
            return types[i].type;
    return "application/octet-stream";
}

/* ---- what the server knows ---- */

/* "2026-01-01T10:00:00Z" and with fractions, as seconds; 0: it is none. */
static int64_t seconds_of(const char *stamp)
{
    struct tm tm = {0};

    if (!stamp || !strptime(stamp, "%Y-%m-%dT%H:%M:%S", &tm))
        return 0;
    int64_t t = timegm(&tm);
    return t > 0 ? t : 0;
}

/* 64 hexadecimal digits behind "sha256:", or nothing. */
static const char *digest_of(const char *text)
{
    if (!text || strncmp(text, "sha256:", 7) != 0 || strlen(text) != 7 + DIGEST_HEX_SIZE - 1 ||
        strspn(text + 7, "0123456789abcdef") != DIGEST_HEX_SIZE - 1)
        return "";
    return text + 7;
}

static json_t *parse_one(const json_t *one)
{
    const char *name = service_text(one, "name");
    const char *run = service_text(one, "workflow_run_backend_id");
    const char *job = service_text(one, "workflow_job_run_backend_id");
    int64_t id = service_number(one, "database_id"), size = service_number(one, "size");

    if (!name || !run || !job || id < 0)
        return NULL;
    return json_pack("{s:s, s:I, s:I, s:I, s:s, s:b, s:s, s:s}", "name", name, "id", (json_int_t)id,
                     "size", (json_int_t)(size < 0 ? 0 : size), "created",
                     (json_int_t)seconds_of(service_text(one, "created_at")), "digest",
                     digest_of(service_text(one, "digest")), "zip", 0, "run", run, "job", job);
}

static int newest_first(const void *a, const void *b)
{
    json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "id"));
    json_int_t y = json_integer_value(json_object_get(*(json_t *const *)b, "id"));

    return x < y ? 1 : x > y ? -1 : 0;
}

json_t *artifacts_parse(const json_t *answer)
{
    const json_t *array = json_object_get(answer, "artifacts"), *one;
    CLEANUP(free_ptr) json_t **list = mem_new((json_array_size(array) + 1) * sizeof *list);
    json_t *all = json_array();
    size_t i, n = 0;

    json_array_foreach (array, i, one) {
        list[n] = parse_one(one);
        n += list[n] != NULL;
    }
    qsort(list, n, sizeof *list, newest_first);
    for (i = 0; i < n; i++)
        if (i < BLOBS_ARTIFACTS_MAX)
            json_array_append_new(all, list[i]);
        else
            json_decref(list[i]);
    return all;
}

/* All of the run, or those with NAME, or with ID. */
static int list(struct carrier *c, const char *name, const char *id, json_t **ret, struct err *err)
{
    json_t *ask = json_object(), *answer = NULL;
    int r = service_add_ids(c, ask, err);

    if (r < 0) {
        json_decref(ask);
        return r;
    }
    if (name)
        json_object_set_new(ask, "name_filter", json_string(name));
    if (id)
        json_object_set_new(ask, "id_filter", json_string(id));
    r = service_call(c, SERVICE, "ListArtifacts", ask, &answer, err);
    if (r == ERR_OK)
        *ret = artifacts_parse(answer);
    json_decref(answer);
    return r;
}

/* Requests for an artifact carry the ids of whoever made it. */
static json_t *ask_for(const json_t *artifact)
{
    return json_pack("{s:O, s:O, s:O}", "workflow_run_backend_id", json_object_get(artifact, "run"),
                     "workflow_job_run_backend_id", json_object_get(artifact, "job"), "name",
                     json_object_get(artifact, "name"));
}

int artifact_list(struct carrier *c, json_t **ret, struct err *err)
{
    json_t *all = NULL;
    int r = list(c, NULL, NULL, &all, err);

    if (r == ERR_OK)
        *ret = json_pack("{s:o}", "items", all);
    return r;
}

int artifact_remove(struct carrier *c, json_t **ret, struct err *err)
{
    json_t *all = NULL, *answer = NULL;
    const char *name;
    int r = message_text(c->ask, "name", &name, err);

    (void)ret;
    if (r == ERR_OK)
        r = artifacts_check_name(name, false, err);
    if (r == ERR_OK)
        r = list(c, name, NULL, &all, err);
    if (r == ERR_OK && json_array_size(all) == 0)
        r = err_set(err, ERR_NOT_FOUND, "the run has no artifact '%.150s'", name);
    if (r == ERR_OK)
        r = service_call(c, SERVICE, "DeleteArtifact", ask_for(json_array_get(all, 0)), &answer,
                         err);
    if (r == ERR_OK && !service_is_ok(answer))
        r = err_set(err, ERR_SYS, "the server does not remove the artifact '%.150s'", name);
    json_decref(answer);
    json_decref(all);
    return r;
}

/* ---- upload ---- */

struct sending {
    struct arena arena;
    const char *name, *root, *type;
    const char *const *files;
    size_t n_files;
    bool raw;
    int64_t days, level;
};

static void sending_deinit(struct sending *s)
{
    arena_deinit(&s->arena);
}

static int take_sending(const struct carrier *c, struct sending *s, struct err *err)
{
    int r = message_text(c->ask, "name", &s->name, err);

    s->raw = json_is_true(json_object_get(c->ask, "raw"));
    if (r == ERR_OK)
        r = message_texts(c->ask, "files", s->raw ? 1 : FILES_MAX, &s->arena, &s->files,
                          &s->n_files, err);
    if (r == ERR_OK && s->raw && !*s->name) /* as GitHub's client, which knows no other name */
        s->name = path_base(s->files[0]);
    if (r == ERR_OK)
        r = artifacts_check_name(s->name, false, err);
    if (r == ERR_OK && !s->raw)
        r = message_text(c->ask, "root", &s->root, err);
    if (r == ERR_OK)
        r = message_number(c->ask, "days", 0, DAYS_MAX, 0, &s->days, err);
    if (r == ERR_OK)
        r = message_number(c->ask, "level", 0, 9, LEVEL, &s->level, err);
    s->type = s->raw ? artifacts_type(s->files ? s->files[0] : "") : "application/zip";
    return r;
}

static json_t *pack_of(const struct carrier *c, const struct sending *s)
{
    return json_pack("{s:s, s:O, s:s*, s:I}", "do", s->raw ? "raw" : "zip", "files",
                     json_object_get(c->ask, "files"), "root", s->root, "level",
                     (json_int_t)s->level);
}

static int create(struct carrier *c, const struct sending *s, json_t **ret, struct err *err)
{
    json_t *ask =
        json_pack("{s:s, s:i, s:s}", "name", s->name, "version", VERSION, "mime_type", s->type);
    int r = service_add_ids(c, ask, err);

    if (r < 0) {
        json_decref(ask);
        return r;
    }
    if (s->days) {
        time_t end = time(NULL) + (time_t)s->days * 86400;
        struct tm tm;
        char stamp[40];

        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&end, &tm));
        json_object_set_new(ask, "expires_at", json_string(stamp));
    }
    r = service_call(c, SERVICE, "CreateArtifact", ask, ret, err);
    if (r == ERR_OK && (!service_is_ok(*ret) || !service_text(*ret, "signed_upload_url")))
        r = err_set(err, ERR_SYS, "CreateArtifact: the server's answer was not ok");
    return r;
}

static int finalize(struct carrier *c, const struct sending *s, const struct uploaded *done,
                    json_t **ret, struct err *err)
{
    char size[24], hash[8 + DIGEST_HEX_SIZE];
    json_t *answer = NULL;

    snprintf(size, sizeof size, "%lld", (long long)done->size);
    snprintf(hash, sizeof hash, "sha256:%s", done->digest);
    json_t *ask = json_pack("{s:s, s:s, s:s}", "name", s->name, "size", size, "hash", hash);
    int r = service_add_ids(c, ask, err);
    if (r == ERR_OK)
        r = service_call(c, SERVICE, "FinalizeArtifact", ask, &answer, err);
    else
        json_decref(ask);
    if (r == ERR_OK && !service_is_ok(answer))
        r = err_set(err, ERR_SYS, "FinalizeArtifact: the server's answer was not ok");
    if (r == ERR_OK)
        *ret = json_pack("{s:s, s:I, s:I, s:I, s:s, s:b}", "name", s->name, "id",
                         (json_int_t)service_number(answer, "artifact_id"), "size",
                         (json_int_t)done->size, "created", (json_int_t)time(NULL), "digest",
                         done->digest, "zip", strcmp(s->type, "application/zip") == 0);
    json_decref(answer);
    return r;
}

int artifact_upload(struct carrier *c, json_t **ret, struct err *err)
{
    CLEANUP(sending_deinit) struct sending s = {0};
    CLEANUP(fd_closep) int in = -1;
    struct packer *p = NULL;
    struct uploaded done;
    json_t *place = NULL;
    int r = take_sending(c, &s, err);

    if (r == ERR_OK)
        r = packer_pipe(c, pack_of(c, &s), &p, &in, err);
    if (r == ERR_OK)
        r = create(c, &s, &place, err);
    if (r == ERR_OK)
        r = upload_packed(c, service_text(place, "signed_upload_url"), s.type, p, in, &done, err);
    if (r == ERR_OK)
        r = finalize(c, &s, &done, ret, err);
    packer_free(p);
    json_decref(place);
    return r;
}

/* ---- download ---- */

static int address_of(struct carrier *c, const json_t *artifact, json_t **ret, struct err *err)
{
    int r = service_call(c, SERVICE, "GetSignedArtifactURL", ask_for(artifact), ret, err);

    if (r == ERR_OK && !service_text(*ret, "signed_url"))
        r = err_set(err, ERR_SYS, "GetSignedArtifactURL: the server told no address");
    return r;
}

/* A zip by its type, or, as for GitHub's clients, by its address. */
static bool is_zip(const struct fetched *got, const char *url)
{
    struct slice path = slice_head(slice_of(url), strcspn(url, "?#"));

    return strcmp(got->type, "application/zip") == 0 ||
           strcmp(got->type, "application/x-zip-compressed") == 0 ||
           strcmp(got->type, "application/zip-compressed") == 0 ||
           (path.len > 4 && slice_eq_nocase(slice_from(path, path.len - 4), SLICE(".zip")));
}

static int put_down(struct carrier *c, const struct fetched *got, const char *dir, bool zip,
                    struct err *err)
{
    struct packer *p = NULL;
    json_t *ask = zip ? json_pack("{s:s, s:s}", "do", "unzip", "dir", dir)
                      : json_pack("{s:s, s:s, s:s}", "do", "keep", "dir", dir, "name",
                                  *got->name ? got->name : "artifact");
    int r = packer_start(c, ask, got->fd, &p, err);

    if (r == ERR_OK)
        r = packer_wait(p, err);
    packer_free(p);
    return r;
}

static int bring(struct carrier *c, json_t *artifact, const char *dir, bool raw, struct err *err)
{
    struct fetched got = {.fd = -1};
    json_t *place = NULL;
    int r = address_of(c, artifact, &place, err);

    if (r == ERR_OK)
        r = fetch(c, service_text(place, "signed_url"), &got, err);
    if (r == ERR_OK) {
        bool zip = is_zip(&got, service_text(place, "signed_url"));

        r = put_down(c, &got, dir, zip && !raw, err);
        json_object_set_new(artifact, "zip", json_boolean(zip));
        json_object_set_new(artifact, "digest", json_string(got.digest));
    }
    fd_closep(&got.fd);
    json_decref(place);
    return r;
}

int artifact_download(struct carrier *c, json_t **ret, struct err *err)
{
    bool raw = json_is_true(json_object_get(c->ask, "raw"));
    json_t *all = NULL;
    const char *dir;
    char digits[24];
    int64_t id;
    int r = message_text(c->ask, "dir", &dir, err);

    if (r == ERR_OK)
        r = message_number(c->ask, "id", 0, INT64_MAX, -1, &id, err);
    if (r < 0)
        return r;
    snprintf(digits, sizeof digits, "%lld", (long long)id);
    r = list(c, NULL, digits, &all, err);
    if (r == ERR_OK && json_array_size(all) == 0)
        r = err_set(err, ERR_NOT_FOUND, "the run has no artifact with the id %s", digits);
    if (r == ERR_OK)
        r = bring(c, json_array_get(all, 0), dir, raw, err);
    if (r == ERR_OK)
        *ret = json_incref(json_array_get(all, 0));
    json_decref(all);
    return r;
}
