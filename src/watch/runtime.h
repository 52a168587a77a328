/*
 * runtime: what a program is written in or with, as far as its file tells: a cure is a line of
 * that language's client.
 */
#ifndef WEIR_WATCH_RUNTIME_H
#define WEIR_WATCH_RUNTIME_H

#include "base/base.h"

/* name as in JSON, title as people write it */
#define RUNTIMES(X) \
	X(UNKNOWN, "unknown", "any program") \
	X(NODE, "node", "Node.js") \
	X(PYTHON, "python", "Python") \
	X(GO, "go", "Go") \
	X(JAVA, "java", "Java") \
	X(CURL, "curl", "curl") \
	X(NGINX, "nginx", "nginx") \
	X(HAPROXY, "haproxy", "HAProxy") \
	X(PHP, "php", "PHP") \
	X(RUBY, "ruby", "Ruby")

enum runtime {
#define X(id, name, title) RUNTIME_##id,
	RUNTIMES(X)
#undef X
		RUNTIME_COUNT
};

const char *runtime_name(enum runtime r);
const char *runtime_title(enum runtime r);
/* Of the file that the process runs, or else by the name it goes by: it may be gone already. */
enum runtime runtime_of(int32_t pid, const char *comm);
/* By the name of a program's file alone, "python3.11". */
enum runtime runtime_of_name(const char *name);

#endif
