# page.awk - makes a manual page (man(7)) of one of our manuals in Markdown, so that each is written once.
#
#   awk -v date=2026-11-22 -v version=0.1.0 -f page.awk cmd_run.md > ostler-run.1
#
# What it knows of Markdown is what the manuals use. Their form: "# ostler-run(1)" in the first line; the first indented block
# before any "## " or "```" is the synopsis; the first sentence is what the page is called by. A table becomes a list, its first column the
# words that are explained. A link to another manual becomes the name of its page, and is told again under SEE ALSO.
# Any awk will do. mandoc -T lint has nothing to say of what comes out (tests/house).

{ lines[++count] = $0 }

END {
    if (!title(lines[1])) {
        print FILENAME ":1: the first line is no '# name(section)'" > "/dev/stderr"
        exit 1
    }
    folder = FILENAME
    if (!sub(/\/[^\/]*$/, "", folder))
        folder = "."
    at = 2
    find_synopsis()
    printf ".TH %s %s %s \"Ostler %s\" \"Ostler manual\"\n", toupper(name), section, date, version
    print ".SH NAME"
    fill(escape(name) " \\- " gist())
    if (synopsis_from) {
        print ".SH SYNOPSIS"
        code(synopsis_from, synopsis_to, 4, 0)
    }
    print ".SH DESCRIPTION"
    opened = 1
    while (at <= count)
        block()
    see_also()
}

# ---- the parts of a page ----

