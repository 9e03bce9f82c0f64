#include "report/text.h"

struct range {
    uint32_t first, last;
};

/* Marks that sit on the character before them. Taken from the scripts that build logs really show;
 * what is missing costs a column in the live area, nothing else. */
static const struct range zero_width[] = {
    {0x0300, 0x036F},   {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F},
    {0x0900, 0x0902},   {0x093C, 0x093C}, {0x0941, 0x0948}, {0x0E31, 0x0E31}, {0x0E34, 0x0E3A},
    {0x0E47, 0x0E4E},   {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200D}, {0x2060, 0x2064},
    {0x20D0, 0x20F0},   {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}, {0x1F3FB, 0x1F3FF},
    {0xE0100, 0xE01EF},
};

/* East Asian wide and fullwidth, and the emoji that terminals draw over two columns. */
static const struct range double_width[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x23E9, 0x23EC},   {0x23F0, 0x23F0},
    {0x23F3, 0x23F3},   {0x25FD, 0x25FE},   {0x2614, 0x2615},   {0x2648, 0x2653},
    {0x267F, 0x267F},   {0x2693, 0x2693},   {0x26A1, 0x26A1},   {0x26AA, 0x26AB},
    {0x26BD, 0x26BE},   {0x26C4, 0x26C5},   {0x26CE, 0x26CE},   {0x26D4, 0x26D4},
    {0x26EA, 0x26EA},   {0x26F2, 0x26F3},   {0x26F5, 0x26F5},   {0x26FA, 0x26FA},
    {0x26FD, 0x26FD},   {0x2705, 0x2705},   {0x270A, 0x270B},   {0x2728, 0x2728},
    {0x274C, 0x274C},   {0x274E, 0x274E},   {0x2753, 0x2755},   {0x2757, 0x2757},
    {0x2795, 0x2797},   {0x27B0, 0x27B0},   {0x27BF, 0x27BF},   {0x2B1B, 0x2B1C},
    {0x2B50, 0x2B50},   {0x2B55, 0x2B55},   {0x2E80, 0x303E},   {0x3041, 0x33FF},
    {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},   {0xA960, 0xA97F},
    {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
    {0xFFE0, 0xFFE6},   {0x1F004, 0x1F004}, {0x1F0CF, 0x1F0CF}, {0x1F18E, 0x1F18E},
    {0x1F191, 0x1F19A}, {0x1F200, 0x1F320}, {0x1F32D, 0x1F335}, {0x1F337, 0x1F37C},
    {0x1F37E, 0x1F393}, {0x1F3A0, 0x1F3CA}, {0x1F3CF, 0x1F3D3}, {0x1F3E0, 0x1F3F0},
    {0x1F3F4, 0x1F3F4}, {0x1F3F8, 0x1F43E}, {0x1F440, 0x1F440}, {0x1F442, 0x1F4FC},
    {0x1F4FF, 0x1F53D}, {0x1F54B, 0x1F54E}, {0x1F550, 0x1F567}, {0x1F57A, 0x1F57A},
    {0x1F595, 0x1F596}, {0x1F5A4, 0x1F5A4}, {0x1F5FB, 0x1F64F}, {0x1F680, 0x1F6C5},
    {0x1F6CC, 0x1F6CC}, {0x1F6D0, 0x1F6D2}, {0x1F6D5, 0x1F6D7}, {0x1F6DC, 0x1F6DF},
    {0x1F6EB, 0x1F6EC}, {0x1F6F4, 0x1F6FC}, {0x1F7E0, 0x1F7EB}, {0x1F90C, 0x1F93A},
    {0x1F93C, 0x1F945}, {0x1F947, 0x1F9FF}, {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD},
};

