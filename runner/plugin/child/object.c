#include "plugin/child/object.h"

#include "plugin/elf.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the file: its libraries ---- */

static int load_library(const char *library, const char *name, struct err *err)
{
    if (strchr(library, '/'))
        return err_set(err, ERR_DENIED,
                       "'%s' needs the library '%.80s' by its path: link it statically", name,
                       library);
    if (!dlopen(library, RTLD_NOW | RTLD_LOCAL))
        return err_set(err, ERR_NOT_FOUND,
                       "'%s' needs the library '%.80s', which is not here: "
                       "link it statically, or install it",
                       name, library);
    return ERR_OK;
}

typedef int look_fn(const struct elf *e, const char *name, void *ctx, struct err *err);

/* Calls FN for the file behind FD. */
static int look_at(int fd, const char *name, look_fn *fn, void *ctx, struct err *err)
{
    struct stat st;
    struct elf e;

    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s'", name);
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return err_sys(err, "cannot map '%s'", name);
    int r = elf_open(slice_make(map, (size_t)st.st_size), name, &e, err);
    if (r == ERR_OK)
        r = fn(&e, name, ctx, err);
    (void)munmap(map, (size_t)st.st_size); /* of a mapping that we made: cannot fail */
    return r;
}

static int load_needed(const struct elf *e, const char *name, void *ctx, struct err *err)
{
    const char *needed[ELF_NEEDED_MAX];
    size_t n;
    int r = elf_needed(e, name, needed, &n, err);

    (void)ctx;
    for (size_t i = 0; r == ERR_OK && i < n; i++)
        r = load_library(needed[i], name, err);
    return r;
}

int object_prepare(int fd, const char *name, struct err *err)
{
    return look_at(fd, name, load_needed, NULL, err);
}

/* ---- what nobody has ---- */

struct strangers {
    void *libraries[ELF_NEEDED_MAX];
    size_t n;
    json_t *names;
};

static void on_symbol(void *ctx, const struct elf_symbol *symbol)
{
    struct strangers *s = ctx;

    if (symbol->defined || symbol->weak) /* what is weak may be missing */
        return;
    for (size_t i = 0; i < s->n; i++)
        if (dlsym(s->libraries[i], symbol->name)) /* in the library, or in one that it needs */
            return;
    json_array_append_new(s->names, json_string(symbol->name));
}

static int find_strangers(const struct elf *e, const char *name, void *ctx, struct err *err)
{
    const char *needed[ELF_NEEDED_MAX];
    struct strangers *s = ctx;
    int r = elf_needed(e, name, needed, &s->n, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < s->n; i++) {
        s->libraries[i] = dlopen(needed[i], RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
        if (!s->libraries[i])
            return err_set(err, ERR_NOT_FOUND, "the library '%.80s' is gone again", needed[i]);
    }
    return elf_symbols(e, name, on_symbol, s, err);
}

int object_strangers(int fd, const char *name, json_t **ret, struct err *err)
{
    struct strangers s = {.names = json_array()};
    int r = look_at(fd, name, find_strangers, &s, err);

    if (r < 0)
        json_decref(s.names);
    else
        *ret = s.names;
    return r;
}

/* ---- the mapping ---- */

static uintptr_t range_from, range_to;

static int note_range(struct dl_phdr_info *info, size_t size, void *ctx)
{
    uintptr_t symbol = *(const uintptr_t *)ctx, from = UINTPTR_MAX, to = 0;

    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *s = &info->dlpi_phdr[i];

        if (s->p_type != PT_LOAD)
            continue;
        if (info->dlpi_addr + s->p_vaddr < from)
            from = info->dlpi_addr + s->p_vaddr;
        if (info->dlpi_addr + s->p_vaddr + s->p_memsz > to)
            to = info->dlpi_addr + s->p_vaddr + s->p_memsz;
    }
    if (symbol < from || symbol >= to)
        return 0;
    range_from = from;
    range_to = to;
    return 1;
}

void object_range(uintptr_t *ret_from, uintptr_t *ret_to)
{
    *ret_from = range_from;
    *ret_to = range_to;
}

int object_load(int fds_dir, int fd, const char *name, const struct ost_plugin **ret,
                struct err *err)
{
    char path[16];

    snprintf(path, sizeof path, "./%d", fd);
    if (fchdir(fds_dir) < 0)
        return err_sys(err, "cannot enter the folder of descriptors");
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return err_set(err, ERR_INVALID, "cannot load '%s': %s", name, dlerror());
    const struct ost_plugin *plugin = dlsym(handle, "ostler_plugin_v1");
    if (!plugin)
        return err_set(
            err, ERR_INVALID,
            "'%s' exports no 'ostler_plugin_v1': it is no plugin, or one for another ABI", name);
    uintptr_t symbol = (uintptr_t)plugin;
    (void)dl_iterate_phdr(note_range, &symbol); /* not found: crashes are told without a place */
    *ret = plugin;
    return ERR_OK;
}

/* ---- the tables ---- */

