#include "cli/plugin/check.h"

#include "base/buf.h"

enum { NAMES_MAX = 200 };

/* ---- what it exports ---- */

struct exports {
    bool ours;
    bool more; /* than names has room for */
    size_t n;  /* others */
    struct buf names;
};

/* Some linkers export where their sections end, whatever the visibility. */
static bool is_linkers(const char *name)
{
    static const char *const known[] = {"_init", "_fini", "_edata", "_end", "__bss_start"};

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

static void on_symbol(void *ctx, const struct elf_symbol *symbol)
{
    struct exports *x = ctx;

    if (!symbol->defined || is_linkers(symbol->name))
        return;
    if (strcmp(symbol->name, "ostler_plugin_v1") == 0) {
        x->ours = true;
        return;
    }
    if (!x->more && x->names.len + strlen(symbol->name) < NAMES_MAX) {
        buf_printf(&x->names, "%s%s", x->n ? ", " : "", symbol->name);
    } else if (!x->more) {
        x->more = true;
        buf_add_str(&x->names, x->n ? ", …" : "…");
    }
    x->n++;
}

static void check_exports(const struct elf *e, const char *name, struct check_report *to)
{
    struct exports x = {.names = BUF_INIT(NAMES_MAX + 8)};
    struct err err = ERR_INIT;

    if (elf_symbols(e, name, on_symbol, &x, &err) < 0)
        check_say(to, "exports", CHECK_FAILED, "strip it with 'strip', or not at all", "%s",
                  err.text);
    else if (!x.ours)
        check_say(to, "exports", CHECK_FAILED, "define the plugin with OST_PLUGIN()",
                  "it does not export 'ostler_plugin_v1'");
    else if (x.n)
        check_say(to, "exports", CHECK_FAILED,
                  "compile with -fvisibility=hidden; C++ wants a version script as well: "
                  "ostler-plugin.map "
                  "of the SDK",
                  "%zu symbol%s beside 'ostler_plugin_v1': %s", x.n, x.n == 1 ? "" : "s",
                  x.names.ptr);
    else
        check_say(to, "exports", CHECK_OK, NULL, "'ostler_plugin_v1' and nothing else");
    buf_deinit(&x.names);
}

/* ---- what it needs ---- */

/* Where there is a C, C++ or Rust program, these are. */
static bool is_everywhere(const char *library)
{
    static const char *const known[] = {
        "libc.",    "libm.", "libdl.",     "librt.",    "libpthread.",   "libgcc_s.",  "libstdc++.",
        "ld-linux", "ld64.", "libresolv.", "libatomic", "linux-vdso.so", "libc++.so.", "libc++abi",
    };

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strncmp(library, known[i], strlen(known[i])) == 0)
            return true;
    return false;
}

static void check_libraries(const struct elf *e, const char *name, struct check_report *to)
{
    CLEANUP(buf_deinit) struct buf more = BUF_INIT(4096);
    const char *needed[ELF_NEEDED_MAX];
    struct err err = ERR_INIT;
    uint64_t ignored;
    size_t n = 0;

    if (elf_needed(e, name, needed, &n, &err) < 0) {
        check_say(to, "libraries", CHECK_FAILED, "link it anew", "%s", err.text);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (!is_everywhere(needed[i]))
            buf_printf(&more, "%s%s", more.len ? ", " : "", needed[i]);
    if (more.len)
        check_say(to, "libraries", CHECK_NOTE,
                  "link them statically, or say in the README what to install",
                  "it runs only where these are: %s", more.ptr);
    if (elf_tag(e, DT_RPATH, &ignored) || elf_tag(e, DT_RUNPATH, &ignored))
        check_say(to, "libraries", CHECK_NOTE, "link without -rpath (CMake: SKIP_BUILD_RPATH)",
                  "it has a path to libraries in it, which a runner does not follow");
    if (check_is_silent(to, "libraries"))
        check_say(to, "libraries", CHECK_OK, NULL, "nothing but the system's own");
}

/* ---- how it was linked ---- */

static bool binds_now(const struct elf *e)
{
    uint64_t flags;

    return elf_tag(e, DT_BIND_NOW, &flags) ||
           (elf_tag(e, DT_FLAGS, &flags) && flags & DF_BIND_NOW) ||
           (elf_tag(e, DT_FLAGS_1, &flags) && flags & DF_1_NOW);
}

static void check_linking(const struct elf *e, struct check_report *to)
{
    ElfW(Phdr) p;
    uint64_t flags;

    if (!elf_segment(e, PT_GNU_RELRO, &p) || !binds_now(e))
        check_say(to, "relro", CHECK_FAILED, "link with -Wl,-z,relro,-z,now",
                  "its tables of addresses stay writable while it runs");
    else
        check_say(to, "relro", CHECK_OK, NULL, "addresses are read-only once it is loaded");
    if (!elf_segment(e, PT_GNU_STACK, &p) || p.p_flags & PF_X)
        check_say(to, "stack", CHECK_FAILED,
                  "link with -Wl,-z,noexecstack, and mark the stack of assembler sources",
                  "it wants a stack that can be executed");
    else
        check_say(to, "stack", CHECK_OK, NULL, "the stack cannot be executed");
    if (elf_tag(e, DT_TEXTREL, &flags) || (elf_tag(e, DT_FLAGS, &flags) && flags & DF_TEXTREL))
        check_say(to, "text", CHECK_FAILED, "compile everything in it with -fPIC",
                  "its code is changed when it is loaded (text relocations)");
    else
        check_say(to, "text", CHECK_OK, NULL, "the code is loaded as it is");
}

void check_file(const struct elf *e, const char *name, struct check_report *to)
{
    check_exports(e, name, to);
    check_libraries(e, name, to);
    check_linking(e, to);
}
