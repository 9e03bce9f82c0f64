#include "plugin/install.h"

#include "base/fd.h"
#include "base/path.h"
#include "plugin/host/host.h"
#include "plugin/manifest.h"
#include "plugin/release.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_file(const char *file, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    struct stat st;
    int r = path_open(AT_FDCWD, file, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, err);

    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s'", file);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "'%s' is not a file", file);
    *ret = fd;
    fd = -1;
    return ERR_OK;
}

/* The manifest of the plugin that FILE is the program of, or FILE itself is; *RET_FILE is the program, the caller's to
 * free. ERR_NOT_FOUND: there is none, so FILE is a shared object. */
static int find_manifest(const char *file, struct plugin **ret, char **ret_file, struct err *err)
{
    static const char *const names[] = {"action.yml", "action.yaml"};
    CLEANUP(free_ptr) char *folder = mem_dup(file, (size_t)(path_base(file) - file));
    const char *base = path_base(file);
    bool is_manifest = strcmp(base, names[0]) == 0 || strcmp(base, names[1]) == 0;
    int r = ERR_NOT_FOUND;

    if (slice_ends(slice_of(file), SLICE(".so")))
        return r;
    for (size_t i = 0; i < COUNT_OF(names) && r == ERR_NOT_FOUND; i++) {
        if (is_manifest && strcmp(base, names[i]) != 0)
            continue;
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(PLUGIN_RECORD_MAX);
        CLEANUP(free_ptr) char *path = path_join(*folder ? folder : ".", names[i]);

        r = path_read(AT_FDCWD, path, &text, err);
        if (r == ERR_OK)
            r = manifest_contract(buf_slice(&text), path, ret, err);
        if (r == ERR_OK && !is_manifest && strcmp(base, (*ret)->object) != 0) {
            *ret = plugin_free(*ret); /* of another program beside it */
            r = ERR_NOT_FOUND;
        }
    }
    if (r == ERR_OK)
        *ret_file = path_join(folder, (*ret)->object);
    /* a manifest is no object, whatever else is wrong with it */
    return r == ERR_NOT_FOUND && is_manifest ? err->code = ERR_INVALID : r;
}

static int check_executable(int fd, const char *file, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s'", file);
    if (!(st.st_mode & S_IXUSR))
        return err_set(err, ERR_INVALID, "'%s' is not executable (chmod +x '%s')", file, file);
    return ERR_OK;
}

int install_seal(const char *file, int *ret, char ret_sha256[TRUST_HEX_SIZE], struct err *err)
{
    CLEANUP(free_ptr) char *program = NULL;
    CLEANUP(fd_closep) int fd = -1;
    struct plugin *p = NULL;
    int r = find_manifest(file, &p, &program, err);

    plugin_free(p);
    if (r < 0 && r != ERR_NOT_FOUND)
        return r;
    const char *path = program ? program : file;
    r = open_file(path, &fd, err);
    if (r == ERR_OK && program)
        r = check_executable(fd, path, err);
    return r < 0 ? r : trust_seal(fd, path_base(path), ret, ret_sha256, err);
}

int install_describe(const char *file, int object, const char sum[TRUST_HEX_SIZE],
                     const char *child, struct loop *loop, struct plugin **ret, struct err *err)
{
    CLEANUP(free_ptr) char *real = NULL;
    CLEANUP(free_ptr) char *program = NULL;
    struct plugin *p = NULL;
    int r = find_manifest(file, &p, &program, err); /* a program is not run to learn what it is */

    if (r == ERR_NOT_FOUND)
        r = plugin_describe(object, path_base(file), child, loop, &p, err);
    if (r < 0)
        return r;
    real = realpath(program ? program : file, NULL);
    p->object = arena_str(&p->arena, slice_of(path_base(program ? program : file)));
    p->sha256 = arena_str(&p->arena, slice_of(sum));
    if (real) {
        *strrchr(real, '/') = '\0';
        p->root = arena_str(&p->arena, slice_of(*real ? real : "/"));
        p->folder = ".";
    }
    *ret = p;
    return ERR_OK;
}

int install_look(const char *file, const char *child, struct loop *loop, struct plugin **ret,
                 int *ret_object, struct err *err)
{
    CLEANUP(fd_closep) int object = -1;
    char sum[TRUST_HEX_SIZE];
    int r = install_seal(file, &object, sum, err);

    if (r < 0 || (r = install_describe(file, object, sum, child, loop, ret, err)) < 0)
        return r;
    *ret_object = object;
    object = -1;
    return ERR_OK;
}

bool install_is_program(const char *file)
{
    CLEANUP(free_ptr) char *program = NULL;
    struct plugin *p = NULL;
    struct err ignored;
    bool is = find_manifest(file, &p, &program, &ignored) == ERR_OK;

    plugin_free(p);
    return is;
}