function title(line)
{
    if (line !~ /^# [a-z-]+\([0-9]\)$/)
        return 0
    name = substr(line, 3, index(line, "(") - 3)
    section = substr(line, index(line, "(") + 1, 1)
    return 1
}

function is_code(line) { return line ~ /^    / }
function is_blank(line) { return line ~ /^[ \t]*$/ }

# An indented block may have blank lines in it, but does not end with one.
function code_end(from,    to)
{
    to = from
    while (from <= count && (is_code(lines[from]) || is_blank(lines[from]))) {
        if (is_code(lines[from]))
            to = from
        from++
    }
    return to
}

function find_synopsis(    i)
{
    for (i = 2; i <= count && lines[i] !~ /^(## |```)/; i++)
        if (is_code(lines[i])) {
            synopsis_from = i
            synopsis_to = code_end(i)
            return
        }
}

# The first sentence, in small letters and without its end.
function gist(    i, text)
{
    for (i = 2; i <= count && (is_blank(lines[i]) || is_code(lines[i])); i++)
        ;
    for (; i <= count && !is_blank(lines[i]); i++)
        text = text " " lines[i]
    text = substr(text, 2)
    sub(/[:.]( .*)?$/, "", text)
    if (match(text, /[.:] /))
        text = substr(text, 1, RSTART - 1)
    gsub(/[`*]/, "", text)
    while (match(text, /\[[^]]*\]\([^)]*\)/)) # a link's words
        text = substr(text, 1, RSTART - 1) words_of(substr(text, RSTART, RLENGTH)) substr(text, RSTART + RLENGTH)
    return escape(tolower(substr(text, 1, 1)) substr(text, 2))
}

function words_of(link) { return substr(link, 2, index(link, "](") - 2) }

function see_also(    i, j, swap)
{
    if (!n_seen)
        return
    for (i = 1; i < n_seen; i++)
        for (j = i + 1; j <= n_seen; j++)
            if (seen[j] < seen[i]) {
                swap = seen[i]; seen[i] = seen[j]; seen[j] = swap
            }
    print ".SH SEE ALSO"
    for (i = 1; i <= n_seen; i++) {
        split(seen[i], swap_part, "(")
        printf ".BR %s (%s%s\n", escape(swap_part[1]), swap_part[2], i < n_seen ? " ," : ""
    }
}

# ---- blocks ----

function block(    line, text)
{
    line = lines[at]
    if (is_blank(line)) {
        at++
    } else if (at == synopsis_from) {
        at = synopsis_to + 1
    } else if (line ~ /^##+ /) {
        text = line
        sub(/^##+ /, "", text)
        printf "%s %s\n", line ~ /^## / ? ".SH" : ".SS", inline(line ~ /^## / ? capitals(text) : text)
        at++
        opened = 1
    } else if (is_code(line)) {
        code(at, code_end(at), 4, 1)
        at = code_end(at) + 1
    } else if (line ~ /^```/) {
        text = at + 1
        for (at++; at <= count && lines[at] !~ /^```/; at++)
            ;
        code(text, at - 1, 0, 1)
        at++
    } else if (line ~ /^\|/) {
        table()
    } else if (line ~ /^(- |[0-9]+\. )/) {
        item()
    } else {
        paragraph()
    }
}

# What is code keeps its letters.
function capitals(text,    part, n, i, out)
{
    n = split(text, part, "`")
    for (i = 1; i <= n; i++)
        out = out (i > 1 ? "`" : "") (i % 2 ? toupper(part[i]) : part[i])
    return out
}

function code(from, to, indent, inset,    i, text)
{
    if (inset)
        print opened ? ".RS 4" : ".PP\n.RS 4"
    print ".nf"
    for (i = from; i <= to; i++) {
        text = escape(substr(lines[i], indent + 1))
        print text == "" ? "\\&" : protect(text)
    }
    print ".fi"
    if (inset)
        print ".RE"
    opened = 0
}

# Lines up to a blank one, or to where something else begins.
function gather(text,    line)
{
    for (; at <= count; at++) {
        line = lines[at]
        if (is_blank(line) || line ~ /^(- |[0-9]+\. |\||```|#)/)
            break
        sub(/^ +/, "", line)
        text = text (text == "" ? "" : " ") line
    }
    return text
}

function paragraph()
{
    if (!opened)
        print ".PP"
    fill(inline(gather("")))
    opened = 0
}

function item(    tag, text)
{
    tag = lines[at] ~ /^- / ? "\\(bu 2" : substr(lines[at], 1, index(lines[at], " ") - 1) " 4"
    text = lines[at++]
    sub(/^(-|[0-9]+\.) +/, "", text)
    print ".IP " tag
    fill(inline(gather(text)))
    opened = 0
}

# Cells are told apart by "|"; "\|" is one that is meant.
function cells(line, ret,    n, i)
{
    gsub(/\\\|/, "\001", line)
    sub(/^\| */, "", line)
    sub(/ *\| *$/, "", line)
    n = split(line, ret, / *\| */)
    for (i = 1; i <= n; i++)
        gsub(/\001/, "|", ret[i])
    return n
}

function table(    head, row, n, i, text)
{
    cells(lines[at], head)
    for (at += 2; at <= count && lines[at] ~ /^\|/; at++) {
        n = cells(lines[at], row)
        print ".TP"
        print protect(inline(row[1]))
        text = row[2]
        for (i = 3; i <= n; i++)
            if (row[i] != "")
                text = text (text == "" ? "" : " ") "(" head[i] ": " row[i] ")"
        fill(text == "" ? "\\&" : inline(text))
    }
    opened = 0
}

# ---- text ----

# Characters that roff would take for something else. A hyphen of ours is one to be typed.
function escape(text)
{
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    gsub(/'/, "\\(aq", text)
    gsub(/`/, "\\(ga", text)
    gsub(/\^/, "\\(ha", text)
    gsub(/~/, "\\(ti", text)
    return text
}

function protect(line) { return line ~ /^[.']/ ? "\\&" line : line }

# Bold, italics, code and links. Code comes first: nothing in it is anything else.
function inline(text,    out, i, c, end)
{
    out = ""
    while (text != "") {
        c = substr(text, 1, 1)
        if (c == "`" && (end = index(substr(text, 2), "`")) > 1) {
            out = out "\\fB" escape(substr(text, 2, end - 1)) "\\fR"
            text = substr(text, end + 2)
        } else if (c == "[" && match(text, /^\[[^]]*\]\([^)]*\)/)) {
            i = RLENGTH
            out = out link(substr(text, 1, i))
            text = substr(text, i + 1)
        } else if (substr(text, 1, 2) == "**" && (end = index(substr(text, 3), "**")) > 1) {
            out = out "\\fB" inline(substr(text, 3, end - 1)) "\\fR"
            text = substr(text, end + 4)
        } else if (c == "*" && text ~ /^\*[A-Za-z]/ && (end = index(substr(text, 2), "*")) > 1) {
            out = out "\\fI" escape(substr(text, 2, end - 1)) "\\fR"
            text = substr(text, end + 2)
        } else {
            out = out escape(c)
            text = substr(text, 2)
        }
    }
    return out
}

# To a manual: the name of its page, behind the words unless they say just that. To elsewhere: the words, and an address.
function link(whole,    words, where, page)
{
    words = words_of(whole)
    where = substr(whole, index(whole, "](") + 2)
    sub(/\)$/, "", where)
    if (where ~ /^https?:/)
        return inline(words) " (" escape(where) ")"
    page = page_of(where)
    if (page == "")
        return inline(words)
    remember(page)
    page = "\\fB" escape(substr(page, 1, index(page, "(") - 1)) "\\fR" substr(page, index(page, "("))
    return words ~ /^`ostler( [a-z]+)?`$/ ? page : inline(words) " (" page ")"
}

function page_of(where,    first)
{
    sub(/#.*/, "", where)
    if (where !~ /\.md$/)
        return ""
    where = folder "/" where
    if (!(where in first_lines)) {
        if ((getline first < where) <= 0)
            first = ""
        close(where)
        first_lines[where] = first
    }
    first = first_lines[where]
    return first ~ /^# [a-z-]+\([0-9]\)$/ && first != lines[1] ? substr(first, 3) : ""
}

function remember(page,    i)
{
    for (i = 1; i <= n_seen; i++)
        if (seen[i] == page)
            return
    seen[++n_seen] = page
}

# Lines of at most 78 characters. None begins like a request.
function fill(text,    n, words, i, line)
{
    n = split(text, words, / +/)
    for (i = 1; i <= n; i++) {
        if (line != "" && length(line) + length(words[i]) > 77) {
            print protect(line)
            line = ""
        }
        line = line (line == "" ? "" : " ") words[i]
    }
    print protect(line)
}
