// SPDX-License-Identifier: Apache-2.0
#include "data_plane.h"

#include "map_access.h"
#include "network.h"

#include <ctl/kernel/rule_compiler.h>

#include <fcntl.h>
#include <stem.skel.h>

#include <algorithm>
#include <map>

namespace stem::test {
namespace {

constexpr std::uint32_t zero = 0;

stem_deny_key key_of(const Address& source) {
    return {.source = source.raw()};
}

stem_deny_cidr_key key_of(const Cidr& network) {
    stem_deny_cidr_key key{.prefix_length = network.mapped_length(), .source = {}};
    std::ranges::copy(network.network().octets(), key.source);
    return key;
}

stem_failsafe_key key_of(const Cidr& client, std::uint16_t port, std::uint8_t protocol, stem_direction way) {
    stem_failsafe_key key{.prefix_length = STEM_FAILSAFE_PREFIX_BASE + client.mapped_length(),
                          .port = port,
                          .protocol = protocol,
                          .direction = static_cast<std::uint8_t>(way),
                          .client = {}};
    std::ranges::copy(client.network().octets(), key.client);
    return key;
}

void set_bit(__u64* words, std::uint32_t bit) {
    words[bit / 64] |= 1ULL << (bit % 64);
}

// The event's bytes are the map's own; libbpf hands them out untyped.
int keep_event(void* context, void* data, std::size_t size) {
    if (size != sizeof(stem_event)) {
        return -EINVAL;
    }
    static_cast<std::vector<stem_event>*>(context)->push_back(*static_cast<const stem_event*>(data));
    return 0;
}

kernel::MappedArray<stem_ruleset> map_generation(int fd) {
    auto memory =
        kernel::MappedArray<stem_ruleset>::adopt(UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 3)), "ruleset");
    if (!memory) {
        refuse(memory.error().code, memory.error().message());
    }
    return std::move(*memory);
}

void fill(const kernel::MappedArray<stem_ruleset>& generation, const kernel::Rules& rules,
          std::uint64_t number) {
    if (auto good = kernel::compile_rules(rules, generation[0]); !good) {
        refuse(EINVAL, good.error().message());
    }
    generation[0].generation = number;
}

int keep_notice(void* context, void* data, std::size_t size) {
    if (size != sizeof(stem_notice)) {
        return -EINVAL;
    }
    static_cast<std::vector<stem_notice>*>(context)->push_back(*static_cast<const stem_notice*>(data));
    return 0;
}

} // namespace

DataPlane::DataPlane(const Settings& settings) : settings_(settings) {
    skeleton_ = stem_bpf::open();
    if (!skeleton_) {
        refuse(errno, "open the skeleton");
    }
    auto* rodata = skeleton_->rodata;
    rodata->stem_mode = settings.mode;
    rodata->stem_modules = settings.modules;
    rodata->stem_fallback_open = settings.fallback_open ? 1 : 0;
    rodata->stem_failsafe_udp = settings.failsafe_udp ? 1 : 0;
    rodata->stem_event_rate = settings.event_rate;
    rodata->stem_test_clock = 1;
    rodata->stem_states_max = settings.states_max;
    bpf_map__set_max_entries(skeleton_->maps.states, settings.states_max);
    bpf_map__set_max_entries(skeleton_->maps.steered, settings.states_max);
    std::ranges::copy(TestNetwork::external_station, rodata->stem_port_mac[STEM_PORT_EXTERNAL]);
    std::ranges::copy(TestNetwork::internal_station, rodata->stem_port_mac[STEM_PORT_INTERNAL]);
    if (const int result = stem_bpf::load(skeleton_); result != 0) {
        stem_bpf::destroy(skeleton_);
        refuse(result, "load the data plane");
    }
    first_generation_ = map_generation(bpf_map__fd(skeleton_->maps.ruleset));
    ring_ = ring_buffer__new(bpf_map__fd(skeleton_->maps.events), keep_event, &events_, nullptr);
    if (!ring_) {
        const int code = errno;
        stem_bpf::destroy(skeleton_);
        refuse(code, "open the events");
    }
    notice_ring_ = ring_buffer__new(bpf_map__fd(skeleton_->maps.notices), keep_notice, &notices_, nullptr);
    if (!notice_ring_) {
        const int code = errno;
        ring_buffer__free(ring_);
        stem_bpf::destroy(skeleton_);
        refuse(code, "open the notices");
    }
}

