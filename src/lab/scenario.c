#include "lab/scenario.h"

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/*
 * Act 1. 160 requests a second, three calls each, to a server with 1,000 slots that takes
 * 3 to 5 s: it can answer 250 calls a second of the 480. Two addresses, so that ports do
 * not run out on top.
 */
static const struct lab_variant overload_variants[] = {
	{ "naive",
		"weir proxy with the incident's faults: says keep-alive and closes after each "
		"answer, no deadline, no cap",
		LAB_PROXY, LAB_FAULT,
		WORDS("--connections", "pretend", "--timeout", "none", "--limit", "none",
			"--queue-for", "none"),
		NULL },
	{ "node", "Node, keepAlive: false, forwards its caller's Connection: keep-alive",
		LAB_NODE, LAB_WITNESS, NULL, NULL },
	{ "go", "Go, default Transport: two idle connections a host, no cap", LAB_GO,
		LAB_WITNESS, NULL, NULL },
	{ "timeout", "naive with a timeout of 1 s, and nothing else", LAB_PROXY, LAB_CURE,
		WORDS("--connections", "pretend", "--timeout", "1s", "--abandon", "close",
			"--limit", "none", "--queue-for", "none"),
		NULL },
	{ "pool", "connections kept alive, no deadline, no cap", LAB_PROXY, LAB_CURE,
		WORDS("--connections", "pool", "--timeout", "none", "--limit", "none",
			"--queue-for", "none"),
		NULL },
	/* 800 ms in the queue, then at most 5 s at the server: inside the 6 s. */
	{ "weir",
		"weir proxy: the server's limit as its cap, a bounded queue, a deadline",
		LAB_PROXY, LAB_WEIR,
		WORDS("--limit", "{limit}", "--timeout", "6s", "--queue-for", "800ms"),
		NULL },
};

/*
 * Act 2. 400 calls a second through the caller's own pool of 50; one call in twenty takes
 * 3 s, and those fill the pool. The server itself has room.
 */
static const struct lab_variant pool_variants[] = {
	{ "pool-50", "a pool of 50 in the middle, a queue without end, no deadline",
		LAB_PROXY, LAB_FAULT,
		WORDS("--connections", "pool", "--limit", "{pool}", "--timeout", "none",
			"--queue", "none", "--queue-for", "none"),
		NULL },
	{ "node-50", "Node with maxSockets 50, no deadline", LAB_NODE, LAB_WITNESS, NULL,
		WORDS("POOL={pool}") },
	{ "timeout", "the same pool of 50, with a timeout of 500 ms", LAB_PROXY, LAB_CURE,
		WORDS("--connections", "pool", "--limit", "{pool}", "--timeout", "500ms",
			"--abandon", "close", "--ghost-for", "0ms", "--settle-for", "0ms",
			"--queue", "none", "--queue-for", "none"),
		NULL },
	{ "weir",
		"weir proxy: the server's limit as its cap, a bounded queue, a deadline",
		LAB_PROXY, LAB_WEIR,
		WORDS("--limit", "{limit}", "--timeout", "6s", "--queue-for", "1s"),
		NULL },
};

static const struct lab_act incident_acts[] = {
	{
		.number = 1,
		.title = "an overloaded server",
		.about =
			"Callers send more than the server can answer; it refuses the rest.",
		.rate = 160,
		.run_for = 66 *
			   NS_S, /* TIME_WAIT needs 60 s to fill, the first answers 5 s */
		.patience = 6 * NS_S,
		.wait_for = 7 * NS_S,
		.manner = "pretend",
		.gather = 3,
		.addresses = 2,
		.limit = 1000,
		.pool = 50,
		.latency = "uniform(3s, 5s)",
		.variants = overload_variants,
		.n_variants = ARRAY_LEN(overload_variants),
	},
	{
		.number = 2,
		.title = "the caller's own pool",
		.about =
			"The server has room; a few slow calls fill the pool in the middle.",
		.rate = 400,
		.run_for = 25 * NS_S,
		.patience = 6 * NS_S,
		.wait_for = 7 * NS_S,
		.manner = "pretend",
		.gather = 1,
		.addresses = 1,
		.limit = 100,
		.pool = 50,
		.latency = "mix(95%: 50ms, 5%: 3s)",
		.variants = pool_variants,
		.n_variants = ARRAY_LEN(pool_variants),
	},
};

static const struct lab_scenario scenarios[] = {
	{ "incident",
		"a middleware between many callers and a slow, limited API: 20,000 sockets in "
		"TIME_WAIT",
		incident_acts, ARRAY_LEN(incident_acts) },
};

const struct lab_scenario *scenario_at(size_t i)
{
	return i < ARRAY_LEN(scenarios) ? &scenarios[i] : NULL;
}

const struct lab_scenario *scenario_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
		if (!strcmp(scenarios[i].name, name))
			return &scenarios[i];
	}
	return NULL;
}
