// SPDX-License-Identifier: Apache-2.0
#include "sm/channel/refusal.h"
#include "sm/server/service.h"

#include <fmt/format.h>

#include <iterator>

namespace stem::smd {
namespace {

void metric(std::string& text, std::string_view name, std::string_view type, std::string_view help) {
    fmt::format_to(std::back_inserter(text), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

} // namespace

std::string describe_metrics(const ServiceFigures& figures, std::string_view name) {
    std::string text;
    const auto out = [&] { return std::back_inserter(text); };
    metric(text, "stem_smd_info", "gauge", "Always 1; the labels say what runs.");
    fmt::format_to(out(), "stem_smd_info{{version=\"{}\",name=\"{}\"}} 1\n", STEM_VERSION, name);
    metric(text, "stem_smd_uptime_seconds", "gauge", "Since stem-smd started.");
    fmt::format_to(out(), "stem_smd_uptime_seconds {}\n", figures.uptime_seconds);
    metric(text, "stem_smd_firewalls", "gauge", "Firewalls that are connected.");
    fmt::format_to(out(), "stem_smd_firewalls {}\n", figures.firewalls);
    metric(text, "stem_smd_total", "counter", "Connections, requests and messages, by what became of them.");
#define STEM_SMD_COUNT(member, label, help)                                                                  \
    fmt::format_to(out(), "stem_smd_total{{what=\"{}\"}} {}\n", label, figures.counts.member);
    STEM_SMD_COUNTS(STEM_SMD_COUNT)
#undef STEM_SMD_COUNT
    metric(text, "stem_smd_database_connected", "gauge",
           "1: the database takes changes. 0: it is lost, and calls are decided from memory.");
    fmt::format_to(out(), "stem_smd_database_connected {}\n", figures.store_connected ? 1 : 0);
    metric(text, "stem_smd_bindings_waiting", "gauge",
           "Bindings that were learned while the database was lost and are not yet in it.");
    fmt::format_to(out(), "stem_smd_bindings_waiting {}\n", figures.bindings_waiting);
    metric(
        text, "stem_smd_database_total", "counter",
        "How often the database was lost, opened anew, and changes of other Security Managers taken over.");
    fmt::format_to(out(), "stem_smd_database_total{{what=\"lost\"}} {}\n", figures.store.losses);
    fmt::format_to(out(), "stem_smd_database_total{{what=\"reopened\"}} {}\n", figures.store.reopened);
    fmt::format_to(out(), "stem_smd_database_total{{what=\"caught_up\"}} {}\n", figures.store.caught_up);
    metric(text, "stem_sm_admission_total", "counter",
           "Calls that were asked for, by what bounds made of them.");
#define STEM_ADMISSION_COUNT(member, label, help)                                                            \
    fmt::format_to(out(), "stem_sm_admission_total{{what=\"{}\"}} {}\n", label, figures.admission.member);
    STEM_ADMISSION_COUNTS(STEM_ADMISSION_COUNT)
#undef STEM_ADMISSION_COUNT
    metric(text, "stem_sm_calls", "gauge", "Calls in progress, as firewalls tell of them.");
    fmt::format_to(out(), "stem_sm_calls {}\n", figures.calls);
    metric(text, "stem_audit_records_total", "counter", "Records of the audit trail.");
    fmt::format_to(out(), "stem_audit_records_total{{what=\"written\"}} {}\n", figures.audit.written);
    fmt::format_to(out(), "stem_audit_records_total{{what=\"lost\"}} {}\n", figures.audit.lost);
    metric(text, "stem_auth_total", "counter",
           "Callers from inside who had to show who they are, by what became of them.");
#define STEM_AUTH_COUNT(member, label, help)                                                                 \
    fmt::format_to(out(), "stem_auth_total{{what=\"{}\"}} {}\n", label, figures.authentication.member);
    STEM_AUTH_COUNTS(STEM_AUTH_COUNT)
#undef STEM_AUTH_COUNT
    metric(text, "stem_channel_refusals_total", "counter",
           "Messages of the control channel that were refused, by reason (docs/control-channel.md).");
    for (std::size_t i = 0; i < channel::refusal_count; ++i) {
        fmt::format_to(out(), "stem_channel_refusals_total{{reason=\"{}\"}} {}\n",
                       label_of(static_cast<channel::Refusal>(i)), figures.refusals[i]);
    }
    return text;
}

} // namespace stem::smd
