// SPDX-License-Identifier: Apache-2.0
#include "ctl/config/parameter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

namespace stem::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string error_of(const std::string& toml) {
    const auto config = read_text(toml, "stemd.toml");
    return config ? "no error" : config.error().message();
}

TEST(Config, EmptyFileGivesDefaults) {
    const auto config = read_text("", "stemd.toml");
    ASSERT_TRUE(config) << config.error().message();
    const Changes changes = compare(Config{}, *config);
    EXPECT_THAT(changes.live, IsEmpty());
    EXPECT_THAT(changes.after_restart, IsEmpty());
}

TEST(Config, ReadsEveryKind) {
    const auto config = read_text(R"(
[sip]
refused_methods = ["REFER", "MESSAGE"]
[sip.limits]
headers = 100
[media]
silence_seconds = 30
relays = ["192.0.2.0/24", "2001:db8::5"]
[sm]
unknown_user = "drop"
outgoing_status = 488
[api]
mode = "0600"
)",
                                  "stemd.toml");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_THAT(config->call.refused_methods, ElementsAre("REFER", "MESSAGE"));
    EXPECT_EQ(config->call.sip.headers, 100U);
    EXPECT_EQ(config->call.silence, std::chrono::seconds(30));
    ASSERT_EQ(config->call.media_relays.size(), 2U);
    EXPECT_EQ(config->call.media_relays[0].to_string(), "192.0.2.0/24");
    EXPECT_EQ(config->call.media_relays[1].to_string(), "2001:db8::5");
    EXPECT_EQ(config->sm.policy.unknown_user, sm::Settings::UnknownUser::drop);
    EXPECT_EQ(config->sm.policy.outgoing_status, 488);
    EXPECT_EQ(config->api.mode, "0600");
}

TEST(Config, ARemoteManagerNeedsServersAndTimeToBeHeldFor) {
    const auto fault = [](const std::string& toml) {
        const auto config = read_text(toml, "stemd.toml");
        const auto good = config ? check(*config) : std::unexpected(config.error());
        return good ? std::string("sound") : good.error().message();
    };
    EXPECT_EQ(fault(""), "sound");
    EXPECT_THAT(fault("[sm]\nmode = \"remote\""), HasSubstr("servers"));
    EXPECT_EQ(fault("[sm]\nmode = \"remote\"\nservers = [\"sm1.example.org:7443\", \"[2001:db8::9]:7443\"]"),
              "sound");
    EXPECT_THAT(fault("[sm]\nmode = \"remote\"\nservers = [\"a:1\"]\nhold_ms = 5000"),
                HasSubstr("decision_timeout_ms"));
    for (const char* server :
         {"", "a", "a:", ":1", "a:0", "a:65536", "2001:db8::9", "[x]:1", "a b:1", "a:1x"}) {
        EXPECT_THAT(fault("[sm]\nservers = [\"" + std::string(server) + "\"]"), HasSubstr("sm.servers"))
            << server;
    }
}

TEST(Config, UnknownKeyNamesPlaceAndKeys) {
    EXPECT_THAT(error_of("[media]\n\nsilence = 3\n"),
                AllOf(HasSubstr("stemd.toml:3"), HasSubstr("there is no key media.silence"),
                      HasSubstr("silence_seconds"), HasSubstr("forbidden")));
    EXPECT_THAT(error_of("level = \"info\"\n"), AllOf(HasSubstr("stemd.toml:1"), HasSubstr("no key level")));
}

TEST(Config, UnknownSectionNamesPlaceAndSections) {
    EXPECT_THAT(error_of("[log]\nlevel = \"info\"\n[medias]\nx = 1\n"),
                AllOf(HasSubstr("stemd.toml:3"), HasSubstr("[medias]"), HasSubstr("[media]")));
    EXPECT_THAT(error_of("[sip.limit]\nheaders = 3\n"), HasSubstr("there is no section [sip.limit]"));
}