DataPlane::~DataPlane() {
    ring_buffer__free(notice_ring_);
    ring_buffer__free(ring_);
    stem_bpf::destroy(skeleton_);
}

DataPlane& DataPlane::with(const Settings& settings) {
    static std::map<Settings, std::unique_ptr<DataPlane>> planes;
    auto& plane = planes[settings];
    if (!plane) {
        plane.reset(new DataPlane(settings));
    }
    plane->reset();
    return *plane;
}

void DataPlane::reset() {
    const auto& maps = skeleton_->maps;
    clear<stem_flow_key>(bpf_map__fd(maps.flows));
    clear<stem_learning_key>(bpf_map__fd(maps.learning));
    const std::vector<std::uint64_t> nothing_taken(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    for (const std::uint32_t way : {STEM_INBOUND, STEM_OUTBOUND}) {
        put(bpf_map__fd(maps.media_total), way, stem_total{}, "the total");
        if (const int result =
                bpf_map_update_elem(bpf_map__fd(maps.media_share), &way, nothing_taken.data(), 0);
            result != 0) {
            refuse(result, "empty the CPUs' shares");
        }
    }
    (void)take_notices();
    clear<stem_deny_key>(bpf_map__fd(maps.deny));
    clear<stem_deny_cidr_key>(bpf_map__fd(maps.deny_cidr));
    clear<stem_failsafe_key>(bpf_map__fd(maps.failsafe));
    clear<std::uint16_t>(bpf_map__fd(maps.sip_ports));
    clear<stem_addr>(bpf_map__fd(maps.keepalive));
    clear<stem_addr>(bpf_map__fd(maps.peers));
    clear<stem_monitored_key>(bpf_map__fd(maps.monitored));
    for (std::uint32_t slot = 0; slot < STEM_COUNTER_SLOTS; slot++) {
        put(bpf_map__fd(maps.would_drops), slot, stem_counter{}, "what would have been dropped");
    }
    clear<stem_sip_source_key>(bpf_map__fd(maps.sip_sources));
    clear<std::uint64_t>(bpf_map__fd(maps.sip_streams));
    clear<stem_addr>(bpf_map__fd(maps.sip_asked));
    reset_blocks();
    put(bpf_map__fd(maps.sip_lane), zero, stem_sip_lane_budget{}, "the unknown's lane");
    set_stream_seed(0);
    clear<stem_fragment_key>(bpf_map__fd(maps.fragments));
    clear<stem_neighbour_key>(bpf_map__fd(maps.neighbours_inside));
    clear<stem_neighbour_key>(bpf_map__fd(maps.neighbours_outside));
    clear<stem_station_key>(bpf_map__fd(maps.neighbour_budget));
    set_thresholds(default_thresholds());
    set_posture(0);
    reset_syn_monitor();
    clear<stem_state_key>(bpf_map__fd(maps.states));
    clear<stem_state_key>(bpf_map__fd(maps.steered));
    clear<stem_addr>(bpf_map__fd(maps.state_sources));
    put(bpf_map__fd(maps.state_usage), zero, stem_state_usage{.swept_ns = start_ns}, "the use of states");
    set_proxy(STEM_PROXY_V4, {});
    set_proxy(STEM_PROXY_V6, {});
    put(bpf_map__fd(maps.deny_filter), zero, stem_deny_filter{}, "the deny filter");
    for (std::uint32_t slot = 0; slot < STEM_XSKS_MAX; slot++) {
        (void)bpf_map_delete_elem(bpf_map__fd(maps.xsks), &slot); // most are empty
    }
    refill_event_budget();
    const std::vector<std::uint64_t> no_budget_used(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    for (std::uint32_t way = 0; way < 2 * STEM_DIRECTIONS; way++) {
        if (const int result =
                bpf_map_update_elem(bpf_map__fd(maps.fragment_budget), &way, no_budget_used.data(), 0);
            result != 0) {
            refuse(result, "empty the fragments' budget");
        }
    }
    (void)take_events();
    set_time(start_ns);
    add_sip_port(5060);
    set_port(STEM_PORT_EXTERNAL, TestNetwork::get().external());
    set_port(STEM_PORT_INTERNAL, TestNetwork::get().internal());
    if (std::exchange(flipped_, false)) { // a flip waits for the kernel's grace period, some 20 ms
        put(bpf_map__fd(maps.rules), zero, bpf_map__fd(maps.ruleset), "the rules' generation");
    }
    set_rules({});
}

Outcome DataPlane::run(stem_direction direction, std::span<const std::uint8_t> frame, std::uint32_t queue,
                       std::uint32_t metadata, int repeat) {
    const bool inbound = direction == STEM_INBOUND;
    xdp_md context{};
    context.data = metadata;
    context.data_end = static_cast<std::uint32_t>(frame.size());
    context.ingress_ifindex = inbound ? TestNetwork::get().external() : TestNetwork::get().internal();
    context.rx_queue_index = queue;
    Bytes output(4096);
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    options.data_out = output.data();
    options.data_size_out = static_cast<std::uint32_t>(output.size());
    options.ctx_in = &context;
    options.ctx_size_in = sizeof(context);
    options.repeat = repeat;
    const auto* program = inbound ? skeleton_->progs.stem_external : skeleton_->progs.stem_internal;
    if (const int result = bpf_prog_test_run_opts(bpf_program__fd(program), &options); result != 0) {
        refuse(result, "run the program");
    }
    output.resize(options.data_size_out);
    return {.action = options.retval, .output = std::move(output), .duration_ns = options.duration};
}

void DataPlane::set_time(std::uint64_t ns) {
    skeleton_->bss->stem_test_now_ns = ns;
}

std::uint64_t DataPlane::now() const {
    return skeleton_->bss->stem_test_now_ns;
}

Counters DataPlane::counters() const {
    const int cpus = libbpf_num_possible_cpus();
    const auto all =
        fetch_per_cpu<stem_counter>(bpf_map__fd(skeleton_->maps.counters), STEM_COUNTER_SLOTS, cpus);
    Counters sums{};
    for (std::size_t i = 0; i < all.size(); i++) {
        sums[i / static_cast<std::size_t>(cpus)].packets += all[i].packets;
        sums[i / static_cast<std::size_t>(cpus)].bytes += all[i].bytes;
    }
    return sums;
}

EventCounters DataPlane::event_counters() const {
    const int cpus = libbpf_num_possible_cpus();
    const auto all =
        fetch_per_cpu<std::uint64_t>(bpf_map__fd(skeleton_->maps.event_counters), STEM_EVENT_COUNTERS, cpus);
    EventCounters sums{};
    for (std::size_t i = 0; i < all.size(); i++) {
        sums[i / static_cast<std::size_t>(cpus)] += all[i];
    }
    return sums;
}

std::vector<stem_event> DataPlane::take_events() {
    events_.clear();
    if (const int result = ring_buffer__consume(ring_); result < 0) {
        refuse(result, "read the events");
    }
    return std::exchange(events_, {});
}

void DataPlane::refill_event_budget() {
    const std::vector<std::uint64_t> no_budget_used(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    if (const int result =
            bpf_map_update_elem(bpf_map__fd(skeleton_->maps.event_budget), &zero, no_budget_used.data(), 0);
        result != 0) {
        refuse(result, "empty the event budget");
    }
}

void DataPlane::add_deny(const Address& source, std::uint64_t expires_ns, bool set_filter) {
    if (set_filter) {
        const int fd = bpf_map__fd(skeleton_->maps.deny_filter);
        auto filter = fetch<stem_deny_filter>(fd, zero, "the deny filter");
        const stem_addr raw = source.raw();
        set_bit(filter.exact, stem_deny_filter_exact(&raw));
        put(fd, zero, filter, "the deny filter");
    }
    stem_deny entry{};
    entry.expires_ns = expires_ns;
    entry.origin = STEM_DENY_OPERATOR;
    put(bpf_map__fd(skeleton_->maps.deny), key_of(source), entry, "a denied source");
}

void DataPlane::add_deny(const Cidr& network, std::uint64_t expires_ns, bool set_filter) {
    if (set_filter) {
        const int fd = bpf_map__fd(skeleton_->maps.deny_filter);
        auto filter = fetch<stem_deny_filter>(fd, zero, "the deny filter");
        const stem_addr raw = network.network().raw();
        set_bit(filter.cidr, stem_deny_filter_cidr(&raw));
        put(fd, zero, filter, "the deny filter");
    }
    stem_deny entry{};
    entry.expires_ns = expires_ns;
    entry.origin = STEM_DENY_SM;
    put(bpf_map__fd(skeleton_->maps.deny_cidr), key_of(network), entry, "a denied network");
}

stem_deny DataPlane::deny_of(const Address& source) const {
    return fetch<stem_deny>(bpf_map__fd(skeleton_->maps.deny), key_of(source), "a denied source");
}

stem_deny DataPlane::deny_of(const Cidr& network) const {
    return fetch<stem_deny>(bpf_map__fd(skeleton_->maps.deny_cidr), key_of(network), "a denied network");
}

void DataPlane::add_failsafe(const Cidr& client, std::uint16_t port, std::uint8_t protocol,
                             stem_direction way) {
    put(bpf_map__fd(skeleton_->maps.failsafe), key_of(client, port, protocol, way), stem_failsafe{},
        "a fail-safe entry");
}

std::uint64_t DataPlane::failsafe_packets(const Cidr& client, std::uint16_t port, std::uint8_t protocol,
                                          stem_direction way) const {
    return fetch<stem_failsafe>(bpf_map__fd(skeleton_->maps.failsafe), key_of(client, port, protocol, way),
                                "a fail-safe entry")
        .packets;
}

void DataPlane::set_flow(const stem_flow_key& key, const stem_flow& flow) {
    put(bpf_map__fd(skeleton_->maps.flows), key, flow, "a flow");
}

stem_flow DataPlane::flow_of(const stem_flow_key& key) const {
    return fetch<stem_flow>(bpf_map__fd(skeleton_->maps.flows), key, "a flow");
}

bool DataPlane::has_flow(const stem_flow_key& key) const {
    stem_flow flow{};
    return bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.flows), &key, &flow) == 0;
}

void DataPlane::set_learning(const stem_learning_key& key, const stem_learning& entry) {
    put(bpf_map__fd(skeleton_->maps.learning), key, entry, "what is to be learned");
}

stem_learning DataPlane::learning_of(const stem_learning_key& key) const {
    return fetch<stem_learning>(bpf_map__fd(skeleton_->maps.learning), key, "what is to be learned");
}

std::vector<stem_notice> DataPlane::take_notices() {
    notices_.clear();
    if (const int result = ring_buffer__consume(notice_ring_); result < 0) {
        refuse(result, "read the notices");
    }
    return std::exchange(notices_, {});
}

void DataPlane::set_rules(const std::vector<stem_rule>& rules, stem_rule_action inbound,
                          stem_rule_action outbound) {
    kernel::Rules written;
    written.policy = {static_cast<std::uint8_t>(inbound), static_cast<std::uint8_t>(outbound)};
    written.rules = rules;
    fill(*first_generation_, written, 1);
}

stem_counter DataPlane::hits(std::size_t index) const {
    stem_counter sum{};
    for (const auto& stripe : (*first_generation_)[0].hits) {
        sum.packets += stripe[index].packets;
        sum.bytes += stripe[index].bytes;
    }
    return sum;
}

UniqueFd DataPlane::make_generation(const kernel::Rules& rules, std::uint64_t number) const {
    // With its types: before Linux 6.2 a map without them is not taken for an equal of the one with them.
    LIBBPF_OPTS(bpf_map_create_opts, options);
    options.map_flags = BPF_F_MMAPABLE;
    options.btf_fd = static_cast<std::uint32_t>(bpf_object__btf_fd(skeleton_->obj));
    options.btf_key_type_id = bpf_map__btf_key_type_id(skeleton_->maps.ruleset);
    options.btf_value_type_id = bpf_map__btf_value_type_id(skeleton_->maps.ruleset);
    UniqueFd inner(
        bpf_map_create(BPF_MAP_TYPE_ARRAY, "ruleset", sizeof(zero), sizeof(stem_ruleset), 1, &options));
    if (!inner) {
        refuse(errno, "create a generation of rules");
    }
    fill(map_generation(inner.get()), rules, number);
    return inner;
}

void DataPlane::flip_rules(const UniqueFd& generation) {
    flipped_ = true;
    put(bpf_map__fd(skeleton_->maps.rules), zero, generation.get(), "the rules' generation");
}

void DataPlane::remove_rules() {
    flipped_ = true;
    if (const int result = bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.rules), &zero); result != 0) {
        refuse(result, "remove the rules");
    }
}

