/*
 * err: one code for each way the world can fail; the table is err.def.
 *
 * RULES   1. Every function that can fail on account of the world returns enum err,
 *            MUST_USE.
 *         2. ERR_AGAIN is the only value that promises a later callback.
 */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

#include "base/base.h"

enum err {
#define ERR(name, fault, retry, status, label, text) ERR_##name,
#include "base/err.def"
#undef ERR
	ERR_COUNT
};

enum err_fault { FAULT_NOBODY, FAULT_CLIENT, FAULT_UPSTREAM, FAULT_LOCAL, FAULT_POLICY };
enum err_retry { RETRY_SAFE, RETRY_UNSURE, RETRY_NO };

const char *err_text(enum err e);  /* "connection reset by the peer" */
const char *err_label(enum err e); /* "reset" */
enum err_fault err_fault(enum err e);
enum err_retry err_retry(enum err e);
uint16_t err_status(enum err e); /* 0: a caller is never told */
/* errno of a socket call into our table; unknown values give ERR_SOCKET.
 * EAGAIN/EINPROGRESS: ERR_AGAIN. */
enum err err_from_errno(int errnum);

/*
 * problem: one message for a person: what, where, what to do. Used where a program cannot
 * start or a file is wrong. Filled once; later fills are ignored, so the first cause
 * stands.
 */
struct problem {
	char text[512];
};

/* Always returns false, so that a parser can `return problem_set(...)`. NULL problem:
 * nothing. */
#define problem_set(p, ...) (problem_fill((p), __VA_ARGS__), problem_stands())

void problem_fill(struct problem *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Here, not in err.c, so that compiler and analysers see that it is false. */
static inline bool problem_stands(void)
{
	return false;
}

#endif
