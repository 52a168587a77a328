/*
 * sim: the simulated twin of the loop, for tests/sim and fuzzers: a world of hosts with a
 * virtual clock.
 *
 * MODEL   A world holds hosts; each host has one struct io_loop with its IP address.
 *         Sockets between hosts have latency, bounded send and receive buffers, FIN, RST,
 *         backlog, and ephemeral ports with TIME_WAIT (60 s on the side whose FIN went
 *         first; none after RST). Events happen in order of virtual time, ties in order
 *         of creation; nothing depends on the real clock, so a run is a pure function of
 *         its seed. RST semantics follow Linux: close with unread data sends RST; data
 *         that arrives at a closed socket is answered by RST; received bytes stay
 *         readable after an RST, then ERR_RESET.
 *         A connect to an address without a listener is refused after a round trip, to
 *         an address without a host unreachable after 3 s. A full backlog drops the SYN,
 *         which comes again after 1 s, 2 s, 4 s ... A SYN to a server's TIME_WAIT recycles
 *         it. unix: names belong to the whole world and have no latency. Segments have no
 *         size: what is written at once, and fits the other's buffer, travels as one.
 * RULES   1. sim_run never blocks.
 *         2. sim_free CHECKs what io_loop_free does, for every host.
 *         3. Two turns of a host are at least 1 µs apart, so that spinning takes time.
 *         4. io_loop_new, _free, _run and _stop are for the real loop: CHECKed.
 * COST    some 10 to 30 million events a second; a connection takes 700 bytes and its
 *         unread ones.
 */
#ifndef WEIR_IO_SIM_H
#define WEIR_IO_SIM_H

#include "base/rng.h"
#include "io/sock.h"

struct sim;

struct sim_cfg {
	uint64_t seed;
	ns_t latency;       /* one way, every link; 0: 100 µs */
	ns_t jitter;        /* uniform 0..jitter on top, order kept within a connection */
	uint32_t buf_bytes; /* send + receive buffer of a socket, each; 0: 64 KiB */
	uint32_t ports;     /* ephemeral ports a (source, destination) pair; 0: 28232 */
	double lose_rst;    /* chance that an RST is lost (it is never retransmitted) */
	uint32_t write_max; /* a write takes at most so many bytes (short writes); 0: no
			       bound */
	uint32_t fd_max;    /* sockets a host; 0: no bound (else ERR_NO_FDS) */
};

struct sim *sim_new(const struct sim_cfg *cfg);
void sim_free(struct sim **sim);
/* The loop of a new host with this address, "10.0.0.1". The world owns it: do not
 * io_loop_free it. */
struct io_loop *sim_host(struct sim *sim, const char *ip);
ns_t sim_now(const struct sim *sim);
/*
 * Runs events until virtual time `until`; then now == until. False: nothing is left that
 * would happen by itself (always so with NS_NEVER; then now is the last event's time).
 */
bool sim_run(struct sim *sim, ns_t until);
/* Changes the fault settings (latency, jitter, lose_rst, write_max, fd_max) from now on.
 */
void sim_set(struct sim *sim, const struct sim_cfg *cfg);
/* Resets every connection between two hosts, or (b NULL) of one host. Returns how many.
 */
uint32_t sim_cut(struct sim *sim, const struct io_loop *a, const struct io_loop *b);

/*
 * What io/dns.h finds for a name from now on: addresses in digits with commas between, for
 * `ttl`; NULL: no such name, for `ttl`. A name never set is none. An answer takes a round
 * trip.
 */
void sim_dns_set(struct sim *sim, const char *name, const char *ips, ns_t ttl);
/* Nobody answers for the name: a lookup fails after 4 s. */
void sim_dns_silence(struct sim *sim, const char *name);

struct sim_counts {
	uint32_t established, time_wait, fin_wait2, close_wait, ports_used;
	uint64_t connects, accepts, resets_sent, events;
};
void sim_count(const struct sim *sim, const struct io_loop *host, struct sim_counts *out);

#endif
