// SPDX-License-Identifier: Apache-2.0
// drops, reasons: what happened to packets, and what the words for it mean.
#include "ctl/kernel/counter_table.h"
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/quantity.h"
#include "ctl/stemctl/reason_table.h"
#include "ctl/stemctl/table.h"

#include <stem/reason.h>

#include <algorithm>
#include <memory>

namespace stem::stemctl {
namespace {

struct DropsOptions {
    bool all = false;
    bool zero = false;
    bool monitored = false;
};

bool is_shown(const kernel::CounterRow& row, const DropsOptions& options) {
    const bool counted = std::ranges::any_of(row.by_direction,
                                             [](const stem_counter& counter) { return counter.packets > 0; });
    return (options.all || options.monitored || stem_kind_of(row.reason) == STEM_KIND_DROP) &&
           (options.zero || counted);
}

std::string_view help_of(stem_reason reason) {
    const auto table = reasons();
    return std::ranges::find(table, reason, &ReasonInfo::reason)->help;
}

boost::json::object to_json(const kernel::CounterRow& row) {
    const auto counter = [&](stem_direction direction) {
        return boost::json::object{{"packets", row.by_direction[direction].packets},
                                   {"bytes", row.by_direction[direction].bytes}};
    };
    return {{"number", static_cast<unsigned>(row.reason)},
            {"reason", label_of(static_cast<unsigned>(row.reason))},
            {"kind", label_of(stem_kind_of(row.reason))},
            {"inbound", counter(STEM_INBOUND)},
            {"outbound", counter(STEM_OUTBOUND)}};
}

int run_drops(const Session& session, const DropsOptions& options) {
    const auto instance = session.open();
    if (!instance) {
        return session.failed(instance.error());
    }
    auto rows = options.monitored ? kernel::read_would_drops(*instance) : kernel::read_counters(*instance);
    if (!rows) {
        return session.failed(rows.error());
    }
    std::erase_if(*rows, [&](const auto& row) { return !is_shown(row, options); });
    if (session.json) {
        boost::json::array array;
        for (const auto& row : *rows) {
            array.push_back(to_json(row));
        }
        Session::print(boost::json::object{{"reasons", std::move(array)}});
        return exit_done;
    }
    Table table({{"REASON"},
                 {"OUTCOME"},
                 {"INBOUND", Align::right},
                 {"", Align::right},
                 {"OUTBOUND", Align::right},
                 {"", Align::right},
                 {"MEANING"}});
    for (const auto& row : *rows) {
        const auto& in = row.by_direction[STEM_INBOUND];
        const auto& out = row.by_direction[STEM_OUTBOUND];
        table.row({std::string(label_of(static_cast<unsigned>(row.reason))),
                   std::string(label_of(stem_kind_of(row.reason))), std::to_string(in.packets),
                   size_text(in.bytes), std::to_string(out.packets), size_text(out.bytes),
                   std::string(help_of(row.reason))});
    }
    Session::print(table.empty() ? (options.all         ? "no packet yet\n"
                                    : options.monitored ? "nothing would have been dropped\n"
                                                        : "nothing was dropped\n")
                                 : table.to_string());
    return exit_done;
}

int run_reasons(const Session& session, bool markdown) {
    if (session.json) {
        boost::json::array array;
        for (const auto& info : reasons()) {
            array.push_back(boost::json::object{{"number", static_cast<unsigned>(info.reason)},
                                                {"reason", info.label},
                                                {"kind", label_of(info.kind)},
                                                {"help", info.help}});
        }
        Session::print(boost::json::object{{"reasons", std::move(array)}});
        return exit_done;
    }
    if (markdown) {
        Session::print(reasons_markdown());
        return exit_done;
    }
    Table table({{"NUMBER", Align::right}, {"REASON"}, {"OUTCOME"}, {"MEANING"}});
    for (const auto& info : reasons()) {
        table.row({std::to_string(static_cast<unsigned>(info.reason)), std::string(info.label),
                   std::string(label_of(info.kind)), std::string(info.help)});
    }
    Session::print(table.to_string());
    return exit_done;
}

} // namespace

void add_drops_commands(CLI::App& root, Session& session) {
    auto options = std::make_shared<DropsOptions>();
    auto* drops = session.command(root, "drops",
                                  "Count what was dropped, by reason and direction.\n"
                                  "Since attach; by the data plane and by stemd.",
                                  "  stemctl drops\n  stemctl drops --all --json",
                                  [&session, options] { return run_drops(session, *options); });
    drops->add_flag("--all", options->all, "Also what was let through or given to stemd");
    drops->add_flag("--monitored", options->monitored,
                    "What would have been dropped, of peers that are only monitored");
    drops->add_flag("--zero", options->zero, "Also reasons that nothing was counted for");

    auto markdown = std::make_shared<bool>(false);
    auto* list = session.command(root, "reasons", "Explain every reason that a packet can be judged by.",
                                 "  stemctl reasons",
                                 [&session, markdown] { return run_reasons(session, *markdown); });
    list->add_flag("--markdown", *markdown, "As docs/reasons.md");
}

} // namespace stem::stemctl
