#include "plugin/release.h"

#include "base/path.h"
#include "io/digest_ed25519.h"
#include "plugin/version.h"

#include <fcntl.h>

void release_deinit(struct release *r)
{
    buf_deinit(&r->record);
    buf_deinit(&r->signature);
}

int release_complete(struct plugin *p, const char *const *serves, struct err *err)
{
    size_t n = 0;

    for (; serves && serves[n]; n++)
        if (ref_kind(slice_of(serves[n])) != REF_COMMIT)
            return err_set(err, ERR_INVALID, "'%.80s' is not a full commit id", serves[n]);
    const char **list = arena_array(&p->arena, n + 1, sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = arena_str(&p->arena, slice_of(serves[i]));
    p->serves = list;
    if (p->protocol == PLUGIN_OBJECT)
        p->object = arena_printf(&p->arena, "%s.so", strrchr(p->id, '/') + 1);
    return ERR_OK;
}

int release_record(const struct plugin *p, struct buf *to, struct err *err)
{
    json_t *json = plugin_to_json(p);
    CLEANUP(free_ptr) char *text = json_dumps(json, JSON_INDENT(2));

    json_decref(json);
    buf_add_str(to, text);
    buf_add_char(to, '\n');
    return buf_check(to, "the install record", err);
}

/* ---- beside the object ---- */

static char *beside(const char *file, const char *ending)
{
    struct buf path = BUF_INIT(1 << 16);

    buf_printf(&path, "%s%s", file, ending);
    return buf_take(&path);
}

/* An absent file is an empty one. */
static int read_beside(const char *path, struct buf *to, struct err *err)
{
    int r = path_read(AT_FDCWD, path, to, err);

    if (r == ERR_NOT_FOUND)
        return *err = (struct err)ERR_INIT, ERR_OK;
    return r < 0 ? err_in(err, "'%s'", path) : r;
}

/* Does the record say of the object what that says itself? Which commits it serves, only the author knows. */
static bool agrees(const struct plugin *record, const struct plugin *p)
{
    json_t *said = plugin_to_json(record), *is = plugin_to_json(p);

    json_object_del(said, "serves");
    json_object_del(is, "serves");
    bool same = json_equal(said, is);
    json_decref(said);
    json_decref(is);
    return same;
}

static int take_record(const char *path, struct slice text, struct plugin *p, struct err *err)
{
    json_t *json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    struct plugin *record = NULL;
    int r =
        json ? plugin_from_json(json, &record, err) : err_set(err, ERR_INVALID, "it is no JSON");

    json_decref(json);
    if (r < 0)
        return err_in(err, "'%s'", path);
    if (agrees(record, p))
        r = release_complete(p, record->serves, err);
    else
        r = err_set(err, ERR_INVALID,
                    "'%s' is the record of another object, '%s %s' (sign this one: 'ostler plugin "
                    "sign', or remove the record)",
                    path, record->id, record->version);
    plugin_free(record);
    return r;
}

int release_read(const char *file, struct plugin *p, struct release *ret, struct err *err)
{
    CLEANUP(free_ptr) char *record = beside(file, ".json");
    CLEANUP(free_ptr) char *signature = beside(file, ".json.sig");
    int r = read_beside(record, &ret->record, err);

    if (r == ERR_OK)
        r = read_beside(signature, &ret->signature, err);
    if (r < 0)
        return r;
    if (ret->signature.len && !ret->record.len)
        return err_set(err, ERR_INVALID,
                       "'%s' signs '%s', which is missing (get it from where the plugin came from)",
                       signature, record);
    if (ret->signature.len && ret->signature.len != ED25519_SIGNATURE_SIZE)
        return err_set(err, ERR_INVALID, "'%s' has %zu bytes, and a signature has %d", signature,
                       ret->signature.len, ED25519_SIGNATURE_SIZE);
    return ret->record.len ? take_record(record, buf_slice(&ret->record), p, err) : r;
}

int release_sign(const char *file, const struct plugin *p, struct slice pem, struct err *err)
{
    CLEANUP(free_ptr) char *record = beside(file, ".json");
    CLEANUP(free_ptr) char *signature = beside(file, ".json.sig");
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(PLUGIN_RECORD_MAX);
    unsigned char key[ED25519_KEY_SIZE], sum[ED25519_SIGNATURE_SIZE];
    int r = ed25519_private(pem, key, err);

    if (r == ERR_OK)
        r = release_record(p, &text, err);
    if (r == ERR_OK)
        ed25519_sign(key, buf_slice(&text), sum);
    explicit_bzero(key, sizeof key);
    if (r == ERR_OK)
        r = path_write(AT_FDCWD, record, buf_slice(&text), 0644, err);
    if (r == ERR_OK)
        r = path_write(AT_FDCWD, signature, slice_make((const char *)sum, sizeof sum), 0644, err);
    return r;
}
