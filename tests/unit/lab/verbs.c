/* The verbs whose options scenarios use, as the program has them. */
#include "base/opts.h"

extern const struct verb proxy_verb, origin_verb, load_verb;

const struct verb *verb_named(const char *name)
{
	const struct verb *const verbs[] = { &proxy_verb, &origin_verb, &load_verb };
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	}
	return NULL;
}
