/*
 * stage: crowd, proxy and api on three simulated hosts: the real proxy as main.c composes it,
 * with options as a user writes them.
 */
#ifndef WEIR_TESTS_SIM_STAGE_H
#define WEIR_TESTS_SIM_STAGE_H

#include "proxy/proxy.h"
#include "tests/sim/api.h"
#include "tests/sim/crowd.h"

#define STAGE_WORDS_BYTES 1000

struct stage {
	struct sim *sim;
	struct io_loop *crowd_host, *proxy_host, *api_host;
	char words[STAGE_WORDS_BYTES];
	struct proxy_options opt; /* its texts are in words */
	struct upstream_cfg upstream;
	struct proxy proxy;
	struct api api;
	struct crowd crowd;
};

/* Options as behind `weir proxy`, in one line, kept in `words` for as long as `out` is used. CHECKs
 * that they are good. */
void stage_options(
	struct proxy_options *out, char words[STAGE_WORDS_BYTES], const char *options);
/* `options` in one line, as behind `weir proxy`; listen and upstream are the stage's. */
void stage_init(struct stage *s, const struct sim_cfg *sim, const char *options,
	const struct api_cfg *api, const struct crowd_cfg *crowd);
void stage_run(struct stage *s, ns_t until);
/* The gauges that must be zero when nothing goes on; the name of the first that is not, or
 * NULL. */
const char *stage_leak(const struct stage *s);
void stage_fini(struct stage *s);

#endif
