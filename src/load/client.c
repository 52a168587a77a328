#include "load/client.h"

#include "base/units.h"

#define NO_BOUND UINT64_MAX

static const struct client clients[] = {
	/* DefaultTransport: MaxIdleConnsPerHost 2, IdleConnTimeout 90 s */
	{ "go-default", UPSTREAM_POOL, NO_BOUND, 2, 90 * NS_S },
	/* http.globalAgent up to Node 18: keepAlive false, so it says close */
	{ "node14", UPSTREAM_CLOSE, NO_BOUND, NO_BOUND, NS_NEVER },
	/* the same from Node 19 on: keepAlive true, timeout 5 s, maxFreeSockets 256 */
	{ "node20", UPSTREAM_POOL, NO_BOUND, 256, 5 * NS_S },
	/* Node's fetch: keepAliveTimeout 4 s */
	{ "undici", UPSTREAM_POOL, NO_BOUND, NO_BOUND, 4 * NS_S },
	/* a Session for each call, closed after it */
	{ "requests-get", UPSTREAM_PRETEND, NO_BOUND, NO_BOUND, NS_NEVER },
	/* pool_maxsize 10, pool_block false: what is beyond it is thrown away */
	{ "requests-session", UPSTREAM_POOL, NO_BOUND, 10, NS_NEVER },
	/* HttpURLConnection: http.maxConnections 5, kept for 5 s */
	{ "java-url", UPSTREAM_POOL, NO_BOUND, 5, 5 * NS_S },
	/* ConnectionPool: 5 for 5 min */
	{ "okhttp", UPSTREAM_POOL, NO_BOUND, 5, 300 * NS_S },
	/* HttpClient 5: defaultMaxPerRoute 5, further calls wait; DEFAULT_CONN_KEEP_ALIVE 3 min */
	{ "apache5", UPSTREAM_POOL, 5, NO_BOUND, 180 * NS_S },
	/* the program: a process a call */
	{ "curl", UPSTREAM_PRETEND, NO_BOUND, NO_BOUND, NS_NEVER },
};

const struct client *client_named(const char *name, struct problem *p)
{
	const char *names[ARRAY_LEN(clients)];
	struct text all;

	text_init(&all);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		if (strcmp(clients[i].name, name) == 0) {
			text_fini(&all);
			return &clients[i];
		}
		names[i] = clients[i].name;
		text_addf(&all, "%s%s", i ? ", " : "", names[i]);
	}
	const char *meant = units_nearest(slice_of(name), names, ARRAY_LEN(names));
	if (meant)
		(void)problem_set(
			p, "--as: unknown client '%s': did you mean %s?", name, meant);
	else
		(void)problem_set(
			p, "--as: unknown client '%s': write one of %s", name, all.ptr);
	text_fini(&all);
	return NULL;
}