void DataPlane::set_thresholds(const stem_thresholds& thresholds) {
    put(bpf_map__fd(skeleton_->maps.thresholds), zero, thresholds, "the thresholds");
}

stem_thresholds DataPlane::thresholds() const {
    return fetch<stem_thresholds>(bpf_map__fd(skeleton_->maps.thresholds), zero, "the thresholds");
}

stem_thresholds DataPlane::default_thresholds() {
    stem_thresholds thresholds{};
    stem_default_thresholds(&thresholds);
    return thresholds;
}

void DataPlane::set_peer(const Address& source, const stem_peer& peer) {
    put(bpf_map__fd(skeleton_->maps.peers), source.raw(), peer, "a peer");
}

void DataPlane::set_monitored(const Cidr& peers) {
    stem_monitored_key key{.prefix_length = peers.mapped_length(), .peer = {}};
    std::ranges::copy(peers.network().octets(), key.peer);
    put(bpf_map__fd(skeleton_->maps.monitored), key, std::uint8_t{1}, "a monitored network");
}

stem_counter DataPlane::would_drops(stem_reason reason, stem_direction direction) const {
    return fetch<stem_counter>(bpf_map__fd(skeleton_->maps.would_drops),
                               stem_counter_index(reason, direction), "what would have been dropped");
}

