// SPDX-License-Identifier: Apache-2.0
// Administrators whose passwords are known elsewhere: slapd takes them by a bind, freeradius as a
// User-Password.
#include "lab/enclosure.h"
#include "tests/expect_ok.h"
#include "tests/netns/password_servers.h"
#include "tests/netns/smd_fixture.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace stem::smd {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* password = "correct-horse-battery";

class Administrators : public SmdFixture {
  protected:
    void SetUp() override {
        for (const char* program : {"/usr/sbin/slapd", "/usr/sbin/slapadd", "/usr/sbin/freeradius"}) {
            if (const auto why = lab::why_not(program); !why.empty()) {
                GTEST_SKIP() << why;
            }
        }
        SmdFixture::SetUp();
    }
    void TearDown() override {
        SmdFixture::TearDown();
        for (const char* secret : {password, lab::Slapd::bind_password, lab::Freeradius::secret}) {
            EXPECT_THAT(log(), Not(HasSubstr(secret)));
        }
    }
    // And root is one of them, whose password is not here.
    void start_with(const std::string& auth) {
        ASSERT_NO_FATAL_FAILURE(start("[auth]\n" + auth, "passwords = \"yes\"\n"));
        EXPECT_THAT(ask({"--cert", host_->issued("admin-ann.crt"), "--key", host_->issued("admin-ann.key"),
                         "-X", "PUT", "-d", R"({"elsewhere": true})"},
                        "/v1/administrators/root"),
                    HasSubstr(" 204 "));
    }
    [[nodiscard]] std::string ask(std::vector<std::string> arguments, const std::string& path) const {
        std::vector<std::string> argv = {"curl", "-s", "-i", "-k", "--max-time", "10"};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        argv.push_back("https://" + place() + path);
        return lab::run_command({.name = "curl", .argv = argv, .netns = &*netns_}).value_or("");
    }
    void come_and_go() {
        const std::string right = fmt::format("root:{}", password);
        EXPECT_THAT(ask({"-u", right}, "/v1/identity"), HasSubstr(R"("role":"admin","name":"root")"));
        EXPECT_THAT(ask({"-u", right}, "/v1/users"), HasSubstr(" 200 "));
        EXPECT_THAT(ask({"-u", "root:guessed"}, "/v1/users"), HasSubstr(" 401 "));
        EXPECT_THAT(ask({"-u", "root:"}, "/v1/users"), HasSubstr(" 401 "))
            << "to LDAP it is a bind as nobody, and RADIUS cannot say it";
        EXPECT_THAT(ask({"-u", fmt::format("carol:{}", password)}, "/v1/users"), HasSubstr(" 401 "))
            << "known there, and no administrator here";
    }
};

INSTANTIATE_TEST_SUITE_P(Families, Administrators, testing::Bool(),
                         [](const auto& v6) { return v6.param ? "v6" : "v4"; });

TEST_P(Administrators, ComeWithThePasswordThatSlapdKnows) {
    const auto tls = lab::Slapd::certify(STEM_STEMCTL);
    ASSERT_OK(tls);
    const auto secret = lab::secret_file("ldap.secret", lab::Slapd::bind_password);
    ASSERT_OK(secret);
    auto slapd = lab::Slapd::start(*netns_, {{"root", "0", password}, {"carol", "0", password}}, *tls);
    ASSERT_OK(slapd);
    start_with(fmt::format(
        "backends = [\"ldap\"]\nldap_uri = \"ldaps://{}:1636\"\nldap_ca = \"{}\"\nldap_bind_dn = \"{}\"\n"
        "ldap_password = \"{}\"\nldap_base = \"{}\"\n",
        loopback(), tls->ca.string(), lab::Slapd::bind_dn, secret->string(), lab::Slapd::base));
    come_and_go();
    slapd->process().signal(SIGKILL);
    ASSERT_TRUE(lab::eventually([&] { return !slapd->process().running(); }, std::chrono::seconds(5)));
    EXPECT_THAT(ask({"-u", fmt::format("root:{}", password)}, "/v1/users"), HasSubstr(" 503 "));
}

TEST_P(Administrators, ComeWithThePasswordThatFreeradiusKnows) {
    auto freeradius = lab::Freeradius::start(*netns_, "root", password);
    ASSERT_OK(freeradius);
    const auto secret = lab::secret_file("radius.secret", lab::Freeradius::secret);
    ASSERT_OK(secret);
    start_with(
        fmt::format("backends = [\"radius\"]\nradius_servers = [\"{}:1812\"]\nradius_secret = \"{}\"\n",
                    loopback(), secret->string()));
    come_and_go();
    freeradius->process().signal(SIGKILL);
    ASSERT_TRUE(lab::eventually([&] { return !freeradius->process().running(); }, std::chrono::seconds(5)));
    EXPECT_THAT(ask({"-u", fmt::format("root:{}", password)}, "/v1/users"), HasSubstr(" 503 "));
}

} // namespace
} // namespace stem::smd
