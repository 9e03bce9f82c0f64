#include "plugin/elf.h"

#include <elf.h>

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

/* SIZE bytes at OFFSET of the file; NULL: it has not as many. */
static const void *at(struct slice file, uint64_t offset, uint64_t size)
{
    uint64_t end;

    if (__builtin_add_overflow(offset, size, &end) || end > file.len)
        return NULL;
    return file.ptr + offset;
}

/* Row I of a table of rows of SIZE bytes that begins at OFFSET, copied to RET. */
static bool row(struct slice file, uint64_t offset, uint64_t i, void *ret, size_t size)
{
    uint64_t from;

    if (__builtin_mul_overflow(i, size, &from) || __builtin_add_overflow(offset, from, &from))
        return false;
    const void *p = at(file, from, size);
    if (p)
        memcpy(ret, p, size);
    return p;
}

static bool segment_at(const struct elf *e, size_t i, ElfW(Phdr) * ret)
{
    return i < e->head.e_phnum && row(e->file, e->head.e_phoff, i, ret, sizeof *ret);
}

static bool dynamic_at(const struct elf *e, uint64_t i, ElfW(Dyn) * ret)
{
    return i < e->dynamic.p_filesz / sizeof *ret &&
           row(e->file, e->dynamic.p_offset, i, ret, sizeof *ret) && ret->d_tag != DT_NULL;
}

/* The file offset of the address ADDR; false: no segment holds it. */
static bool offset_of(const struct elf *e, uint64_t addr, uint64_t *ret)
{
    ElfW(Phdr) p;

    for (size_t i = 0; segment_at(e, i, &p); i++) {
        if (p.p_type == PT_LOAD && addr >= p.p_vaddr && addr - p.p_vaddr < p.p_filesz)
            return !__builtin_add_overflow(addr - p.p_vaddr, p.p_offset, ret);
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

bool elf_segment(const struct elf *e, uint32_t type, ElfW(Phdr) * ret)
{
    for (size_t i = 0; segment_at(e, i, ret); i++)
        if (ret->p_type == type)
            return true;
    return false;
}

bool elf_tag(const struct elf *e, int64_t tag, uint64_t *ret)
{
    ElfW(Dyn) d;

    for (uint64_t i = 0; dynamic_at(e, i, &d); i++) {
        if (d.d_tag == tag) {
            *ret = d.d_un.d_val;
            return true;
        }
    }
    return false;
}

int elf_open(struct slice file, const char *name, struct elf *ret, struct err *err)
{
    struct elf e = {.file = file};
    uint64_t strings;

    if (!row(file, 0, 0, &e.head, sizeof e.head) || memcmp(e.head.e_ident, ELFMAG, SELFMAG) != 0)
        return err_set(err, ERR_INVALID, "'%s' is not a shared object", name);
    if (e.head.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        e.head.e_machine != OUR_MACHINE)
        return err_set(err, ERR_INVALID, "'%s' was built for another kind of machine", name);
    if (e.head.e_type != ET_DYN || e.head.e_phentsize != sizeof(ElfW(Phdr)) ||
        !elf_segment(&e, PT_DYNAMIC, &e.dynamic))
        return err_set(err, ERR_INVALID, "'%s' is not a shared object", name);
    if (elf_tag(&e, DT_STRTAB, &strings) && !offset_of(&e, strings, &e.strings))
        return err_set(err, ERR_INVALID, "'%s' is damaged (no string table)", name);
    *ret = e;
    return ERR_OK;
}

int elf_needed(const struct elf *e, const char *name, const char *ret[ELF_NEEDED_MAX],
               size_t *ret_n, struct err *err)
{
    ElfW(Dyn) d;
    size_t n = 0;

    for (uint64_t i = 0; dynamic_at(e, i, &d); i++) {
        if (d.d_tag != DT_NEEDED)
            continue;
        if (n == ELF_NEEDED_MAX)
            return err_set(err, ERR_LIMIT, "'%s' needs more than %d libraries", name,
                           ELF_NEEDED_MAX);
        ret[n] = string_at(e->file, e->strings, d.d_un.d_val);
        if (!ret[n++])
            return err_set(err, ERR_INVALID, "'%s' is damaged (library name)", name);
    }
    *ret_n = n;
    return ERR_OK;
}

/* ---- symbols ---- */

/* The section with the dynamic symbols: its header says how many there are, which nothing else does plainly. */
static bool symbol_section(const struct elf *e, ElfW(Shdr) * ret)
{
    for (size_t i = 0; i < e->head.e_shnum; i++)
        if (row(e->file, e->head.e_shoff, i, ret, sizeof *ret) && ret->sh_type == SHT_DYNSYM)
            return ret->sh_entsize == sizeof(ElfW(Sym));
    return false;
}

/* True if others have to do with it. */
static bool is_shared(const ElfW(Sym) * s)
{
    unsigned bind = s->st_info >> 4, visibility = s->st_other & 3u;

    if (bind != STB_GLOBAL && bind != STB_WEAK && bind != STB_GNU_UNIQUE)
        return false;
    return s->st_shndx == SHN_UNDEF || visibility == STV_DEFAULT || visibility == STV_PROTECTED;
}

int elf_symbols(const struct elf *e, const char *name, elf_symbol_fn *fn, void *ctx,
                struct err *err)
{
    ElfW(Shdr) table;
    ElfW(Sym) s;

    if (e->head.e_shentsize != sizeof table || !symbol_section(e, &table))
        return err_set(err, ERR_INVALID, "'%s' has no table of its symbols: was it stripped whole?",
                       name);
    uint64_t n = table.sh_size / sizeof s;
    if (n > ELF_SYMBOLS_MAX)
        return err_set(err, ERR_LIMIT, "'%s' has more than %d symbols", name, ELF_SYMBOLS_MAX);
    for (uint64_t i = 1; i < n; i++) { /* the first stands for none */
        if (!row(e->file, table.sh_offset, i, &s, sizeof s))
            return err_set(err, ERR_INVALID, "'%s' is damaged (symbols)", name);
        if (!is_shared(&s))
            continue;
        const struct elf_symbol one = {
            .name = string_at(e->file, e->strings, s.st_name),
            .defined = s.st_shndx != SHN_UNDEF,
            .weak = s.st_info >> 4 == STB_WEAK,
        };
        if (!one.name)
            return err_set(err, ERR_INVALID, "'%s' is damaged (a symbol's name)", name);
        fn(ctx, &one);
    }
    return ERR_OK;
}
