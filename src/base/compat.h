/*
 * compat: what differs between builds and compilers. The one file outside io/ and bpf/
 * with #if.
 *
 * WHAT    mem_poison() and mem_unpoison(): memory that is ours but must not be touched,
 *         reported by AddressSanitizer when it is; nothing in other builds.
 */
#ifndef WEIR_BASE_COMPAT_H
#define WEIR_BASE_COMPAT_H

#include "base/base.h"

#if defined(__SANITIZE_ADDRESS__)
#define WEIR_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_ASAN 1
#endif
#endif

#if defined(WEIR_ASAN)
#include <sanitizer/asan_interface.h>
#define MEM_POISONS true
#define MEM_GUARD_BYTES 16 /* between two objects, so that running over one shows */
#else
#define MEM_POISONS false
#define MEM_GUARD_BYTES 0
#endif

static inline void mem_poison(const void *ptr, size_t bytes)
{
#if defined(WEIR_ASAN)
	__asan_poison_memory_region(ptr, bytes);
#else
	(void)ptr;
	(void)bytes;
#endif
}

static inline void mem_unpoison(const void *ptr, size_t bytes)
{
#if defined(WEIR_ASAN)
	__asan_unpoison_memory_region(ptr, bytes);
#else
	(void)ptr;
	(void)bytes;
#endif
}

/* For tests of the above. */
static inline bool mem_is_poisoned(const void *byte)
{
#if defined(WEIR_ASAN)
	return __asan_address_is_poisoned(byte);
#else
	(void)byte;
	return false;
#endif
}

#endif
