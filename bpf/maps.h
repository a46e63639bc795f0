/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Every map: who writes it, who expires its entries, what a full one means, bytes an entry.
 * All are pinned under their names, and none holds what a flood could push out, but the LRU ones: budgets of
 * those whom nobody knows, datagrams on their way, and who spoke on which side of the bridge.
 */
#ifndef STEM_BPF_MAPS_H
#define STEM_BPF_MAPS_H

#include <stem/abi/connection.h>
#include <stem/abi/deny.h>
#include <stem/abi/dialog.h>
#include <stem/abi/event.h>
#include <stem/abi/flow.h>
#include <stem/abi/fragment.h>
#include <stem/abi/learning.h>
#include <stem/abi/meta.h>
#include <stem/abi/monitored.h>
#include <stem/abi/neighbour.h>
#include <stem/abi/peer.h>
#include <stem/abi/proxy.h>
#include <stem/abi/reason.h>
#include <stem/abi/ruleset.h>
#include <stem/abi/signalling.h>
#include <stem/abi/state.h>
#include <stem/abi/steer.h>
#include <stem/abi/syn.h>
#include <stem/abi/threshold.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* Pinholes. Written and expired by stemd. Full: the call's pinhole is refused, and counted (pinhole_limit).
 * 440 bytes and the kernel's 56 an entry, in a slab of 512. max_entries is set at attach. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 131072);
    __type(key, struct stem_flow_key);
    __type(value, struct stem_flow);
} flows SEC(".maps");

/* Streams whose peer is behind NAT: where it is, is learned here. Written and expired by stemd; the data
 * plane writes into the entries. Full: the call has no media, and is told so (pinhole_limit). 1 KiB an entry.
 */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 16384);
    __type(key, struct stem_learning_key);
    __type(value, struct stem_learning);
} learning SEC(".maps");

/* For stemd alone: streams that ended, peers that were learned. Full: stemd looks through all flows, once
 * event_counters says that a notice was lost. */
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 64 * 1024);
} notices SEC(".maps");

/* Media of each direction: the shared bucket, and what each CPU took of it in advance. Written here. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, STEM_DIRECTIONS);
    __type(key, __u32);
    __type(value, struct stem_total);
} media_total SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, STEM_DIRECTIONS);
    __type(key, __u32);
    __type(value, __u64); /* ns of the bucket that are still to spend */
} media_share SEC(".maps");

/* What stemd must know to go on after its own death. Written and expired by stemd, not read here.
 * Full: the call goes on, but does not survive a restart. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 65536);
    __type(key, __u64);
    __type(value, struct stem_dialog);
} dialogs SEC(".maps");

/* SIP over TCP that stemd follows. Written and expired by stemd, not read here. Full: the connection goes on,
 * but does not survive a restart. 56 bytes and the kernel's 56 an entry, in a slab of 128. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 65536);
    __type(key, struct stem_connection_key);
    __type(value, struct stem_connection);
} sip_connections SEC(".maps");

/* Denied sources. Written by stemctl and stemd, expired by time here and swept by stemd.
 * Full: the addition is refused to whoever asked. 88 bytes an entry. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 65536);
    __type(key, struct stem_deny_key);
    __type(value, struct stem_deny);
} deny SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 8192);
    __type(key, struct stem_deny_cidr_key);
    __type(value, struct stem_deny);
} deny_cidr SEC(".maps");

/* The bit filter in front of both (stem/abi/deny.h). Written by whoever writes them. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct stem_deny_filter);
} deny_filter SEC(".maps");

/* What a full table refused to people and to the Security Manager. Written by stemctl and stemd, not read
 * here. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct stem_deny_refused);
} deny_refused SEC(".maps");

/* Management that is let through before any policy. Written at attach. */
struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 256);
    __type(key, struct stem_failsafe_key);
    __type(value, struct stem_failsafe);
} failsafe SEC(".maps");

/* Static rules: slot 0 holds the generation in force. Flipped by `stemctl rules load`, which fills the next
 * generation through shared memory. 5 MB a generation, however many rules it has. */
struct ruleset_map {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct stem_ruleset);
} ruleset SEC(".maps"); /* the embedded default, filled in at attach */

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, 1);
    __type(key, __u32);
    __array(values, struct ruleset_map);
} rules SEC(".maps") = {
    .values = {&ruleset},
};

