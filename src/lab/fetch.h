/*
 * fetch: gauges read from a program of the lab over its Unix socket.
 *
 * CONTEXT blocks for up to FETCH_FOR; a program too busy to answer misses that sample.
 */
#ifndef WEIR_LAB_FETCH_H
#define WEIR_LAB_FETCH_H

#include "base/json_read.h"
#include "base/text.h"

#define FETCH_FOR (400 * NS_MS)

/* GET / ; NULL when there was no whole JSON document. */
struct json_doc *lab_fetch(const char *socket_path);

/* A whole file into `out` (at most `max` bytes, its last ones); false: it is not there. */
bool lab_read_file(const char *path, size_t max, struct text *out);

#endif
