/*
 * nameserver: a nameserver on loopback in a thread of its own, UDP and TCP on one port. What
 * it says to a question is in the question's name:
 *
 *   one.test          A 10.0.0.1, TTL 30; no AAAA (SOA: 40)
 *   both.test         A 10.0.0.1 10.0.0.2, TTL 100; AAAA 2001:db8::1, TTL 7200
 *   zero.test         A, TTL 0              long.test   A, TTL 100,000
 *   alias.test        CNAME one.test, TTL 5, and its A, TTL 30
 *   dangling.test     CNAME nowhere.test, and nothing more (SOA: 40)
 *   big.test          truncated by UDP; by TCP 20 A
 *   gone.test         NXDOMAIN, SOA: TTL 900, MINIMUM 7
 *   forever.test      NXDOMAIN, SOA: a day  bare.test   NXDOMAIN, no SOA
 *   half.test         A 10.0.0.1, TTL 30; says nothing to AAAA
 *   lame.test         A 10.0.0.1, TTL 30; SERVFAIL to AAAA
 *   broken.test       SERVFAIL              silent.test nothing
 *   garbage.test      an answer section that is cut short
 *   host.corp.test    A 10.9.9.9, TTL 30
 *
 * All else is NXDOMAIN with an SOA of 40.
 */
#ifndef WEIR_TESTS_IO_NAMESERVER_H
#define WEIR_TESTS_IO_NAMESERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/text.h"

struct nameserver {
	pthread_t thread;
	int udp, tcp, stop[2];
	uint16_t port;
	atomic_uint asked, asked_tcp;
};

void nameserver_start(struct nameserver *s);
void nameserver_stop(struct nameserver *s);

#endif
