/*
 * bed: TLS over the simulated network: a client's conn at 10.0.0.1 and a server's at 10.0.0.2,
 * with certificates of their own. It looks behind conn/tls.h, to make OpenSSL do what a peer
 * could make it do.
 */
#ifndef WEIR_TESTS_CONN_BED_H
#define WEIR_TESTS_CONN_BED_H

#include "conn/tls_internal.h"

#include "io/sim.h"
#include "tests/sim/raw.h"
#include "tests/unit/base/unit.h"
#include "tests/unit/conn/certs.h"

#define HOST "api.test"

/* One end: writes all of `out`, reads all that comes into `in`. */
struct party {
	struct conn conn;
	struct text in, out;
	size_t out_at;
	size_t read_max;  /* bytes a read; 0: many */
	size_t write_max; /* bytes offered to a write; 0: all */
	enum err end;     /* what it ended with; ERR_AGAIN: not yet */
	char detail[160];
	bool up, cut, deaf;
	bool shut_after; /* conn_shutdown once all is written */
	bool close_at_end;
	bool inside;    /* a call into conn is under way */
	uint32_t calls; /* of on_ready */
};

struct bed {
	struct sim *sim;
	struct io_loop *near, *far;
	struct certs certs;
	struct cert good;
	struct tls_client *client;
	struct tls_peer *peer;
	struct tls_server *server;
	struct io_listener listener;
	struct party c, s;
	bool closed_first; /* the server's end was accepted, and is over */
};

void party_init(struct party *p);
void party_fini(struct party *p);
void party_close(struct party *p, enum io_close how);
void party_rearm(struct party *p);
void party_say(struct party *p, size_t bytes); /* so many more, each time others */

void bed_init(struct bed *b, const struct sim_cfg *sim);
void bed_fini(struct bed *b);
void bed_connect(struct bed *b);
void bed_run(struct bed *b, ns_t for_ns);
void bed_again(struct bed *b); /* both ends anew, on the same world */
void use_cert(struct bed *b, const struct cert *cert);
void use_client(struct bed *b, const struct tls_client_cfg *cfg, const char *host);
void only_tls12(struct bed *b);

void assert_same(const struct text *got, const struct text *sent);
void assert_all_arrived(struct bed *b);
/* The client's handshake fails. */
void expect_refused(struct bed *b, enum err why, const char *detail);

#endif
