#include "lang/expr/lex.h"

#include "lang/expr/expr.h"
#include "lang/utf.h"

#include <math.h>
#include <stdint.h>

#define BIT(kind) (1u << (kind))

enum {
    OPERATORS = BIT(TOK_NOT) | BIT(TOK_EQ) | BIT(TOK_NE) | BIT(TOK_LT) | BIT(TOK_LE) | BIT(TOK_GT) |
                BIT(TOK_GE) | BIT(TOK_AND) | BIT(TOK_OR),
    START = BIT(TOK_NONE) | BIT(TOK_COMMA) | BIT(TOK_GROUP) | BIT(TOK_CALL) | BIT(TOK_INDEX) |
            OPERATORS,
    LITERALS = BIT(TOK_NULL) | BIT(TOK_TRUE) | BIT(TOK_FALSE) | BIT(TOK_NUMBER) | BIT(TOK_STRING),
    REACHABLE = BIT(TOK_END_GROUP) | BIT(TOK_END_CALL) | BIT(TOK_END_INDEX) | BIT(TOK_STAR) |
                BIT(TOK_PROPERTY) | BIT(TOK_NAME), /* what . and [ may follow */
    END = REACHABLE | LITERALS,
};

/* What may stand before a token (expressions.md 2.1). */
static const uint32_t after[] = {
    [TOK_GROUP] = START,
    [TOK_CALL] = BIT(TOK_FUNCTION),
    [TOK_INDEX] = REACHABLE,
    [TOK_END_GROUP] = END,
    [TOK_END_CALL] = END | BIT(TOK_CALL),
    [TOK_END_INDEX] = END,
    [TOK_COMMA] = END,
    [TOK_DOT] = REACHABLE,
    [TOK_STAR] = BIT(TOK_INDEX) | BIT(TOK_DOT),
    [TOK_NULL] = START,
    [TOK_TRUE] = START,
    [TOK_FALSE] = START,
    [TOK_NUMBER] = START,
    [TOK_STRING] = START,
    [TOK_PROPERTY] = BIT(TOK_DOT),
    [TOK_FUNCTION] = START,
    [TOK_NAME] = START,
    [TOK_NOT] = START,
    [TOK_EQ] = END,
    [TOK_NE] = END,
    [TOK_LT] = END,
    [TOK_LE] = END,
    [TOK_GT] = END,
    [TOK_GE] = END,
    [TOK_AND] = END,
    [TOK_OR] = END,
};

void expr_lexer_deinit(struct expr_lexer *l)
{
    vec_deinit(&l->open);
}

bool expr_is_keyword(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '-')))
            return false;
    }
    return s.len > 0;
}

static size_t skip_space(struct slice s, size_t at)
{
    for (size_t next = at; at < s.len && utf_is_space(utf_next(s, &next)); at = next)
        ;
    return at;
}

/* The end of the run that begins at FROM; its first character belongs to it whatever it is. */
static size_t run_end(struct slice s, size_t from, bool dots)
{
    size_t at = from;

    utf_next(s, &at);
    for (size_t next = at; at < s.len; at = next) {
        uint32_t c = utf_next(s, &next);

        if (c == '.' && dots)
            continue;
        if (utf_is_space(c) || (c < 0x80 && c && strchr("([)],.!><=&|", (int)c)))
            break;
    }
    return at;
}

static enum expr_token_kind lex_string(struct expr_lexer *l)
{
    struct slice s = l->text;

    for (size_t at = l->at + 1; at < s.len; at++) {
        if (s.ptr[at] != '\'')
            continue;
        if (at + 1 == s.len || s.ptr[at + 1] != '\'') {
            l->at = at + 1;
            return TOK_STRING;
        }
        at++;
    }
    l->at = s.len;
    return TOK_BAD;
}

static enum expr_token_kind lex_operator(struct expr_lexer *l)
{
    static const struct {
        char text[3];
        enum expr_token_kind kind;
    } operators[] = {{"!=", TOK_NE}, {">=", TOK_GE},  {"<=", TOK_LE},
                     {"==", TOK_EQ}, {"&&", TOK_AND}, {"||", TOK_OR},
                     {"!", TOK_NOT}, {">", TOK_GT},   {"<", TOK_LT}};
    struct slice rest = slice_from(l->text, l->at);