/* Where it will lie. */
static void settle(struct plugin *p, const char *root)
{
    char *folder = arena_printf(&p->arena, "%s/", p->id);

    for (char *c = folder; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    p->folder = arena_printf(&p->arena, "%s%s", folder, p->version);
    p->root = arena_str(&p->arena, slice_of(root));
}

static int write_object(int dir, const struct plugin *p, int object, struct err *err)
{
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT(PLUGIN_OBJECT_MAX);

    if (lseek(object, 0, SEEK_SET) < 0)
        return err_sys(err, "cannot rewind the copy of '%s'", p->object);
    int r = fd_read_all(object, &bytes, err);
    return r < 0 ? r
                 : path_write(dir, p->object, buf_slice(&bytes),
                              p->protocol == PLUGIN_OBJECT ? 0644 : 0755, err);
}

static int write_record(int dir, const struct plugin *p, struct release *release, struct err *err)
{
    CLEANUP(free_ptr) char *yaml = plugin_to_yaml(p);
    int r = release->record.len ? ERR_OK : release_record(p, &release->record, err);

    if (r == ERR_OK)
        r = path_write(dir, "action.yml", slice_of(yaml), 0644, err);
    if (r == ERR_OK && release->signature.len)
        r = path_write(dir, PLUGIN_SIGNATURE, buf_slice(&release->signature), 0644, err);
    return r == ERR_OK ? path_write(dir, PLUGIN_RECORD, buf_slice(&release->record), 0644, err) : r;
}

static int fill(int root, const char *temp, const struct plugin *p, int object,
                struct release *release, struct err *err)
{
    CLEANUP(fd_closep) int dir = -1;
    int r;

    if (mkdirat(root, temp, 0755) < 0)
        return err_sys(err, "cannot create '%s/%s'", p->root, temp);
    if ((r = path_open(root, temp, O_RDONLY | O_DIRECTORY, 0, &dir, err)) < 0 ||
        (r = write_object(dir, p, object, err)) < 0)
        return r;
    return write_record(dir, p, release, err);
}

/* One rename into place; what was there leaves by the same rename. */
static int move_in(int root, const char *temp, const struct plugin *p, struct err *err)
{
    CLEANUP(free_ptr) char *parent = mem_dup(p->folder, strlen(p->folder));

    *strrchr(parent, '/') = '\0';
    int r = path_mkdirs(root, parent, 0755, err);
    if (r < 0)
        return r;
    if (renameat2(root, temp, root, p->folder, RENAME_NOREPLACE) == 0)
        return ERR_OK;
    if (errno == EEXIST && renameat2(root, temp, root, p->folder, RENAME_EXCHANGE) == 0)
        return ERR_OK; /* the caller removes the old one under the temporary name */
    return err_sys(err, "cannot move the plugin to '%s/%s'", p->root, p->folder);
}

static int place(struct plugin *p, int object, struct release *release, struct err *err)
{
    CLEANUP(fd_closep) int root = -1;
    char temp[48];
    struct err ignored;
    int r = path_mkdirs(AT_FDCWD, p->root, 0755, err);

    if (r < 0 || (r = path_open(AT_FDCWD, p->root, O_RDONLY | O_DIRECTORY, 0, &root, err)) < 0)
        return r;
    snprintf(temp, sizeof temp, ".new-%ld", (long)getpid());
    r = fill(root, temp, p, object, release, err);
    if (r == ERR_OK)
        r = move_in(root, temp, p, err);
    (void)!path_remove(root, temp, &ignored); /* the old version, or what a failure left */
    return r;
}

int install_plugin(const struct install_spec *spec, struct loop *loop, struct plugin **ret,
                   struct err *err)
{
    CLEANUP(release_deinit) struct release release = RELEASE_INIT;
    CLEANUP(fd_closep) int object = -1;
    struct plugin *p;
    int r = install_look(spec->file, spec->child, loop, &p, &object, err);

    if (r < 0)
        return r;
    r = release_complete(p, spec->serves, err);
    if (r == ERR_OK)
        r = release_read(spec->file, p, &release, err);
    if (r == ERR_OK && release.record.len && spec->serves)
        r = err_set(err, ERR_INVALID,
                    "what '%s' serves is said by the record beside it (sign it with --serves)",
                    spec->file);
    settle(p, spec->root);
    if (r == ERR_OK)
        r = place(p, object, &release, err);
    if (r < 0) {
        plugin_free(p);
        return r;
    }
    *ret = p;
    return ERR_OK;
}

/* ---- and out again ---- */

int install_remove(const struct plugin *p, struct err *err)
{
    CLEANUP(fd_closep) int root = -1;
    CLEANUP(free_ptr) char *above = mem_dup(p->folder, strlen(p->folder));
    char temp[48];
    int r = path_open(AT_FDCWD, p->root, O_RDONLY | O_DIRECTORY, 0, &root, err);

    if (r < 0)
        return r;
    snprintf(temp, sizeof temp, ".old-%ld", (long)getpid());
    if (renameat2(root, p->folder, root, temp, RENAME_NOREPLACE) < 0)
        return err_sys(err, "cannot remove '%s/%s'", p->root, p->folder);
    for (char *slash; (slash = strrchr(above, '/'));) {
        *slash = '\0';
        if (unlinkat(root, above, AT_REMOVEDIR) < 0)
            break; /* another version is in it */
    }
    return path_remove(root, temp, err);
}