void DataPlane::set_posture(std::uint32_t bits) {
    put(bpf_map__fd(skeleton_->maps.posture), zero, stem_posture{.bits = bits}, "the posture");
}

std::optional<stem_state> DataPlane::state_of(const stem_state_key& key) const {
    stem_state state{};
    const bool there = bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.states), &key, &state) == 0;
    return there ? std::optional(state) : std::nullopt;
}

std::optional<stem_steered> DataPlane::steered_of(const stem_state_key& key) const {
    stem_steered entry{};
    const bool there = bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.steered), &key, &entry) == 0;
    return there ? std::optional(entry) : std::nullopt;
}

std::size_t DataPlane::count_states() const {
    std::size_t count = 0;
    stem_state_key key{};
    const int fd = bpf_map__fd(skeleton_->maps.states);
    for (const void* before = nullptr; bpf_map_get_next_key(fd, before, &key) == 0; before = &key) {
        count++;
    }
    return count;
}

stem_state_usage DataPlane::state_usage() const {
    return fetch<stem_state_usage>(bpf_map__fd(skeleton_->maps.state_usage), zero, "the use of states");
}

StateCounters DataPlane::state_counters() const {
    const int cpus = libbpf_num_possible_cpus();
    const auto all =
        fetch_per_cpu<std::uint64_t>(bpf_map__fd(skeleton_->maps.state_counters), STEM_STATE_COUNTERS, cpus);
    StateCounters sums{};
    for (std::size_t i = 0; i < all.size(); i++) {
        sums[i / static_cast<std::size_t>(cpus)] += all[i];
    }
    return sums;
}