/* Ports that carry SIP (value 1), written at attach, and UDP ports of other protocol parsers, written by
 * stemd. The key is in host byte order. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 64);
    __type(key, __u16);
    __type(value, __u8);
} sip_ports SEC(".maps");

/* Numbers that change while traffic runs. Defaults are filled in at attach; then stemd's and stemctl's. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct stem_thresholds);
} thresholds SEC(".maps");

/* Sources that are somebody. Written and expired by stemd. Full: the peer stays unknown, and stemd says so.
 */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 131072);
    __type(key, struct stem_addr);
    __type(value, struct stem_peer);
} peers SEC(".maps");

/* What the detector of floods has decided. Written by stemd. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct stem_posture);
} posture SEC(".maps");

/* Keep-alive budget of each source. Written here, for sources that nobody knows: so LRU, and losing an entry
 * only gives a source a fresh budget. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, struct stem_addr);
    __type(value, __u64); /* full at, ns */
} keepalive SEC(".maps");

/* Signalling budgets of each source, known or not. Written here, for anybody who sends: so LRU, and losing an
 * entry only gives a source a fresh budget; what all unknown ones may send is bounded by sip_lane. 160 bytes
 * an entry. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, struct stem_sip_source_key);
    __type(value, struct stem_sip_source);
} sip_sources SEC(".maps");

/* INVITE budgets of each signalling stream. The same. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, __u64);
    __type(value, struct stem_sip_stream);
} sip_streams SEC(".maps");

/* Addresses outside that something inside has sent a request to, and when: they may answer. Written here,
 * only by packets from inside. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, struct stem_addr);
    __type(value, __u64);
} sip_asked SEC(".maps");

/* Blocked sources, so that a block outlives its entry above. Written here, expired by time here and swept by
 * stemd; a flood cannot push them out. Full: the block lasts as long as the entry above does, and that is
 * counted (sip_counts). 56 bytes and the kernel's 48 an entry, all taken at attach. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, struct stem_sip_source_key);
    __type(value, struct stem_sip_blocked_source);
} sip_blocked_sources SEC(".maps");

/* Blocked streams. Written here and by stemctl, expired by time here and swept by stemd; a flood cannot push
 * them out. Full: the stream is held to its budget and not blocked, and that is counted (sip_counts). */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, __u64);
    __type(value, struct stem_sip_blocked);
} sip_blocked SEC(".maps");

/* The bit filter in front of it. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct stem_sip_filter);
} sip_blocked_filter SEC(".maps");

/* What unknown sources may send together. Written here. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct stem_sip_lane_budget);
} sip_lane SEC(".maps");

/* Signalling seen, by kind and direction. Written here. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, STEM_SIP_COUNT_SLOTS);
    __type(key, __u32);
    __type(value, struct stem_sip_count);
} sip_counts SEC(".maps");

/* Makes the names of streams unforeseeable (stem_stream_id()). Written at attach. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} stream_seed SEC(".maps");

/* TCP connection attempts, by source. Written here. 4 MiB, whatever comes. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, STEM_SYN_SKETCHES);
    __type(key, __u32);
    __type(value, struct stem_syn_sketch);
} syn_sketch SEC(".maps");

/* Sources that flooded SYNs. Written here, expired by time here and swept by stemd; never evicted. Full: the
 * source is held to its budget only, and syn_counts says so. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, struct stem_syn_blocked_key);
    __type(value, struct stem_syn_blocked);
} syn_blocked SEC(".maps");

/* Connections to SIP ports that wait for the client's ACK. Written here, for anybody: so LRU
 * (bpf/half_open.h says what is lost). */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, struct stem_half_open_key);
    __type(value, struct stem_half_open);
} half_open SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, STEM_HALF_OPEN_SLOTS);
    __type(key, __u32);
    __type(value, struct stem_half_open_load);
} half_open_load SEC(".maps");

