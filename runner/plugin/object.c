#include "plugin/object.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NEEDED_MAX = 64 };

#if defined(__x86_64__)
enum { OUR_MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { OUR_MACHINE = EM_AARCH64 };
#elif defined(__arm__)
enum { OUR_MACHINE = EM_ARM };
#elif defined(__riscv)
enum { OUR_MACHINE = EM_RISCV };
#elif defined(__powerpc64__)
enum { OUR_MACHINE = EM_PPC64 };
#elif defined(__s390x__)
enum { OUR_MACHINE = EM_S390 };
#else
#error "name this machine's ELF number here"
#endif

/* ---- the file: its libraries, read with nothing believed ---- */

/* SIZE bytes at AT of the file, NULL: it has not as many. */
static const void *at(struct slice file, uint64_t offset, uint64_t size)
{
    uint64_t end;

    if (__builtin_add_overflow(offset, size, &end) || end > file.len)
        return NULL;
    return file.ptr + offset;
}

static bool segment(struct slice file, const ElfW(Ehdr) * head, size_t i, ElfW(Phdr) * ret)
{
    const void *p = at(file, head->e_phoff + i * sizeof *ret, sizeof *ret);

    if (p)
        memcpy(ret, p, sizeof *ret);
    return p;
}

/* The file offset of the address ADDR; false: no segment holds it. */
static bool offset_of(struct slice file, const ElfW(Ehdr) * head, uint64_t addr, uint64_t *ret)
{
    ElfW(Phdr) p;

    for (size_t i = 0; i < head->e_phnum && segment(file, head, i, &p); i++) {
        if (p.p_type == PT_LOAD && addr >= p.p_vaddr && addr - p.p_vaddr < p.p_filesz) {
            *ret = addr - p.p_vaddr + p.p_offset;
            return true;
        }
    }
    return false;
}

/* The text at OFFSET of the string table that begins at TABLE; NULL: it does not end in the file. */
static const char *string_at(struct slice file, uint64_t table, uint64_t offset)
{
    uint64_t from;

    if (__builtin_add_overflow(table, offset, &from) || from >= file.len)
        return NULL;
    return memchr(file.ptr + from, '\0', file.len - from) ? file.ptr + from : NULL;
}

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

static int load_needed(struct slice file, const ElfW(Ehdr) * head, const ElfW(Phdr) * dynamic,
                       const char *name, struct err *err)
{
    uint64_t needed[NEEDED_MAX], table = 0;
    size_t n = 0;

    for (uint64_t i = 0; i < dynamic->p_filesz / sizeof(ElfW(Dyn)); i++) {
        ElfW(Dyn) d;
        const void *p = at(file, dynamic->p_offset + i * sizeof d, sizeof d);

        if (!p)
            break;
        memcpy(&d, p, sizeof d);
        if (d.d_tag == DT_NULL)
            break;
        if (d.d_tag == DT_STRTAB && !offset_of(file, head, d.d_un.d_ptr, &table))
            return err_set(err, ERR_INVALID, "'%s' is damaged (no string table)", name);
        if (d.d_tag == DT_NEEDED && n == NEEDED_MAX)
            return err_set(err, ERR_LIMIT, "'%s' needs more than %d libraries", name, NEEDED_MAX);
        if (d.d_tag == DT_NEEDED)
            needed[n++] = d.d_un.d_val;
    }
    for (size_t i = 0; i < n; i++) {
        const char *library = string_at(file, table, needed[i]);
        int r = library ? load_library(library, name, err)
                        : err_set(err, ERR_INVALID, "'%s' is damaged (library name)", name);
        if (r < 0)
            return r;
    }
    return ERR_OK;
}

static int look_at(struct slice file, const char *name, struct err *err)
{
    const void *p = at(file, 0, sizeof(ElfW(Ehdr)));
    ElfW(Ehdr) head;
    ElfW(Phdr) s;

    if (!p || memcmp(p, ELFMAG, SELFMAG) != 0)
        return err_set(err, ERR_INVALID, "'%s' is not a shared object", name);
    memcpy(&head, p, sizeof head);
    if (head.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        head.e_machine != OUR_MACHINE)
        return err_set(err, ERR_INVALID, "'%s' was built for another kind of machine", name);
    if (head.e_type != ET_DYN || head.e_phentsize != sizeof s)
        return err_set(err, ERR_INVALID, "'%s' is not a shared object", name);
    for (size_t i = 0; i < head.e_phnum && segment(file, &head, i, &s); i++)
        if (s.p_type == PT_DYNAMIC)
            return load_needed(file, &head, &s, name, err);
    return err_set(err, ERR_INVALID, "'%s' is not a shared object", name);
}

int object_prepare(int fd, const char *name, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s'", name);
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return err_sys(err, "cannot map '%s'", name);
    int r = look_at(slice_make(map, (size_t)st.st_size), name, err);
    (void)munmap(map, (size_t)st.st_size); /* of a mapping that we made: cannot fail */
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
