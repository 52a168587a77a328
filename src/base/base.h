/*
 * base: the few words every file speaks.
 *
 * WHAT    CHECK() for our own bugs, MUST_USE, containers, and the clock type.
 * RULES   1. CHECK is on in every build: it prints the condition and the place, then
 *            aborts.
 */
#ifndef WEIR_BASE_BASE_H
#define WEIR_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/banned.h"

/* Nanoseconds. Instants are on the monotonic clock; durations end in _for. */
typedef int64_t ns_t;

#define NS_US ((ns_t)1000)
#define NS_MS ((ns_t)1000000)
#define NS_S ((ns_t)1000000000)
#define NS_NEVER INT64_MAX /* as a deadline: none; as a duration: without end */

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define CHECK(cond) (LIKELY(cond) ? (void)0 : check_failed(#cond, __FILE__, __LINE__))
/* For the place behind a switch over an enum whose every case returns. */
#define NEVER_HERE() check_failed("never here", __FILE__, __LINE__)

NORETURN void check_failed(const char *cond, const char *file, int line);

/* malloc family that aborts on NULL: running out of what is bounded is decided before, at
 * admission. */
MUST_USE void *mem_alloc(size_t bytes);
MUST_USE void *mem_zalloc(size_t bytes);
MUST_USE void *mem_realloc(void *ptr, size_t bytes);
MUST_USE char *mem_strdup(const char *text);
void mem_free(void *ptr);

static inline ns_t ns_min(ns_t a, ns_t b)
{
	return a < b ? a : b;
}

static inline ns_t ns_max(ns_t a, ns_t b)
{
	return a > b ? a : b;
}

/* at + by, saturating at NS_NEVER when either is NS_NEVER. */
static inline ns_t ns_add(ns_t at, ns_t by)
{
	ns_t sum;
	if (at == NS_NEVER || by == NS_NEVER || __builtin_add_overflow(at, by, &sum))
		return NS_NEVER;
	return sum;
}

#endif
