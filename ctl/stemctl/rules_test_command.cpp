// SPDX-License-Identifier: Apache-2.0
// rules test: which rule a described packet would hit, and why.
#include "ctl/kernel/packet_description.h"
#include "ctl/kernel/packet_stages.h"
#include "ctl/kernel/rule_fields.h"
#include "ctl/kernel/rules_file.h"
#include "ctl/kernel/ruleset_map.h"
#include "ctl/stemctl/commands.h"

#include <stem/reason.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

namespace stem::stemctl {
namespace {

constexpr std::size_t misses_shown = 20;

struct TestOptions {
    std::vector<std::string> packet;
    std::string file;
    bool explain = false;
};

// A rule before the one that decides, that all but one of its fields would have matched.
struct NearMiss {
    std::size_t rule = 0;
    kernel::FieldCheck failed;
};

struct Findings {
    std::string rules_of; // "generation 3" or the file
    std::vector<stem_rule> rules;
    std::optional<kernel::StageHit> before;
    kernel::RuleHits hits;
    std::optional<stem_reason> after; // where no rule decides
    std::vector<NearMiss> misses;
    std::size_t misses_left_out = 0;
};

struct Source {
    std::string name;
    std::vector<stem_rule> rules;
    std::array<std::uint8_t, STEM_DIRECTIONS> policy{};
};

Result<Source> read_file(const std::string& file, const Result<kernel::Instance>& instance) {
    auto rules = kernel::read_rules_file(file);
    if (!rules) {
        return std::unexpected(rules.error());
    }
    if (kernel::names_interfaces(*rules)) {
        if (!instance) {
            return fail("resolve the interfaces that " + file + " names", instance.error().message(),
                        "attach first, or write direction in place of interface");
        }
        const auto& names = instance->meta().ifname;
        if (auto good =
                kernel::resolve_interfaces(*rules, {names[STEM_PORT_EXTERNAL], names[STEM_PORT_INTERNAL]});
            !good) {
            return std::unexpected(good.error());
        }
    }
    return Source{.name = file, .rules = std::move(rules->rules), .policy = rules->policy};
}

Result<Source> read_in_force(const Result<kernel::Instance>& instance) {
    if (!instance) {
        return std::unexpected(instance.error());
    }
    const auto in_force = kernel::rules_in_force(*instance);
    if (!in_force) {
        return std::unexpected(in_force.error());
    }
    const stem_ruleset& generation = (*in_force)[0];
    const auto rules = kernel::rules_of(generation);
    Source source{.name = fmt::format("generation {}", generation.generation),
                  .rules = {rules.begin(), rules.end()}};
    std::ranges::copy(generation.policy, source.policy.begin());
    return source;
}

void find_misses(Findings& findings, const kernel::PacketFields& fields) {
    for (std::size_t i = 0; i < findings.hits.decided.value_or(findings.rules.size()); i++) {
        const auto checks = kernel::explain_rule(findings.rules[i], fields);
        const auto failed = std::ranges::count(checks, false, &kernel::FieldCheck::matches);
        if (failed != 1) {
            continue;
        }
        if (findings.misses.size() == misses_shown) {
            findings.misses_left_out++;
            continue;
        }
        findings.misses.push_back(
            {.rule = i, .failed = *std::ranges::find(checks, false, &kernel::FieldCheck::matches)});
    }
}

Result<Findings> judge(const Session& session, const TestOptions& options,
                       const kernel::PacketDescription& packet) {
    const auto instance = session.open();
    auto source = options.file.empty() ? read_in_force(instance) : read_file(options.file, instance);
    if (!source) {
        return std::unexpected(source.error());
    }
    Findings findings{.rules_of = source->name, .rules = std::move(source->rules)};
    if (!instance || (instance->meta().modules & STEM_MODULE_PATTERN_MATCHER) != 0) {
        findings.hits = kernel::first_match(findings.rules, packet.fields);
    } else {
        Session::warn("the pattern matcher is off: no rule is looked at (stemctl modules)");
    }
    if (instance) {
        auto before = kernel::stage_before_rules(*instance, packet);
        if (!before) {
            return std::unexpected(before.error());
        }
        findings.before = std::move(*before);
    }
    if (!findings.hits.decided) {
        const auto after = instance
                               ? kernel::stage_after_rules(*instance, packet, source->policy)
                               : Result<stem_reason>(kernel::policy_verdict(packet.fields, source->policy));
        if (!after) {
            return std::unexpected(after.error());
        }
        findings.after = *after;
    }
    if (options.explain) {
        find_misses(findings, packet.fields);
    }
    return findings;
}

stem_reason reason_of(const stem_rule& rule) {
    return rule.action == STEM_ACTION_PASS    ? STEM_RULE_PASS
           : rule.action == STEM_ACTION_STEER ? STEM_RULE_STEER
                                              : STEM_RULE_DROP;
}

stem_reason outcome_of(const Findings& findings) {
    if (findings.before) {
        return findings.before->reason;
    }
    return findings.hits.decided ? reason_of(findings.rules[*findings.hits.decided])
                                 : findings.after.value_or(STEM_INTERNAL);
}

boost::json::object to_json(const kernel::FieldCheck& check) {
    return {{"field", check.field}, {"wanted", check.wanted}, {"found", check.found}};
}

boost::json::object name_json(const Findings& findings, std::size_t rule) {
    return {{"number", rule + 1}, {"name", std::string(findings.rules[rule].name)}};
}

boost::json::object to_json(const Findings& findings, const TestOptions& options,
                            const kernel::PacketDescription& packet) {
    boost::json::object json{{"packet", packet.to_string()},
                             {"rules", findings.rules_of},
                             {"outcome", label_of(outcome_of(findings))}};
    json["before"] = findings.before ? boost::json::value{{"reason", label_of(findings.before->reason)},
                                                          {"detail", findings.before->detail}}
                                     : boost::json::value();
    boost::json::array logged;
    for (const auto rule : findings.hits.logged) {
        logged.push_back(name_json(findings, rule));
    }
    json["logged"] = std::move(logged);
    json["rule"] = nullptr;
    if (const auto decided = findings.hits.decided) {
        auto rule = name_json(findings, *decided);
        rule["action"] = kernel::action_name(findings.rules[*decided].action);
        boost::json::array why;
        for (const auto& check : kernel::explain_rule(findings.rules[*decided], packet.fields)) {
            why.push_back(to_json(check));
        }
        rule["why"] = std::move(why);
        json["rule"] = std::move(rule);
    }
    if (options.explain) {
        boost::json::array misses;
        for (const auto& miss : findings.misses) {
            auto one = name_json(findings, miss.rule);
            one["failed"] = to_json(miss.failed);
            misses.push_back(std::move(one));
        }
        json["near_misses"] = std::move(misses);
        json["near_misses_left_out"] = findings.misses_left_out;
    }
    return json;
}

std::string why_text(const stem_rule& rule, const kernel::PacketFields& fields) {
    std::string text;
    for (const auto& check : kernel::explain_rule(rule, fields)) {
        text += fmt::format("  {:<17} {} takes {}\n", check.field, check.wanted, check.found);
    }
    return text.empty() ? "  it takes every packet\n" : text;
}

std::string rule_text(const Findings& findings, std::size_t rule) {
    return fmt::format("rule {} '{}' ({})", rule + 1, findings.rules[rule].name,
                       kernel::rule_action(findings.rules[rule]));
}

std::string to_text(const Findings& findings, const TestOptions& options,
                    const kernel::PacketDescription& packet) {
    std::string text =
        fmt::format("{}, by {}: {}\n", packet.to_string(), findings.rules_of, label_of(outcome_of(findings)));
    if (findings.before) {
        text += fmt::format("before any rule, {}. Otherwise:\n", findings.before->detail);
    }
    for (const auto rule : findings.hits.logged) {
        if (rule != findings.hits.decided) {
            text += fmt::format("{} reports it\n", rule_text(findings, rule));
        }
    }
    if (const auto decided = findings.hits.decided) {
        text += fmt::format("{} decides:\n{}", rule_text(findings, *decided),
                            why_text(findings.rules[*decided], packet.fields));
    } else {
        text += fmt::format("no rule decides, so: {}\n", label_of(findings.after.value_or(STEM_INTERNAL)));
    }
    for (const auto& [rule, failed] : findings.misses) {
        text += fmt::format("near miss: {}, but for {}: {} does not take {}\n", rule_text(findings, rule),
                            failed.field, failed.wanted, failed.found);
    }
    if (findings.misses_left_out != 0) {
        text += fmt::format("and {} more near misses\n", findings.misses_left_out);
    }
    if (options.explain && findings.misses.empty()) {
        text += "no near misses\n";
    }
    return text;
}

int run_test(const Session& session, const TestOptions& options) {
    const auto packet = kernel::read_packet(fmt::format("{}", fmt::join(options.packet, " ")));
    if (!packet) {
        return session.failed(packet.error());
    }
    const auto findings = judge(session, options, *packet);
    if (!findings) {
        return session.failed(findings.error());
    }
    if (session.json) {
        Session::print(to_json(*findings, options, *packet));
    } else {
        Session::print(to_text(*findings, options, *packet));
    }
    return exit_done;
}

} // namespace

void add_rules_test_command(CLI::App& rules, Session& session) {
    auto options = std::make_shared<TestOptions>();
    auto* test = session.command(
        rules, "test",
        "Tell which rule a described packet would hit, and why.\n"
        "PACKET: " +
            std::string(kernel::packet_grammar) +
            ".\nBy the rules in force, or those of a file. Where the instance is attached, it is also told "
            "if\n"
            "the fail-safe list, the deny list or a call's pinhole would come before. Nothing is sent.",
        "  stemctl rules test inbound udp 192.0.2.1:4000 to 198.51.100.9:5060 vlan 7\n"
        "  stemctl rules test outbound icmpv6 2001:db8::1 to 2001:db8::2 type 128 --explain\n"
        "  stemctl rules test --file rules.toml inbound tcp 192.0.2.1 to 198.51.100.9 fragment",
        [&session, options] { return run_test(session, *options); });
    test->add_option("packet", options->packet, "The packet, in words; with an arrow, quote all of it")
        ->required()
        ->type_name("PACKET");
    test->add_option("--file", options->file, "Test this file, which need not be loaded")->type_name("FILE");
    test->add_flag("--explain", options->explain,
                   "Also the rules before that matched in all fields but one, and which that is");
}

} // namespace stem::stemctl
