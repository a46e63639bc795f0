/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A dialog's record in the map `dialogs`: what stemd must know of a call to go on after its own death.
 * Only stemd writes it; the data plane never reads it. It lives in the kernel because the flows do: both
 * outlive the daemon, and neither outlives the instance.
 */
#ifndef STEM_ABI_DIALOG_H
#define STEM_ABI_DIALOG_H

#include <stem/abi/flow.h>

#define STEM_CALL_ID_MAX 256
#define STEM_TAG_MAX 128
#define STEM_URI_MAX 256
#define STEM_BRANCH_MAX 128
#define STEM_MEDIA_MAX 8      /* m= lines of one session that can have pinholes */
#define STEM_CANDIDATES_MAX 5 /* ICE candidates of one m= line, those of RTCP included */
#define STEM_HOPS_MAX 6       /* addresses that a leg may signal from, beside its last one */
#define STEM_TERMINALS_MAX 4  /* addresses that one decision can bind the callee's media to */

/* The two ends of a dialog: who sent the first INVITE, and who answers it. */
enum stem_party {
    STEM_CALLER = 0,
    STEM_CALLEE = 1,
    STEM_PARTIES = 2,
};

enum stem_media_flag {
    STEM_MEDIA_RECEIVES = 1 << 0, /* wants RTP now: not on hold (sendonly, inactive, 0.0.0.0) */
    STEM_MEDIA_RTCP_MUX = 1 << 1,
    STEM_MEDIA_SRTP = 1 << 2,
    STEM_MEDIA_BEHIND_NAT =
        1 << 3, /* where it is must be learned; rtp_port and address are only what it says */
    STEM_MEDIA_RTP_LEARNED = 1 << 4,
    STEM_MEDIA_RTCP_LEARNED = 1 << 5,
    STEM_MEDIA_ENDED = 1 << 6, /* what was sent there was too much for too long: no pinhole any more */
    STEM_MEDIA_SENDS = 1 << 7, /* sends now: neither recvonly nor inactive */
    STEM_MEDIA_ICE = 1 << 8,   /* speaks ICE (RFC 8445): `candidate` counts, if the other side does too */
    STEM_MEDIA_DTLS = 1 << 9,  /* keys come by DTLS on the media's own path (RFC 5764) */
    STEM_MEDIA_CUT = 1 << 10,  /* nothing ever came from there: what is sent there is cut */
};

enum stem_media_kind {
    STEM_MEDIA_RTP = 0,
    STEM_MEDIA_UDPTL = 1, /* fax (T.38) */
};

/* Where a party may also be reached (RFC 8839 5.1); UDP only. */
struct stem_candidate {
    struct stem_addr address;
    __u16 port;     /* host byte order */
    __u8 component; /* 1 = RTP, 2 = RTCP */
    __u8 zero[5];
};
STEM_ABI_ASSERT(sizeof(struct stem_candidate) == 24);

/* What one party said of one m= line: where it receives, what, and how much of it. */
struct stem_media {
    struct stem_addr address;
    __u64 payload_types[2]; /* bit n: payload type n */
    __u16 rtp_port;         /* host byte order; 0 = line refused or not one that STEM opens */
    __u16 rtcp_port;        /* 0 = none */
    __u16 min_payload;      /* UDP payload, octets */
    __u16 max_payload;
    __u32 bytes_per_second; /* at IP level, margin included */
    __u32 packets_per_second;
    __u32 rtcp_bytes_per_second;
    __u16 flags;              /* enum stem_media_flag */
    __u16 burst_ms;           /* what may come at once, as time at its rate */
    struct stem_addr learned; /* of a peer behind NAT: where its media come from; until that is learned, where
                                 they may come from, which is the source of its signalling */
    __u16 learned_rtp_port;
    __u16 learned_rtcp_port;
    __u32 clock_hz[STEM_CLOCKS_MAX]; /* as in struct stem_flow */
    __u8 clock_of[32];
    __u8 kind;            /* enum stem_media_kind */
    __u8 bundle;          /* 0, or 1 + the line whose address and ports it shares (RFC 9143) */
    __u8 candidate_count; /* in `candidate` */
    __u8 zero[5];
    struct stem_candidate candidate[STEM_CANDIDATES_MAX]; /* the preferred first; RTP's before RTCP's */
};
STEM_ABI_ASSERT(sizeof(struct stem_media) == 248);

enum stem_dialog_state {
    STEM_DIALOG_CALLING = 1,  /* INVITE released, no To tag yet */
    STEM_DIALOG_EARLY = 2,    /* 18x with a To tag */
    STEM_DIALOG_ANSWERED = 3, /* 2xx, no ACK yet */
    STEM_DIALOG_UP = 4,
    STEM_DIALOG_CLOSING = 5, /* BYE seen */
    STEM_DIALOG_DEAD = 6,    /* lingers to absorb retransmissions; never written to the map */
};

/* In `ends_ns` of a call that nobody has answered: the rest is its longest duration. A stemd that knows of
 * ends alone sees one in 146 years, and lets such a call ring. */
#define STEM_DIALOG_LASTS (1ULL << 62)

struct stem_dialog {
    __u32 state;         /* enum stem_dialog_state */
    __u8 direction;      /* enum stem_direction of the first INVITE */
    __u8 offerer;        /* enum stem_party whose offer is pending, or STEM_PARTIES */
    __u8 terminal_count; /* addresses in `terminal`; 0: the decision bound the callee's media to none */
    __u8 zero;
    __u32 invite_cseq;
    __u32 cseq[STEM_PARTIES]; /* last of each side */
    __u32 offer_count;
    __u64 started_ns; /* CLOCK_MONOTONIC */
    __u64 answered_ns;
    __u64 changed_ns;
    struct stem_addr terminal[STEM_TERMINALS_MAX]; /* where the callee's media may be */
    struct stem_addr signalling[STEM_PARTIES];     /* source of each party's messages, as seen here */
    __u16 signalling_port[STEM_PARTIES];           /* host byte order */
    __u32 media_count[STEM_PARTIES];
    __u32 session_seconds; /* Session-Expires in force (RFC 4028); 0 = none */
    __u64 refreshed_ns;    /* when it last began anew */
    __u64 ends_ns;         /* CLOCK_MONOTONIC of its end; calling, early: STEM_DIALOG_LASTS; 0 = not bound */
    __u32 last_invite[STEM_PARTIES]; /* CSeq of each side's last INVITE in the dialog: its ACK has it too */
    __u32 hop_count[STEM_PARTIES];   /* addresses in `hop` */
    struct stem_addr hop[STEM_PARTIES][STEM_HOPS_MAX];     /* Contact, Record-Route and Via of each leg */
    struct stem_media media[STEM_PARTIES][STEM_MEDIA_MAX]; /* agreed */
    struct stem_media offer[STEM_MEDIA_MAX];               /* pending */
    char call_id[STEM_CALL_ID_MAX];
    char tag[STEM_PARTIES][STEM_TAG_MAX];
    char invite_branch[STEM_BRANCH_MAX];
    char uri[STEM_PARTIES][STEM_URI_MAX]; /* From and To, for people */
    char target[STEM_URI_MAX];            /* request URI after a forward decision; "" = as it came */
};
STEM_ABI_ASSERT(sizeof(struct stem_dialog) == 7744);

#endif
