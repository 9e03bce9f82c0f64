/* Shared objects as files: what is in them, and that damaged ones are refused without harm. */
#include "phase.h"

#include "base/fd.h"
#include "base/path.h"
#include "plugin/elf.h"
#include "plugin/install.h"

#include <criterion/criterion.h>
#include <fcntl.h>

enum { OBJECT_MAX = 4 << 20 };

static void read_object(const char *name, struct buf *to)
{
    struct err err = ERR_INIT;

    cr_assert_eq(path_read(AT_FDCWD, phase_object(name), to, &err), ERR_OK, "%s", err.text);
}

static void add_name(void *ctx, const struct elf_symbol *symbol)
{
    if (symbol->defined)
        buf_printf(ctx, "%s\n", symbol->name);
}

Test(elf, tells_what_an_object_exports_and_needs)
{
    CLEANUP(buf_deinit) struct buf file = BUF_INIT(OBJECT_MAX);
    CLEANUP(buf_deinit) struct buf names = BUF_INIT(1000);
    const char *needed[ELF_NEEDED_MAX];
    struct err err = ERR_INIT;
    ElfW(Phdr) segment;
    struct elf e;
    size_t n;

    read_object("hello", &file);
    cr_assert_eq(elf_open(buf_slice(&file), "hello.so", &e, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(elf_symbols(&e, "hello.so", add_name, &names, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(names.ptr, "ostler_plugin_v1\n");
    cr_assert_eq(elf_needed(&e, "hello.so", needed, &n, &err), ERR_OK);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(strncmp(needed[i], "libc.so", 7), 0, "it needs %s", needed[i]);
    cr_assert(elf_segment(&e, PT_GNU_RELRO, &segment));
    cr_assert_not(elf_segment(&e, 0x12345678, &segment));
}

static void use(struct slice file)
{
    const char *needed[ELF_NEEDED_MAX];
    CLEANUP(buf_deinit) struct buf names = BUF_INIT(64 << 10);
    struct err err = ERR_INIT;
    uint64_t value;
    struct elf e;
    size_t n;

    if (elf_open(file, "x.so", &e, &err) < 0)
        return;
    (void)!elf_symbols(&e, "x.so", add_name, &names, &err);
    (void)!elf_needed(&e, "x.so", needed, &n, &err);
    (void)elf_tag(&e, DT_FLAGS_1, &value);
}

/* The sanitizers watch: each prefix, and each byte of the headers with other values. */
Test(elf, believes_nothing_of_a_damaged_object)
{
    CLEANUP(buf_deinit) struct buf file = BUF_INIT(OBJECT_MAX);

    read_object("hello", &file);
    for (size_t len = 0; len < file.len; len += len < 1024 ? 1 : 97) {
        CLEANUP(free_ptr) char *copy = mem_new(len + 1);

        memcpy(copy, file.ptr, len);
        use(slice_make(copy, len));
    }
    for (size_t at = 0; at < file.len; at += at < 1024 ? 1 : 61) {
        static const char values[] = {0, 1, 0x7f, (char)0x80, (char)0xff};
        char old = file.ptr[at];

        for (size_t v = 0; v < COUNT_OF(values); v++) {
            file.ptr[at] = values[v];
            use(buf_slice(&file));
        }
        file.ptr[at] = old;
    }
}

Test(elf, an_object_has_no_strangers_when_its_libraries_have_all)
{
    CLEANUP(fd_closep) int object = -1;
    char sum[TRUST_HEX_SIZE];
    struct err err = ERR_INIT;
    struct loop *loop;
    json_t *names = NULL;

    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    cr_assert_eq(install_seal(phase_object("hello"), &object, sum, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(plugin_strangers(object, "hello.so", phase_child, loop, &names, &err), ERR_OK,
                 "%s", err.text);
    cr_assert_eq(json_array_size(names), 0);
    json_decref(names);
    loop_free(loop);
}
