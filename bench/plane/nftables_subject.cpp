// SPDX-License-Identifier: Apache-2.0
#include "plane/flow_mix.h"
#include "plane/stream_address.h"
#include "plane/subject.h"

#include "lab/process.h"
#include "lab/text_file.h"

#include <fmt/format.h>

#include <charconv>
#include <tuple>

namespace stem::bench {
namespace {

// What an operator would write in front of a PBX: a set of blocked sources that dies first, the SIP helper,
// and the streams that the helper or an answer made known. `blocked` lists elements for a set, `first` is a
// rule for packets of unknown streams.
std::string ruleset(const std::string& blocked_v4, const std::string& blocked_v6, std::string_view first) {
    const auto elements = [](const std::string& list) {
        return list.empty() ? list : "elements = { " + list + " };";
    };
    return fmt::format(R"(table inet pbx
delete table inet pbx
table inet pbx {{
    set blocked4 {{ type ipv4_addr; {} }}
    set blocked6 {{ type ipv6_addr; {} }}
    ct helper sip_udp {{ type "sip" protocol udp; }}
    chain early {{
        type filter hook prerouting priority raw; policy accept;
        ip saddr @blocked4 drop
        ip6 saddr @blocked6 drop
    }}
    chain helpers {{
        type filter hook prerouting priority filter; policy accept;
        udp dport 5060 ct helper set "sip_udp"
    }}
    chain forward {{
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        udp dport 5060 accept
        {}
    }}
}}
)",
                       elements(blocked_v4), elements(blocked_v6), first);
}

class NftablesSubject : public Subject {
  public:
    explicit NftablesSubject(const Line& line) : line_(&line) {}

    // Whoever comes next starts without the table, and without tracking.
    ~NftablesSubject() override { std::ignore = nft("delete table inet pbx\n"); }

    [[nodiscard]] std::string name() const override { return "nftables"; }

    Result<> nft(const std::string& script) const {
        auto done = lab::run_command(
            {.name = "nft", .argv = {"nft", "-f", "-"}, .netns = &line_->middle(), .input = script});
        if (!done) {
            return std::unexpected(done.error());
        }
        return {};
    }

    // A packet each way makes a stream established. The rule that let the first one through is then taken
    // away, so that in the runs only tracked streams pass.
    Result<> establish(const Mix& mix) {
        for (const auto* key :
             {"netfilter/nf_conntrack_udp_timeout", "netfilter/nf_conntrack_udp_timeout_stream"}) {
            if (auto set = line_->middle().sysctl(key, "3600"); !set) {
                return set;
            }
        }
        auto ready = nft(ruleset("192.0.2.66", "2001:db8::66", "udp dport 30000-65535 accept"));
        for (const auto way : {Way::there, Way::back}) {
            if (ready) {
                ready = send_each_once(mix, way);
            }
        }
        if (!ready) {
            return ready;
        }
        auto count = tracked();
        if (!count) {
            return std::unexpected(count.error());
        }
        if (*count < mix.flows) {
            return fail(fmt::format("let nftables track {} streams", mix.flows),
                        fmt::format("the kernel keeps {}", *count),
                        "raise net.netfilter.nf_conntrack_max on the host");
        }
        return nft(ruleset("192.0.2.66", "2001:db8::66", ""));
    }

    Result<> block(const Mix& mix) {
        std::string list;
        for (std::uint32_t number = 0; number < mix.flows; ++number) {
            list += (number == 0 ? "" : ", ") +
                    address_of(bench_stream_of(number).source, mix.family).to_string();
        }
        return mix.family == Family::v4 ? nft(ruleset(list, "", "")) : nft(ruleset("", list, ""));
    }

    // The kernel's own path needs nothing attached.
    Result<> step_in() override { return {}; }
    void step_out() override {}
    // Streams that are not established die in the forward chain: the ports' counters tell.
    Result<> verify(std::uint64_t /*sent*/) override { return {}; }

  private:
    Result<> send_each_once(const Mix& mix, Way way) const {
        auto generator = Generator::create(*line_, mix, way);
        if (!generator) {
            return std::unexpected(generator.error());
        }
        auto sent = generator->send(mix.flows);
        if (!sent) {
            return std::unexpected(sent.error());
        }
        return {};
    }

    Result<std::uint64_t> tracked() const {
        return line_->middle().run([]() -> Result<std::uint64_t> {
            auto text = lab::read_text("/proc/sys/net/netfilter/nf_conntrack_count");
            if (!text) {
                return std::unexpected(text.error());
            }
            std::uint64_t count = 0;
            std::from_chars(text->data(), text->data() + text->size(), count);
            return count;
        });
    }

    const Line* line_;
};

} // namespace

Result<std::unique_ptr<Subject>> make_nftables_forwarder(const Line& line, const Mix& mix) {
    auto subject = std::make_unique<NftablesSubject>(line);
    if (auto ready = subject->establish(mix); !ready) {
        return std::unexpected(ready.error());
    }
    return subject;
}

Result<std::unique_ptr<Subject>> make_nftables_denier(const Line& line, const Mix& mix) {
    auto subject = std::make_unique<NftablesSubject>(line);
    if (auto ready = subject->block(mix); !ready) {
        return std::unexpected(ready.error());
    }
    return subject;
}

} // namespace stem::bench