TEST(Config, WrongTypeAndRangeNameWhatIsAllowed) {
    EXPECT_THAT(error_of("[calls]\nmax_calls = \"many\"\n"),
                AllOf(HasSubstr("stemd.toml:2"), HasSubstr("calls.max_calls"),
                      HasSubstr("an integer from 1 to 1048576")));
    EXPECT_THAT(error_of("[calls]\nmax_calls = 0\n"), HasSubstr("calls.max_calls = 0 is not allowed"));
    EXPECT_THAT(error_of("[calls]\nmax_calls = 3.5\n"), HasSubstr("is not allowed"));
    EXPECT_THAT(error_of("[frames]\nring_size = 1000\n"), HasSubstr("a power of two"));
    EXPECT_THAT(error_of("[sm]\nunlocated = \"drop\"\n"),
                AllOf(HasSubstr("sm.unlocated"), HasSubstr("one of \"accept\", \"reject\"")));
    EXPECT_THAT(error_of("[media]\nrelays = [\"192.0.2.1/24\"]\n"),
                AllOf(HasSubstr("media.relays"), HasSubstr("network or address")));
    EXPECT_THAT(error_of("[media]\nrelays = \"192.0.2.1\"\n"), HasSubstr("a list"));
    EXPECT_THAT(error_of("[sip]\nrefused_methods = [\"RE FER\"]\n"), HasSubstr("sip.refused_methods"));
    EXPECT_THAT(error_of("[sip]\nrefused_outgoing = [\"INVITE\"]\n"), HasSubstr("belongs to no call"));
    EXPECT_THAT(error_of("[api]\nmode = \"0999\"\n"), HasSubstr("octal"));
    EXPECT_THAT(error_of("[api]\nsocket = \"stemd.sock\"\n"), HasSubstr("an absolute path"));
    EXPECT_THAT(error_of("log = 3\n"), HasSubstr("stemd.toml:1"));
}

TEST(Config, BrokenSyntaxNamesTheLine) {
    EXPECT_THAT(error_of("[log]\nlevel = \n"), AllOf(HasSubstr("stemd.toml:2"), HasSubstr("TOML")));
}

TEST(Config, MissingFileIsAnError) {
    const auto config = read_file("/nonexistent/stemd.toml");
    ASSERT_FALSE(config);
    EXPECT_THAT(config.error().message(), AllOf(HasSubstr("/nonexistent/stemd.toml"),
                                                HasSubstr("No such file"), HasSubstr("--config")));
}

TEST(Config, TableIsSound) {
    std::set<std::string> names;
    std::set<std::string_view> section_names;
    for (const Section& section : schema().sections) {
        section_names.insert(section.name);
    }
    const Config defaults;
    for (const Parameter& parameter : schema().parameters) {
        EXPECT_TRUE(names.insert(parameter.name()).second) << parameter.name();
        EXPECT_TRUE(section_names.contains(parameter.section)) << parameter.name();
        EXPECT_FALSE(parameter.help.empty()) << parameter.name();
        // The default, written into a file, is read back as itself.
        const auto again =
            read_text("[" + std::string(parameter.section) + "]\n" + std::string(parameter.key) + " = " +
                          literal(parameter, defaults) + "\n",
                      "defaults.toml");
        ASSERT_TRUE(again) << again.error().message();
        EXPECT_EQ(literal(parameter, *again), literal(parameter, defaults)) << parameter.name();
    }
}

TEST(Config, ReloadTakesOnlyWhatIsLive) {
    const auto changed = read_text(
        "[log]\nlevel = \"debug\"\n[sm]\ndrill_delay_ms = 40\n[calls]\nmax_calls = 7\n", "new.toml");
    ASSERT_TRUE(changed);
    const Changes changes = compare(Config{}, *changed);
    EXPECT_THAT(changes.live, ElementsAre("sm.drill_delay_ms", "log.level"));
    EXPECT_THAT(changes.after_restart, ElementsAre("calls.max_calls"));
    const Config merged = merge_live(Config{}, *changed);
    EXPECT_EQ(merged.log.level, LogLevel::debug);
    EXPECT_EQ(merged.sm.drill_delay, std::chrono::milliseconds(40));
    EXPECT_EQ(merged.call.max_calls, Config{}.call.max_calls);
}

TEST(Config, DocumentIsWhatHelpConfigPrints) {
    std::ifstream file(STEM_SOURCE_DIR "/docs/config.md");
    ASSERT_TRUE(file) << "docs/config.md is missing: make it with stemd --help-config";
    std::ostringstream text;
    text << file.rdbuf();
    EXPECT_EQ(text.str(), describe()) << "docs/config.md is out of date: make it with stemd --help-config";
}

} // namespace
} // namespace stem::config