static bool in_table(const struct range *table, size_t n, uint32_t c)
{
    size_t low = 0, high = n;

    while (low < high) { /* the first range that does not end before C */
        size_t mid = low + (high - low) / 2;

        if (table[mid].last < c)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && table[low].first <= c;
}

static int char_width(uint32_t c)
{
    if (c < 0x300)
        return c < 0x20 && c != '\t' ? 0 : 1;
    if (in_table(zero_width, COUNT_OF(zero_width), c))
        return 0;
    return in_table(double_width, COUNT_OF(double_width), c) ? 2 : 1;
}

uint32_t text_next(struct slice *s)
{
    const unsigned char *p = (const unsigned char *)s->ptr;
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC0 ? 2 : 0;
    uint32_t c = n < 2 ? p[0] : p[0] & (0x7FU >> n);
    size_t i = 1;

    for (; i < n && i < s->len && (p[i] & 0xC0) == 0x80; i++)
        c = c << 6 | (p[i] & 0x3FU);
    if (n == 0 || i < n || c < lowest[n] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) {
        *s = slice_from(*s, 1);
        return 0xFFFD;
    }
    *s = slice_from(*s, n);
    return c;
}

/* The length of the escape sequence that S begins with (ESC itself at least); *RET_SGR when it only
 * sets colours. An unfinished one reaches to the end: its rest could arrive as visible text, but a line
 * is whole when it comes here. */
static size_t escape_length(struct slice s, bool *ret_sgr)
{
    size_t i = 2;

    *ret_sgr = false;
    if (s.len < 2)
        return s.len;
    switch (s.ptr[1]) {
    case '[': /* CSI: parameters, intermediates, one final byte */
        while (i < s.len && s.ptr[i] >= 0x20 && s.ptr[i] <= 0x3F)
            i++;
        if (i == s.len)
            return i;
        *ret_sgr = s.ptr[i] == 'm' && i < 64;
        for (size_t k = 2; k < i; k++)
            *ret_sgr = *ret_sgr &&
                       ((s.ptr[k] >= '0' && s.ptr[k] <= '9') || s.ptr[k] == ';' || s.ptr[k] == ':');
        return i + 1;
    case ']': /* OSC and the other strings: until BEL or ST */
    case 'P':
    case 'X':
    case '^':
    case '_':
        for (; i < s.len; i++) {
            if (s.ptr[i] == '\a')
                return i + 1;
            if (s.ptr[i] == '\033' && i + 1 < s.len && s.ptr[i + 1] == '\\')
                return i + 2;
        }
        return i;
    default: /* ESC, intermediates, one final byte */
        i = 1;
        while (i < s.len && s.ptr[i] >= 0x20 && s.ptr[i] <= 0x2F)
            i++;
        return i < s.len && (unsigned char)s.ptr[i] < 0x80 && s.ptr[i] >= 0x30 ? i + 1 : i;
    }
}

/* What a terminal would show last of "10%\r20%\r": the text behind the last CR that has some behind it.
 * Colours set before it are lost with their text. */
static struct slice last_state(struct slice line)
{
    while (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    const char *cr = line.len ? memrchr(line.ptr, '\r', line.len) : NULL;

    return cr ? slice_from(line, (size_t)(cr - line.ptr) + 1) : line;
}

/* Direction overrides and isolates: they can make a line read as another one. */
static bool is_override(uint32_t c)
{
    return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E ||
           c == 0x200F || c == 0x2028 || c == 0x2029;
}

static void add_char(struct buf *out, uint32_t c, struct slice bytes, struct text_style style)
{
    if (c < 0x80) {
        if ((c >= 0x20 && c != 0x7F) || c == '\t')
            buf_add_char(out, (char)c);
    } else if (!style.utf8) {
        buf_add_char(out, '?');
    } else if (c == 0xFFFD) {
        buf_add(out, SLICE("\xEF\xBF\xBD"));
    } else if (c >= 0xA0 && !is_override(c)) {
        buf_add(out, bytes);
    }
}

/* How many bytes of S, from its start, every terminal shows as they are. Most lines are nothing else, so
 * eight bytes are looked at in one go. */
static size_t plain_length(struct slice s)
{
    const uint64_t ones = 0x0101010101010101, tops = 0x80 * ones;
    size_t i = 0;
    uint64_t w;

    for (; i + sizeof w <= s.len; i += sizeof w) {
        memcpy(&w, s.ptr + i, sizeof w);
        if ((((w - 0x20 * ones) & ~w) | (w + ones) | w) & tops) /* below 0x20; 0x7F; above it */
            break;
    }
    while (i < s.len && s.ptr[i] >= 0x20 && s.ptr[i] < 0x7F)
        i++;
    return i;
}

void text_clean(struct buf *out, struct slice line, struct text_style style)
{
    bool colored = false;

    line = last_state(line);
    while (line.len) {
        size_t plain = plain_length(line);

        buf_add(out, slice_head(line, plain));
        line = slice_from(line, plain);
        if (!line.len)
            break;
        if (line.ptr[0] == '\033') {
            bool sgr;
            size_t n = escape_length(line, &sgr);

            if (sgr && style.color) {
                buf_add(out, slice_head(line, n));
                colored = true;
            }
            line = slice_from(line, n);
        } else {
            struct slice before = line;
            uint32_t c = text_next(&line);

            add_char(out, c, slice_head(before, before.len - line.len), style);
        }
    }
    if (colored)
        buf_add(out, SLICE("\033[0m"));
}

int text_width(struct slice text)
{
    int width = 0;

    while (text.len) {
        if (text.ptr[0] == '\033') {
            bool sgr;

            text = slice_from(text, escape_length(text, &sgr));
        } else {
            width += char_width(text_next(&text));
        }
    }
    return width;
}

int text_cut(struct buf *out, struct slice text, int width, struct text_style style)
{
    bool whole = text_width(text) <= width;
    int room = whole ? width : width - (style.utf8 ? 1 : 2), used = 0;
    bool colored = false;

    while (text.len) {
        struct slice before = text;
        bool sgr = false;
        int w = 0;

        if (text.ptr[0] == '\033') {
            text = slice_from(text, escape_length(text, &sgr));
            colored = true;
        } else {
            w = char_width(text_next(&text));
        }
        if (used + w > room)
            break;
        used += w;
        if (before.ptr[0] == '\t')
            buf_add_char(out, ' ');
        else
            buf_add(out, slice_head(before, before.len - text.len));
    }
    if (colored)
        buf_add(out, SLICE("\033[0m"));
    if (!whole && width > 0) {
        int dots = width - used < (style.utf8 ? 1 : 2) ? width - used : (style.utf8 ? 1 : 2);

        buf_add(out, style.utf8 ? SLICE("\xE2\x80\xA6") : slice_head(SLICE(".."), (size_t)dots));
        used += dots;
    }
    return used;
}

void text_fold(struct buf *out, struct slice text, int width, int indent)
{
    int used = 0;
    bool fresh = true; /* no word on this line yet: the next one has its place here, however long */

    indent = indent < width / 2 ? indent : width / 2;
    while (text.len) {
        size_t gap = 0, end;

        while (gap < text.len && text.ptr[gap] == ' ')
            gap++;
        for (end = gap; end < text.len && text.ptr[end] != ' ';)
            end++;
        struct slice word = slice_from(slice_head(text, end), gap);
        int columns = text_width(word);

        if (!fresh && word.len && used + (int)gap + columns > width) {
            buf_printf(out, "\n%*s", indent, "");
            used = indent;
        } else {
            buf_add(out, slice_head(text, gap));
            used += (int)gap;
        }
        buf_add(out, word);
        used += columns;
        fresh = fresh && !columns;
        text = slice_from(text, end);
    }
}
