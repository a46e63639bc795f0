// SPDX-License-Identifier: Apache-2.0
// Administrators whose passwords are known elsewhere: slapd takes them by a bind, freeradius as a
// User-Password.
#include "lab/enclosure.h"
#include "lab/text_file.h"
#include "tests/expect_ok.h"
#include "tests/netns/manager_host.h"
#include "tests/netns/password_servers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace stem::smd {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* password = "correct-horse-battery";

class Administrators : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override {
        for (const char* program : {"/usr/sbin/slapd", "/usr/sbin/slapadd", "/usr/sbin/freeradius"}) {
            if (const auto why = lab::why_not(program); !why.empty()) {
                GTEST_SKIP() << why;
            }
        }
        auto netns = lab::Netns::create("admins");
        ASSERT_OK(netns);
        netns_.emplace(std::move(*netns));
        auto host = lab::ManagerHost::create({STEM_STEMCTL, STEM_STEM_SMD}, *netns_);
        ASSERT_OK(host);
        host_.emplace(std::move(*host));
    }
    void TearDown() override {
        if (!host_ || !started_) {
            return;
        }
        const auto log = host_->process(1).errors();
        if (HasFailure()) {
            std::fputs(log.c_str(), stderr);
        }
        for (const char* secret : {password, lab::Slapd::bind_password, lab::Freeradius::secret}) {
            EXPECT_THAT(log, Not(HasSubstr(secret)));
        }
    }
    [[nodiscard]] bool v6() const { return GetParam(); }
    static std::filesystem::path secret_file(const char* name, const std::string& secret) {
        const auto file = lab::scratch() / name;
        EXPECT_TRUE(lab::write_text(file, secret + "\n"));
        std::filesystem::permissions(file, std::filesystem::perms::owner_read |
                                               std::filesystem::perms::owner_write);
        return file;
    }
    void start(const std::string& auth) {
        ASSERT_OK(host_->start(1, "[auth]\n" + auth, "passwords = \"yes\"\n"));
        started_ = true;
        EXPECT_THAT(ask({"--cert", host_->issued("admin-ann.crt"), "--key", host_->issued("admin-ann.key"),
                         "-X", "PUT", "-d", R"({"elsewhere": true})"},
                        "/v1/administrators/root"),
                    HasSubstr(" 204 "));
    }
    [[nodiscard]] std::string ask(std::vector<std::string> arguments, const std::string& path) const {
        std::vector<std::string> argv = {"curl", "-s", "-i", "-k", "--max-time", "10"};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        argv.push_back(
            fmt::format("https://{}:{}{}", v6() ? "[::1]" : "127.0.0.1", lab::ManagerHost::port(1), path));
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

    std::optional<lab::Netns> netns_;
    std::optional<lab::ManagerHost> host_;
    bool started_ = false;
};

INSTANTIATE_TEST_SUITE_P(Families, Administrators, testing::Bool(),
                         [](const auto& v6) { return v6.param ? "v6" : "v4"; });

TEST_P(Administrators, ComeWithThePasswordThatSlapdKnows) {
    const auto pki = lab::scratch() / "ldap-pki";
    std::filesystem::remove_all(pki);
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             {"init"}, {"issue", "server", "ldap", "--host", "127.0.0.1", "--host", "::1"}}) {
        std::vector<std::string> argv = {STEM_STEMCTL, "pki", "--dir", pki};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        ASSERT_OK(lab::run_command({.name = "stemctl-pki", .argv = argv}));
    }
    auto slapd = lab::Slapd::start(
        *netns_, {{"root", "0", password}, {"carol", "0", password}},
        {pki / "issued" / "server-ldap.crt", pki / "issued" / "server-ldap.key", pki / "ca.crt"});
    ASSERT_OK(slapd);
    start(fmt::format("backends = [\"ldap\"]\nldap_uri = \"ldaps://{}:1636\"\nldap_ca = \"{}\"\n"
                      "ldap_bind_dn = \"{}\"\nldap_password = \"{}\"\nldap_base = \"{}\"\n",
                      v6() ? "[::1]" : "127.0.0.1", (pki / "ca.crt").string(), lab::Slapd::bind_dn,
                      secret_file("ldap.secret", lab::Slapd::bind_password).string(), lab::Slapd::base));
    come_and_go();
    slapd->process().signal(SIGKILL);
    ASSERT_TRUE(lab::eventually([&] { return !slapd->process().running(); }, std::chrono::seconds(5)));
    EXPECT_THAT(ask({"-u", fmt::format("root:{}", password)}, "/v1/users"), HasSubstr(" 503 "));
}

TEST_P(Administrators, ComeWithThePasswordThatFreeradiusKnows) {
    auto freeradius = lab::Freeradius::start(*netns_, "root", password);
    ASSERT_OK(freeradius);
    start(fmt::format("backends = [\"radius\"]\nradius_servers = [\"{}\"]\nradius_secret = \"{}\"\n",
                      v6() ? "[::1]:1812" : "127.0.0.1:1812",
                      secret_file("radius.secret", lab::Freeradius::secret).string()));
    come_and_go();
    freeradius->process().signal(SIGKILL);
    ASSERT_TRUE(lab::eventually([&] { return !freeradius->process().running(); }, std::chrono::seconds(5)));
    EXPECT_THAT(ask({"-u", fmt::format("root:{}", password)}, "/v1/users"), HasSubstr(" 503 "));
}

} // namespace
} // namespace stem::smd
