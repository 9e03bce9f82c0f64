/* image - what is to be pushed, wherever it came from. All of it is in phase memory; descriptors belong to the tree. */
#pragma once

#include "../lib/text.h"

enum {
    DOCUMENT_MAX = 4 << 20, /* bytes of a manifest or an index: registries take no more */
    CONFIG_MAX = 8 << 20,
    BLOBS_MAX = 600, /* of all images; each may hold a descriptor open, and a plugin has 1,024 */
    IMAGES_MAX = 64,
    INDEX_DEPTH_MAX = 4,
};

struct piece { /* bytes: in memory, or SIZE of FD from AT on */
    const char *data;
    int fd;
    int64_t at, size;
};

struct descriptor {
    const char *type;   /* media type */
    const char *digest; /* "sha256:..."; NULL: not known before it is packed */
    int64_t size;
};

struct platform { /* "" for what is not said */
    const char *os, *architecture, *variant;
};

struct blob {
    struct blob *next; /* of the image */
    struct descriptor d;
    struct piece bytes;  /* as they go to the registry; size 0: none here, it has them */
    struct piece raw;    /* of a layer that comes uncompressed: size 0: it is none */
    const char *diff_id; /* what RAW must be; NULL: not said */
    const char *what;    /* for messages: "layer 3 of 'app.tar'" */
    bool foreign;        /* is not for registries: it stays where its URL says */
};

struct document { /* a manifest or an index, byte for byte */
    struct document *next;
    struct descriptor d;
    const char *data;
};

struct image {
    struct image *next;
    struct platform platform;
    bool attestation; /* says something of another image: not to be run */
    bool oci;         /* whose media types it has */
    struct blob *config;
    struct blob *layers;      /* bottom first */
    struct document manifest; /* digest NULL: is yet to be made */
    struct document old;      /* what it is made from then; data NULL: there is none */
    const char *source;       /* that it is of, for messages */
};

struct held { /* a descriptor that pieces are read from */
    struct held *next;
    int fd;
};

struct tree { /* zeroed is empty; end it with tree_close() */
    struct image *images;
    struct document *indexes; /* as they came, inner ones first, the last one stands for all */
    size_t n_images, n_blobs;
    struct held *held;
    size_t n_roots; /* how many things were put side by side to make it */
};
