/* Random exchanges: exchange_random [COUNT [SEED]]; each has a seed of its own, told when it
 * fails. */
#include <signal.h>
#include <unistd.h>

#include "base/rng.h"
#include "exchange.h"

#define BYTES_MAX 240

static volatile uint64_t playing;

static void on_abort(int signum)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "exchange_random 1 %llu\n",
		(unsigned long long)playing);
	(void)signum;
	(void)!write(STDERR_FILENO, line, (size_t)n);
	signal(SIGABRT, SIG_DFL);
	raise(SIGABRT);
}

/* Moves as often as they are named: most exchanges are to get somewhere. */
static const uint8_t moves[] = { CLIENT_ASKS, CLIENT_ASKS, CLIENT_ASKS, CLIENT_ASKS,
	CLIENT_BODY, CLIENT_CHUNK, CLIENT_LAST_CHUNK, SERVER_ANSWERS, SERVER_ANSWERS,
	SERVER_ANSWERS, SERVER_ANSWERS, SERVER_ANSWERS, SERVER_MORE, SERVER_CLOSES, WAIT,
	WAIT, WAIT, WAIT, WAIT, WAIT, WAIT };

/* The same where tunnels are asked for. */
static const uint8_t tunnel_moves[] = { CLIENT_ASKS, CLIENT_ASKS, CLIENT_BODY,
	CLIENT_BODY, CLIENT_RAW, CLIENT_SHUTS, CLIENT_CLOSES, CLIENT_EARS, SERVER_ANSWERS,
	SERVER_ANSWERS, SERVER_ANSWERS, SERVER_ANSWERS, SERVER_SAYS, SERVER_MORE,
	SERVER_MORE, SERVER_SHUTS, SERVER_CLOSES, SERVER_EARS, WAIT, WAIT, WAIT, WAIT,
	WAIT, WAIT, WAIT, WAIT };

enum { FIRST_TUNNEL = 17, SWITCHES = 13 }; /* among requests and answers */

static void draw_tunnel_move(struct rng *rng, char *what, char *arg)
{
	*what = (char)tunnel_moves[rng_below(rng, ARRAY_LEN(tunnel_moves))];
	*arg = (char)rng_below(rng, 256);
	if (*what == CLIENT_ASKS && rng_below(rng, 4))
		*arg = (char)((FIRST_TUNNEL + rng_below(rng, rng_below(rng, 2) ? 2 : 10))
				      << 1 |
			      rng_below(rng, 2));
	if (*what == SERVER_ANSWERS && rng_below(rng, 4))
		*arg = (char)((SWITCHES + rng_below(rng, 2) * 2) << 2 |
			      rng_below(rng, 4));
	if (*what == WAIT && rng_below(rng, 4))
		*arg = (char)(1 + rng_below(rng, 6));
}

/* Half of the inputs leave the odd moves to the other half. */
static void draw_move(struct rng *rng, bool wild, char *what, char *arg)
{
	if (wild && rng_below(rng, 4) == 0)
		*what = (char)rng_below(rng, MOVES);
	else
		*what = (char)moves[rng_below(rng, ARRAY_LEN(moves))];
	*arg = (char)rng_below(rng, 256);
	/* client number in the lowest bit, server's connection in the two lowest */
	if (*what == CLIENT_ASKS && rng_below(rng, 2))
		*arg = (char)(rng_below(rng, 10) << 1 | rng_below(rng, 2));
	if (*what == SERVER_ANSWERS && rng_below(rng, 2))
		*arg = (char)(rng_below(rng, 2) << 2 | rng_below(rng, 4));
	if (*what == WAIT && rng_below(rng, 4))
		*arg = (char)(3 + rng_below(rng, 4));
}

static void play(uint64_t seed, struct exchange_tally *tally)
{
	struct rng rng;
	char bytes[BYTES_MAX];
	rng_init(&rng, seed);
	size_t len = 8 + rng_below(&rng, (BYTES_MAX - 8) / 2) * 2;
	bool wild = rng_below(&rng, 2);
	bytes[0] = (char)rng_below(&rng, 256);
	bytes[1] = (char)rng_below(&rng, 256);
	bool tunnels = rng_below(&rng, 2);
	for (size_t i = 2; i < len; i += 2) {
		if (tunnels && rng_below(&rng, 8))
			draw_tunnel_move(&rng, &bytes[i], &bytes[i + 1]);
		else
			draw_move(&rng, wild, &bytes[i], &bytes[i + 1]);
	}
	exchange_run((struct slice){ bytes, len }, tally);
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 3000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	struct exchange_tally tally = { 0 };
	signal(SIGABRT, on_abort);
	for (uint64_t i = 0; i < count; i++) {
		playing = seed + i;
		play(seed + i, &tally);
	}
	printf("%llu exchanges from seed %llu: asked %llu, answered %llu (200: %llu); forwarded "
	       "%llu, tunnels %llu (%llu bytes), refused %llu; reused %llu, replayed %llu, abandoned %llu, drained %llu\n",
		(unsigned long long)count, (unsigned long long)seed,
		(unsigned long long)tally.asked, (unsigned long long)tally.answered,
		(unsigned long long)tally.good, (unsigned long long)tally.forwarded,
		(unsigned long long)tally.tunnels, (unsigned long long)tally.tunnelled,
		(unsigned long long)tally.refused_tunnels,
		(unsigned long long)tally.reused, (unsigned long long)tally.replayed,
		(unsigned long long)tally.abandoned, (unsigned long long)tally.drained);
	return 0;
}
