/* tap_filter: what of all that goes by is let through to the tap (io/tap.h): classic BPF, run by
 * the kernel. What it keeps of a packet's length is TAP_BYTES. */
#ifndef WEIR_IO_TAP_FILTER_H
#define WEIR_IO_TAP_FILTER_H

#include <linux/filter.h>

enum { TAP_BYTES = 2048 /* of a segment; the rest is not needed */, TAP_FILTER_LEN = 35 };

extern const struct sock_filter tap_filter[TAP_FILTER_LEN];

#endif
