/* lex - expressions as tokens, each checked against the one before it (expressions.md 2). */
#pragma once

#include "base/slice.h"
#include "base/vec.h"

enum expr_token_kind {
    TOK_NONE,  /* the end; as a predecessor: the beginning */
    TOK_BAD,   /* an unexpected symbol */
    TOK_GROUP, /* ( */
    TOK_CALL,  /* ( after a function's name */
    TOK_INDEX, /* [ */
    TOK_END_GROUP,
    TOK_END_CALL,
    TOK_END_INDEX,
    TOK_COMMA,
    TOK_DOT,
    TOK_STAR,
    TOK_NULL,
    TOK_TRUE,
    TOK_FALSE,
    TOK_NUMBER,
    TOK_STRING,
    TOK_PROPERTY,
    TOK_FUNCTION,
    TOK_NAME,
    TOK_NOT,
    TOK_EQ,
    TOK_NE,
    TOK_LT,
    TOK_LE,
    TOK_GT,
    TOK_GE,
    TOK_AND,
    TOK_OR,
};

struct expr_token {
    enum expr_token_kind kind;
    size_t offset;
    struct slice raw; /* STRING: quotes included */
    double number;
};

struct expr_lexer {
    struct slice text;
    size_t at;
    enum expr_token_kind last;
    VEC(unsigned char) open; /* brackets not closed yet, as token kinds */
};

void expr_lexer_deinit(struct expr_lexer *l);

/* The next token; false at the end. */
bool expr_lex(struct expr_lexer *l, struct expr_token *ret);

/* [A-Za-z_][A-Za-z0-9_-]* */
bool expr_is_keyword(struct slice s);