int object_tables(const struct ost_plugin *theirs, struct ost_plugin *ret, struct err *err)
{
    /* What minor 0 had; nothing smaller was ever released. */
    const size_t least = offsetof(struct ost_plugin, extension) + sizeof theirs->extension;
    size_t size = theirs->struct_size;

    if (size < least || size > 1 << 16)
        return err_set(err, ERR_INVALID, "its table has %zu bytes: was OST_PLUGIN() used?", size);
    memset(ret, 0, sizeof *ret);
    memcpy(ret, theirs, size < sizeof *ret ? size : sizeof *ret);
    if (ret->n_inputs > PLUGIN_INPUTS_MAX || ret->n_outputs > PLUGIN_INPUTS_MAX)
        return err_set(err, ERR_LIMIT, "it declares more than %d inputs or outputs",
                       PLUGIN_INPUTS_MAX);
    if ((ret->n_inputs && (!ret->inputs || ret->input_size < sizeof(struct ost_input) ||
                           ret->input_size % _Alignof(struct ost_input))) ||
        (ret->n_outputs && (!ret->outputs || ret->output_size < sizeof(struct ost_output) ||
                            ret->output_size % _Alignof(struct ost_output))))
        return err_set(err, ERR_INVALID,
                       "its tables have rows of %u and %u bytes: were OST_INPUTS() "
                       "and OST_OUTPUTS() used?",
                       ret->input_size, ret->output_size);
    if (!ret->main)
        return err_set(err, ERR_INVALID, "it has no main phase");
    return ERR_OK;
}

/* Row I of a table whose rows may be larger than ours. */
static void input_at(const struct ost_plugin *t, size_t i, struct ost_input *ret)
{
    memcpy(ret, (const char *)t->inputs + i * t->input_size, sizeof *ret);
}

static void output_at(const struct ost_plugin *t, size_t i, struct ost_output *ret)
{
    memcpy(ret, (const char *)t->outputs + i * t->output_size, sizeof *ret);
}

static size_t count_choices(const char *const *choices)
{
    size_t n = 0;

    while (choices && choices[n] && n < PLUGIN_CHOICES_MAX)
        n++;
    return n;
}

static int read_inputs(struct plugin *p, const struct ost_plugin *t, struct err *err)
{
    struct plugin_input *inputs = arena_array(&p->arena, t->n_inputs, sizeof *inputs);

    for (size_t i = 0; i < t->n_inputs; i++) {
        struct ost_input in;

        input_at(t, i, &in);
        if (!in.name || !plugin_type_name(in.type) ||
            in.flags & ~(uint32_t)(OST_REQUIRED | OST_SECRET))
            return err_set(err, ERR_INVALID,
                           "input %zu ('%.60s') has a type or flags that this runner does not know",
                           i + 1, in.name ? in.name : "");
        size_t n = count_choices(in.choices);
        const char **choices = arena_array(&p->arena, n + 1, sizeof *choices);
        for (size_t c = 0; c < n; c++)
            choices[c] = in.choices[c];
        inputs[i] = (struct plugin_input){.name = in.name,
                                          .type = in.type,
                                          .flags = in.flags,
                                          .fallback = in.fallback,
                                          .description = in.description,
                                          .deprecation = in.deprecation,
                                          .choices = in.choices ? choices : NULL};
    }
    p->inputs = inputs;
    p->n_inputs = t->n_inputs;
    return ERR_OK;
}

static int read_outputs(struct plugin *p, const struct ost_plugin *t, struct err *err)
{
    struct plugin_output *outputs = arena_array(&p->arena, t->n_outputs, sizeof *outputs);

    for (size_t i = 0; i < t->n_outputs; i++) {
        struct ost_output out;

        output_at(t, i, &out);
        if (!out.name)
            return err_set(err, ERR_INVALID, "output %zu has no name", i + 1);
        outputs[i] = (struct plugin_output){out.name, out.description};
    }
    p->outputs = outputs;
    p->n_outputs = t->n_outputs;
    return ERR_OK;
}

static unsigned phases_of(const struct ost_plugin *t)
{
    return (t->plan ? 1u << OST_PHASE_PLAN : 0) | (t->pre ? 1u << OST_PHASE_PRE : 0) |
           1u << OST_PHASE_MAIN | (t->post ? 1u << OST_PHASE_POST : 0);
}

/* JSON holds UTF-8 only, so a text that is none vanished on the way: then the rows do not match. */
static int check_texts(const json_t *json, const struct plugin *p, struct err *err)
{
    struct plugin *back = NULL;
    int r = plugin_from_json(json, &back, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < p->n_inputs; i++)
        if (!p->inputs[i].description != !back->inputs[i].description ||
            !p->inputs[i].fallback != !back->inputs[i].fallback)
            r = err_set(err, ERR_INVALID, "the texts of input '%s' are not UTF-8",
                        p->inputs[i].name);
    plugin_free(back);
    return r;
}

int object_contract(const struct ost_plugin *theirs, json_t **ret, struct err *err)
{
    struct plugin p = {.arena = ARENA_INIT};
    struct ost_plugin t;
    int r = object_tables(theirs, &t, err);

    if (r < 0)
        return r;
    if (t.needs & ~(uint32_t)(OST_NEED_NETWORK | OST_NEED_WORKSPACE_WRITE))
        return err_set(err, ERR_UNSUPPORTED, "it needs something that this runner does not know");
    p.id = t.id;
    p.version = t.version;
    p.title = t.title;
    p.description = t.description;
    p.author = t.author;
    p.needs = t.needs;
    p.traits = t.traits & (OST_EFFECTS_VIA_HOST |
                           OST_POST_IF_SAVED); /* a trait that is not known can be left unused */
    p.phases = phases_of(&t);
    p.pre_if = t.pre_if;
    p.post_if = t.post_if;
    if ((r = read_inputs(&p, &t, err)) == ERR_OK && (r = read_outputs(&p, &t, err)) == ERR_OK) {
        json_t *json = plugin_to_json(&p);

        r = check_texts(json, &p, err);
        if (r == ERR_OK)
            *ret = json;
        else
            json_decref(json);
    }
    arena_deinit(&p.arena);
    return r;
}