/* Sources that answered a challenge: until when that counts, ns. Written here. LRU: who is forgotten is asked
 * again. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, struct stem_addr);
    __type(value, __u64);
} syn_proven SEC(".maps");

/* What all unknown sources may begin while there is a flood: "full at", ns. Written here. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} syn_unknown_lane SEC(".maps");

/* Figures of the SYN monitor (enum stem_syn_count). Written here. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, STEM_SYN_COUNT_SLOTS);
    __type(key, __u32);
    __type(value, __u64);
} syn_counts SEC(".maps");

/* Kept connections. Written and expired here; swept by stemd, or here when nobody did. Full: the new
 * connection is dropped (state_full). 168 bytes and the kernel's 48 an entry, all taken at attach, so that a
 * flood costs no allocation. max_entries is stem_states_max. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __type(key, struct stem_state_key);
    __type(value, struct stem_state);
} states SEC(".maps");

/* Who was sent to the SIP proxy, and whom they had called. Written and expired as `states` is. Full: the
 * client's SIP is dropped (proxy_refused). 72 bytes and the kernel's 48 an entry. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __type(key, struct stem_state_key);
    __type(value, struct stem_steered);
} steered SEC(".maps");

/* What each source has in `states`. Written here, for sources that nobody knows: so LRU, and losing an entry
 * only forgets what its source has. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, struct stem_addr);
    __type(value, struct stem_state_source);
} state_sources SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct stem_state_usage);
} state_usage SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, STEM_STATE_COUNTERS);
    __type(key, __u32);
    __type(value, __u64);
} state_counters SEC(".maps");

/* What is too large for the stack while a connection is begun. One packet a CPU: it is never interrupted by
 * another one's. */
struct state_scratch {
    struct stem_state state;
    struct stem_state_key key;
    struct stem_state_key alias;
    struct stem_steered steered;
    struct stem_addr source;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct state_scratch);
} state_scratch SEC(".maps");

/* The SIP proxy of each family. Written by stemctl; its link address is learned here. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, STEM_PROXIES);
    __type(key, __u32);
    __type(value, struct stem_proxy);
} proxies SEC(".maps");

/* Verdicts, by reason and direction (stem_counter_index). Written here. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, STEM_COUNTER_SLOTS);
    __type(key, __u32);
    __type(value, struct stem_counter);
} counters SEC(".maps");

/* The same for stemd's verdicts. Written by stemd through shared memory: outlives it, costs no system call.
 */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, STEM_COUNTER_SLOTS);
    __type(key, __u32);
    __type(value, struct stem_counter);
} controller_counters SEC(".maps");

/* Peers that are only monitored. Written by stemd when it starts. Full: stemd does not start. */
struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, STEM_MONITORED_MAX);
    __type(key, struct stem_monitored_key);
    __type(value, __u8);
} monitored SEC(".maps");

/* What would have been dropped of theirs. Written here, and by stemd through shared memory. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, STEM_COUNTER_SLOTS);
    __type(key, __u32);
    __type(value, struct stem_counter);
} would_drops SEC(".maps");

/* Sampled verdicts for people. Full: the event is lost, and counted. */
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, STEM_EVENT_COUNTERS);
    __type(key, __u32);
    __type(value, __u64);
} event_counters SEC(".maps");

/* Budget of events of each CPU: "full at", ns. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} event_budget SEC(".maps");

/* Datagrams in fragments whose first one was let go on. Written here, within a rate that keeps the newest few
 * seconds' worth; losing an entry loses that datagram. 104 bytes an entry. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct stem_fragment_key);
    __type(value, struct stem_fragment);
} fragments SEC(".maps");

/* Budget of each direction and CPU for them: "full at", ns. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 2 * STEM_DIRECTIONS); /* first ones, and those before their first */
    __type(key, __u32);
    __type(value, __u64);
} fragment_budget SEC(".maps");

/* Who spoke on which side (bridge mode). Written here, each side by its own stations: a flood outside cannot
 * push out who lives inside. Losing an entry gives an address up until its host speaks again. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct stem_neighbour_key);
    __type(value, struct stem_neighbour);
} neighbours_inside SEC(".maps"), neighbours_outside SEC(".maps");

/* Budget of ARP and discovery of each station: "full at", ns. Written here; losing an entry only gives a
 * station a fresh budget. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, struct stem_station_key);
    __type(value, __u64);
} neighbour_budget SEC(".maps");

/* The two ports (enum stem_port). Written at attach. */
struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, STEM_PORTS);
    __type(key, __u32);
    __type(value, __u32);
} tx_ports SEC(".maps");

/* stemd's AF_XDP sockets: port * STEM_QUEUES_MAX + queue. The kernel empties a slot when its socket closes.
 */
struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, STEM_XSKS_MAX);
    __type(key, __u32);
    __type(value, __u32);
} xsks SEC(".maps");

/* What this instance is. Written at attach, not read here. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct stem_meta);
} meta SEC(".maps");

#endif