void DataPlane::put_state(const stem_state_key& key, const stem_state& state) {
    put(bpf_map__fd(skeleton_->maps.states), key, state, "a kept connection");
    auto usage = state_usage();
    usage.states++;
    put(bpf_map__fd(skeleton_->maps.state_usage), zero, usage, "the use of states");
}

std::uint32_t DataPlane::sweep(bool all) {
    stem_sweep about{.all = all ? 1U : 0U, .removed = 0};
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.ctx_in = &about;
    options.ctx_size_in = sizeof(about);
    if (const int result = bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.sweep), &options);
        result != 0) {
        refuse(result, "sweep");
    }
    return about.removed;
}

void DataPlane::set_proxy(stem_proxy_family family, const stem_proxy& proxy) {
    put(bpf_map__fd(skeleton_->maps.proxies), static_cast<std::uint32_t>(family), proxy, "a proxy");
}

stem_proxy DataPlane::proxy_of(stem_proxy_family family) const {
    return fetch<stem_proxy>(bpf_map__fd(skeleton_->maps.proxies), static_cast<std::uint32_t>(family),
                             "a proxy");
}

stem_sip_count DataPlane::sip_count(stem_sip_kind kind, stem_direction direction) const {
    const int cpus = libbpf_num_possible_cpus();
    const auto all =
        fetch_per_cpu<stem_sip_count>(bpf_map__fd(skeleton_->maps.sip_counts), STEM_SIP_COUNT_SLOTS, cpus);
    stem_sip_count sum{};
    const std::size_t first = stem_sip_count_index(kind, direction) * static_cast<std::size_t>(cpus);
    for (std::size_t cpu = 0; cpu < static_cast<std::size_t>(cpus); cpu++) {
        const stem_sip_count& count = all[first + cpu];
        sum.steered[STEM_LANE_UNKNOWN] += count.steered[STEM_LANE_UNKNOWN];
        sum.steered[STEM_LANE_KNOWN] += count.steered[STEM_LANE_KNOWN];
        sum.over_lane += count.over_lane;
        sum.limited += count.limited;
        sum.stream_blocks += count.stream_blocks;
        sum.source_blocks += count.source_blocks;
        sum.streams_not_blocked += count.streams_not_blocked;
        sum.sources_not_kept += count.sources_not_kept;
    }
    return sum;
}

void DataPlane::set_stream_seed(std::uint64_t seed) {
    put(bpf_map__fd(skeleton_->maps.stream_seed), zero, seed, "the seed of streams' names");
}

void DataPlane::add_sip_port(std::uint16_t port, std::uint8_t parser) {
    put(bpf_map__fd(skeleton_->maps.sip_ports), port, parser, "a SIP port");
}

void DataPlane::remove_sip_port(std::uint16_t port) {
    (void)bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.sip_ports), &port);
}

void DataPlane::set_port(stem_port port, std::uint32_t ifindex) {
    put(bpf_map__fd(skeleton_->maps.tx_ports), static_cast<std::uint32_t>(port), ifindex, "a port");
}

void DataPlane::remove_port(stem_port port) {
    const auto slot = static_cast<std::uint32_t>(port);
    if (const int result = bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.tx_ports), &slot); result != 0) {
        refuse(result, "remove a port");
    }
}

void DataPlane::set_socket(std::uint32_t slot, int fd) {
    put(bpf_map__fd(skeleton_->maps.xsks), slot, fd, "an AF_XDP socket's slot");
}

void DataPlane::remove_socket(std::uint32_t slot) {
    (void)bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.xsks), &slot);
}

} // namespace stem::test