    for (size_t i = 0; i < COUNT_OF(operators); i++) {
        if (slice_starts(rest, slice_of(operators[i].text))) {
            l->at += strlen(operators[i].text);
            return operators[i].kind;
        }
    }
    l->at = run_end(l->text, l->at, false);
    return TOK_BAD;
}

static enum expr_token_kind lex_number(struct expr_lexer *l, double *ret)
{
    size_t from = l->at;

    l->at = run_end(l->text, from, true);
    *ret = expr_parse_number(slice_make(l->text.ptr + from, l->at - from));
    return isnan(*ret) ? TOK_BAD : TOK_NUMBER;
}

static enum expr_token_kind lex_keyword(struct expr_lexer *l, double *ret)
{
    size_t from = l->at;

    l->at = run_end(l->text, from, false);
    struct slice word = slice_make(l->text.ptr + from, l->at - from);

    if (!expr_is_keyword(word))
        return TOK_BAD;
    if (l->last == TOK_DOT)
        return TOK_PROPERTY;
    if (slice_eq(word, SLICE("null")))
        return TOK_NULL;
    if (slice_eq(word, SLICE("true")))
        return TOK_TRUE;
    if (slice_eq(word, SLICE("false")))
        return TOK_FALSE;
    if (slice_eq(word, SLICE("NaN"))) {
        *ret = (double)NAN;
        return TOK_NUMBER;
    }
    if (slice_eq(word, SLICE("Infinity"))) {
        *ret = (double)INFINITY;
        return TOK_NUMBER;
    }
    size_t next = skip_space(l->text, l->at);
    return next < l->text.len && l->text.ptr[next] == '(' ? TOK_FUNCTION : TOK_NAME;
}

static enum expr_token_kind innermost(const struct expr_lexer *l)
{
    return l->open.len ? (enum expr_token_kind)l->open.ptr[l->open.len - 1] : TOK_NONE;
}

static enum expr_token_kind lex_any(struct expr_lexer *l, double *ret_number)
{
    char c = l->text.ptr[l->at];
    enum expr_token_kind kind;

    switch (c) {
    case '(':
        kind = l->last == TOK_FUNCTION ? TOK_CALL : TOK_GROUP;
        break;
    case ')':
        kind = innermost(l) == TOK_CALL ? TOK_END_CALL : TOK_END_GROUP;
        break;
    case '[':
        kind = TOK_INDEX;
        break;
    case ']':
        kind = TOK_END_INDEX;
        break;
    case ',':
        kind = TOK_COMMA;
        break;
    case '*':
        kind = TOK_STAR;
        break;
    case '\'':
        return lex_string(l);
    case '!':
    case '>':
    case '<':
    case '=':
    case '&':
    case '|':
        return lex_operator(l);
    case '.':
        if (BIT(l->last) & START)
            return lex_number(l, ret_number);
        kind = TOK_DOT;
        break;
    default:
        if (c == '-' || c == '+' || (c >= '0' && c <= '9'))
            return lex_number(l, ret_number);
        return lex_keyword(l, ret_number);
    }
    l->at++;
    return kind;
}

/* Keeps account of brackets; false: KIND closes or separates what is not open. */
static bool track(struct expr_lexer *l, enum expr_token_kind kind)
{
    switch (kind) {
    case TOK_GROUP:
    case TOK_CALL:
    case TOK_INDEX:
        vec_push(&l->open, (unsigned char)kind);
        return true;
    case TOK_END_GROUP:
    case TOK_END_CALL:
    case TOK_END_INDEX:
        if (innermost(l) != kind - TOK_END_GROUP + TOK_GROUP)
            return false;
        l->open.len--;
        return true;
    case TOK_COMMA:
        return innermost(l) == TOK_CALL;
    default:
        return true;
    }
}

bool expr_lex(struct expr_lexer *l, struct expr_token *ret)
{
    l->at = skip_space(l->text, l->at);
    if (l->at >= l->text.len)
        return false;

    struct expr_token t = {.offset = l->at};
    t.kind = lex_any(l, &t.number);
    t.raw = slice_make(l->text.ptr + t.offset, l->at - t.offset);
    if (t.kind != TOK_BAD && (!(after[t.kind] & BIT(l->last)) || !track(l, t.kind)))
        t.kind = TOK_BAD;
    l->last = t.kind;
    *ret = t;
    return true;
}
