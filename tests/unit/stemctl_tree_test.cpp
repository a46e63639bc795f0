// SPDX-License-Identifier: Apache-2.0
// The command line as such: what it accepts, how it helps, and what it writes about itself.
#include <ctl/stemctl/commands.h>
#include <ctl/stemctl/module_names.h>
#include <ctl/stemctl/quantity.h>
#include <ctl/stemctl/reason_table.h>
#include <ctl/stemctl/table.h>
#include <ctl/stemctl/threshold_table.h>
#include <ctl/stemctl/tree_text.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace stem::stemctl {
namespace {

using testing::HasSubstr;

bool parses(const std::string& line) {
    Session session;
    const auto tree = make_command_tree(session);
    try {
        tree->parse(line);
        return true;
    } catch (const CLI::ParseError&) {
        return false;
    }
}

void for_each_leaf(const CLI::App& app, const std::string& path,
                   const std::function<void(const CLI::App&, const std::string&)>& visit) {
    const auto below = visible_commands(app);
    if (below.empty()) {
        visit(app, path);
    }
    for (const auto* command : below) {
        for_each_leaf(*command, path + " " + command->get_name(), visit);
    }
}

TEST(CommandTree, AcceptsWhatTheHelpTeaches) {
    for (const char* line :
         {"attach --external eth0 --internal eth1",
          "attach --external a --internal b --sip-port 5060 --sip-port 5080",
          "attach --external a --internal b --failsafe internal:tcp/22 --failsafe external:udp/161",
          "attach --external a --internal b --no-failsafe --mode router --xdp native --fallback open",
          "detach --force",
          "status --json",
          "--json status",
          "status --instance two",
          "deny add 192.0.2.1 2001:db8::/32 --for 2h --note scanner",
          "deny del 192.0.2.1",
          "deny list",
          "deny list --by syn_monitor signalling_monitor --kind stream flow --json",
          "deny add stream:udp:198.51.100.7:5060-203.0.113.5:5060 --note fraud",
          "deny del flow:[2001:db8::7]:4000-[2001:db8::5]:10000",
          "rules load rules.toml",
          "rules check rules.toml",
          "rules list --json",
          "flows",
          "drops --all",
          "events --follow --reason no_pinhole",
          "events -f -n 3",
          "modules",
          "modules list",
          "modules enable flow_monitor",
          "modules disable flow_monitor pattern_matcher --json",
          "attach --external a --internal b --modules flow_monitor,sip_steering",
          "attach --external a --internal b --modules none",
          "modules --markdown",
          "upgrade",
          "user password alice --stdin --algorithm MD5",
          "user password alice --username alice@example.org --realm stem --remove",
          "user password alice --list --json",
          "admin password ann --stdin",
          "admin del ann",
          "admin list",
          "announce sip:bob@example.org --user alice --source 192.0.2.5 --for 1m",
          "thresholds",
          "thresholds list --group --json",
          "thresholds show keepalive_rate",
          "thresholds set keepalive_rate 50",
          "thresholds set keepalive_rate 50 --group",
          "thresholds reset keepalive_rate",
          "thresholds reset --all",
          "thresholds set keepalive_rate 50 --group=branches",
          "group set branches fw1 fw2",
          "group list",
          "audit list --call-id a@b --since 2h --limit 5",
          "audit list --kind decision --action reject --user alice --caller bob --callee alice --until 1h",
          "audit export --who ann",
          "limit add sat --prefix +881 --calls-per-minute 2:5 --concurrent :2 --duration 60:600 --block 1h",
          "limit set sat --user alice --sequential :3 --when 'sat,sun' --status 486",
          "limit list --json",
          "limit blocks",
          "limit unblock '*'",
          "spam import list.csv --user alice --deny 1h",
          "profile rule add office --registered no --caller regex:sip:[0-9]+@.* --drop",
          "profile calls office 30",
          "user set alice --max-calls 2",
          "reasons --markdown",
          "completion bash",
          "completion zsh"}) {
        EXPECT_TRUE(parses(line)) << line;
    }
}

TEST(CommandTree, RefusesWrongUsage) {
    for (const char* line : {"",
                             "bogus",
                             "deny",
                             "deny add",
                             "deny wipe",
                             "audit",
                             "audit list --limit 0",
                             "limit add",
                             "limit add x --status 200",
                             "spam import",
                             "group set branches",
                             "profile rule add office --registered maybe --drop",
                             "user set alice --max-calls -1",
                             "deny list --by nobody",
                             "deny list --kind streams",
                             "deny del",
                             "rules load",
                             "attach",
                             "attach --external eth0",
                             "attach --external a --internal b --mode wire",
                             "attach --external a --internal b --xdp fast",
                             "attach --external a --internal b --sip-port 0",
                             "attach --external a --internal b --sip-port 65536",
                             "attach --external a --internal b --no-failsafe --failsafe internal:tcp/22",
                             "attach --external a --internal b --max-flows 0",
                             "status extra",
                             "events --count 0",
                             "events --count x",
                             "completion fish",
                             "modules enable",
                             "modules disable no_such",
                             "modules wipe",
                             "attach --external a --internal b --modules flow_monitor,no_such",
                             "deny add 192.0.2.1 --note 123456789012345678901234567890123456"}) {
        EXPECT_FALSE(parses(line)) << line;
    }
}

TEST(CommandTree, EveryCommandTeachesWithAnExample) {
    Session session;
    const auto tree = make_command_tree(session);
    int seen = 0;
    for_each_leaf(*tree, "stemctl", [&](const CLI::App& command, const std::string& path) {
        seen++;
        EXPECT_THAT(command.get_footer(), HasSubstr("Example:")) << path;
        EXPECT_THAT(command.get_footer(), HasSubstr(path)) << path;
        const std::string first = command.get_description().substr(0, command.get_description().find('\n'));
        EXPECT_LT(first.size(), 75U) << path << ": the first line stands in lists";
    });
    EXPECT_GE(seen, 15);
}

TEST(CommandTree, CompletionAndManualKnowEveryCommand) {
    Session session;
    const auto tree = make_command_tree(session);
    const std::string script = bash_completion(*tree);
    const std::string manual = manual_page(*tree, "1.2.3");
    for_each_leaf(*tree, "", [&](const CLI::App&, const std::string& path) {
        EXPECT_THAT(script, HasSubstr("'" + path + "') words=")) << path;
        std::string heading = ".SS" + path;
        EXPECT_THAT(manual, HasSubstr(heading + "\n"));
    });
    EXPECT_THAT(script, HasSubstr("' attach':--mode) COMPREPLY=($(compgen -W 'bridge router'"));
    EXPECT_THAT(manual, HasSubstr("STEM 1.2.3"));
}

TEST(Reasons, PageInTheDocumentationIsTheProgramsOwn) {
    const std::string path = STEM_SOURCE_DIR "/docs/reasons.md";
    std::ifstream file(path);
    ASSERT_TRUE(file) << path;
    std::ostringstream page;
    page << file.rdbuf();
    EXPECT_EQ(page.str(), reasons_markdown())
        << "write it anew: stemctl reasons --markdown > docs/reasons.md";
}

TEST(Thresholds, PageInTheDocumentationIsTheProgramsOwn) {
    const std::string path = STEM_SOURCE_DIR "/docs/thresholds.md";
    std::ifstream file(path);
    ASSERT_TRUE(file) << path;
    std::ostringstream page;
    page << file.rdbuf();
    EXPECT_EQ(page.str(), thresholds_markdown())
        << "write it anew: stemctl thresholds --markdown > docs/thresholds.md";
}

TEST(Modules, PageInTheDocumentationIsTheProgramsOwn) {
    const std::string path = STEM_SOURCE_DIR "/docs/modules.md";
    std::ifstream file(path);
    ASSERT_TRUE(file) << path;
    std::ostringstream page;
    page << file.rdbuf();
    EXPECT_EQ(page.str(), modules_markdown())
        << "write it anew: stemctl modules --markdown > docs/modules.md";
}

TEST(Modules, NamesBecomeBits) {
    EXPECT_EQ(module_bits({"flow_monitor", "sip_steering"}),
              std::uint32_t{STEM_MODULE_FLOW_MONITOR | STEM_MODULE_SIP_STEERING});
    EXPECT_EQ(module_bits({"all"}), std::uint32_t{STEM_MODULES_ALL});
    EXPECT_EQ(module_bits({"none"}), 0U);
    EXPECT_EQ(module_names(0), "none");
    EXPECT_EQ(module_names(STEM_MODULE_FLOW_MONITOR | STEM_MODULE_SIP_STEERING),
              "flow_monitor, sip_steering");
}

TEST(Quantity, ReadsDurations) {
    EXPECT_EQ(*parse_duration("90s"), std::chrono::seconds(90));
    EXPECT_EQ(*parse_duration("10m"), std::chrono::minutes(10));
    EXPECT_EQ(*parse_duration("2h"), std::chrono::hours(2));
    EXPECT_EQ(*parse_duration("7d"), std::chrono::hours(168));
    for (const char* text : {"", "10", "s", "0s", "-1s", "1.5h", "10 m", "1w", "4000d",
                             "9223372036854775807s", "99999999999999999999s"}) {
        const auto duration = parse_duration(text);
        ASSERT_FALSE(duration) << text;
        EXPECT_THAT(duration.error().message(), HasSubstr(std::string("'") + text + "'"));
    }
}

TEST(Quantity, WritesForPeople) {
    using std::chrono::seconds;
    EXPECT_EQ(duration_text(seconds(12)), "12 s");
    EXPECT_EQ(duration_text(seconds(180)), "3 min");
    EXPECT_EQ(duration_text(seconds(18'000)), "5 h");
    EXPECT_EQ(duration_text(seconds(200'000)), "2 d");
    EXPECT_EQ(ago_text(0, 5), "never");
    EXPECT_EQ(ago_text(1'000'000'000, 13'000'000'000), "12 s ago");
    EXPECT_EQ(ago_text(5, 1), "0 s ago");
    EXPECT_EQ(rate_text(10'900), "87 kb/s");
    EXPECT_EQ(rate_text(0), "unlimited");
    EXPECT_EQ(size_text(999), "999 B");
    EXPECT_EQ(size_text(1'500'000), "1.5 MB");
    EXPECT_EQ(utc_time_text(1'000'000'000'123'000'000), "2001-09-09T01:46:40.123Z");
}

TEST(Table, AlignsByCharactersNotOctets) {
    Table table({{"A → B"}, {"N", Align::right}});
    table.row({"x", "1"});
    table.row({"long → one", "1000"});
    EXPECT_EQ(table.to_string(), "A → B          N\n"
                                 "x              1\n"
                                 "long → one  1000\n");
}

} // namespace
} // namespace stem::stemctl
