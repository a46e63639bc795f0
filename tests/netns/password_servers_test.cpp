// SPDX-License-Identifier: Apache-2.0
// Callers whose passwords slapd or freeradius knows: SIPp as the phone, stemd as the Security Manager
// between. What becomes of calls when such a server says no, says it late, or says nothing.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "demo/stage.h"
#include "lab/enclosure.h"
#include "lab/sip_text.h"
#include "lab/sipp.h"
#include "lab/text_file.h"
#include "sm/auth/digest.h"
#include "tests/expect_ok.h"
#include "tests/netns/password_servers.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr const char* password = "correct-horse-battery";

class PasswordServers : public testing::TestWithParam<lab::Family> {
  protected:
    void SetUp() override {
        for (const char* program : {"/usr/sbin/slapd", "/usr/sbin/slapadd", "/usr/sbin/freeradius"}) {
            if (const auto why = lab::why_not(program); !why.empty()) {
                GTEST_SKIP() << why;
            }
        }
    }
    void TearDown() override {
        if (stage_) {
            const auto log = stage_->stemd().errors();
            if (HasFailure()) {
                std::fputs(log.c_str(), stderr);
            }
            for (const char* secret : {password, lab::Slapd::bind_password, lab::Freeradius::secret}) {
                EXPECT_THAT(log, Not(HasSubstr(secret)));
            }
        }
        stage_.reset();
    }
    [[nodiscard]] bool v6() const { return GetParam() == lab::Family::v6; }

    // `begin` starts the server in the middle; carol is known to STEM, her password only there.
    void set_up(const std::string& config, const std::function<Result<>(const lab::World&)>& begin) {
        auto stage =
            Stage::set_up({.programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD},
                           .config = "[sm]\noutgoing = \"challenge\"\n[auth]\nalgorithms = [\"MD5\"]\n"
                                     "timeout_ms = 800\n" +
                                     config,
                           .prepare = begin});
        ASSERT_OK(stage);
        stage_ = std::move(*stage);
        ASSERT_OK(stage_->stemctl({"user", "uri", "add", "carol", lab::sip_uri("carol", carol().address)}));
    }
    static std::string secret_file(const char* name, const std::string& secret) {
        const auto file = lab::secret_file(name, secret);
        EXPECT_OK(file);
        return file ? file->string() : "";
    }
    [[nodiscard]] Endpoint carol() const {
        return {.address = stage_->world().inside_address(phone::carol, GetParam()), .port = port_};
    }
    [[nodiscard]] Endpoint callee() const {
        return {.address = stage_->world().outside_address(lab::host::first_caller, GetParam()),
                .port = 5060};
    }
    // How many of two calls come about with that password.
    std::uint64_t calls(const std::string& secret) {
        ++port_; // what is late of earlier calls is none of these
        auto uas =
            lab::Sipp::start(stage_->world().outside(), {.scenario = "uas", .local = callee(), .calls = 0});
        auto uac = lab::Sipp::start(stage_->world().inside(), {.scenario = "uac_authenticated",
                                                               .local = carol(),
                                                               .remote = callee(),
                                                               .user = "dave",
                                                               .caller = "carol",
                                                               .password = secret,
                                                               .calls = 2,
                                                               .rate = 2,
                                                               .patience = 8s});
        if (!uas || !uac) {
            ADD_FAILURE() << (uas ? uac.error().message() : uas.error().message());
            return 99;
        }
        static_cast<void>(uac->wait(40s)); // a call that fails is no error of ours
        const auto counts = uac->counts();
        uas->stop();
        return counts ? counts->successful : 99;
    }
    [[nodiscard]] std::string metrics() const {
        return lab::run_command(
                   {.name = "curl",
                    .argv = {"curl", "-s", "--max-time", "5", "--unix-socket",
                             lab::scratch() / "run" / "default" / "stemd.sock", "http://localhost/metrics"},
                    .netns = &stage_->world().middle()})
            .value_or("");
    }
    [[nodiscard]] std::uint64_t count(const std::string& what) const {
        const auto text = metrics();
        const auto key = fmt::format("stem_auth_total{{what=\"{}\"}} ", what);
        const auto at = text.find(key);
        return at == std::string::npos ? 0 : std::stoull(text.substr(at + key.size()));
    }

    // slapd with carol in it, and a certificate of an authority of its own.
    Result<> begin_slapd(const lab::World& world) {
        const auto tls = lab::Slapd::certify(STEM_STEMCTL);
        if (!tls) {
            return std::unexpected(tls.error());
        }
        auto started = lab::Slapd::start(
            world.middle(),
            {{"carol", auth::make_ha1(auth::Algorithm::md5, "carol", "stem", password), password}}, *tls);
        if (!started) {
            return std::unexpected(started.error());
        }
        slapd_.emplace(std::move(*started));
        return {};
    }
    static std::string ldap_config(const std::string& uri, bool start_tls) {
        return fmt::format(
            "backends = [\"local\", \"ldap\"]\nldap_uri = \"{}\"\nldap_start_tls = \"{}\"\n"
            "ldap_ca = \"{}\"\nldap_bind_dn = \"{}\"\nldap_password = \"{}\"\nldap_base = \"{}\"\n"
            "ldap_md5_attribute = \"sipHA1\"\n",
            uri, start_tls ? "yes" : "no", (lab::scratch() / "ldap-pki" / "ca.crt").string(),
            lab::Slapd::bind_dn, secret_file("ldap.secret", lab::Slapd::bind_password), lab::Slapd::base);
    }
    [[nodiscard]] std::string radius_config(const char* form, const std::string& secret) const {
        return fmt::format("backends = [\"radius\"]\nradius_servers = [\"{}\"]\nradius_secret = \"{}\"\n"
                           "radius_digest = \"{}\"\n",
                           v6() ? "[::1]:1812" : "127.0.0.1:1812", secret_file("radius.secret", secret),
                           form);
    }
    std::function<Result<>(const lab::World&)> begin_freeradius(bool delays_no = false) {
        return [this, delays_no](const lab::World& world) -> Result<> {
            auto started = lab::Freeradius::start(world.middle(), "carol", password, delays_no);
            if (!started) {
                return std::unexpected(started.error());
            }
            freeradius_.emplace(std::move(*started));
            return {};
        };
    }

    std::uint16_t port_ = 5070;
    std::unique_ptr<Stage> stage_;
    std::optional<lab::Slapd> slapd_;
    std::optional<lab::Freeradius> freeradius_;
};

INSTANTIATE_TEST_SUITE_P(Families, PasswordServers, testing::Values(lab::Family::v4, lab::Family::v6),
                         [](const auto& family) { return family.param == lab::Family::v4 ? "v4" : "v6"; });

TEST_P(PasswordServers, SlapdKnowsTheHash) {
    // Both ways to be safe on the wire: ldaps, and StartTLS.
    set_up(ldap_config(v6() ? "ldap://[::1]:1389" : "ldaps://127.0.0.1:1636", v6()),
           [this](const lab::World& world) { return begin_slapd(world); });
    ASSERT_TRUE(stage_);
    EXPECT_EQ(calls(password), 2U) << slapd_->process().last_words();
    EXPECT_EQ(count("admitted"), 2U);
    EXPECT_EQ(calls("a wrong one"), 0U);
    EXPECT_EQ(count("wrong"), 2U);

    slapd_->process().signal(SIGKILL);
    ASSERT_TRUE(lab::eventually([&] { return !slapd_->process().running(); }, 5s));
    EXPECT_EQ(calls(password), 0U);
    EXPECT_EQ(count("unavailable"), 2U) << "refused with 503, and soon";
    ASSERT_TRUE(begin_slapd(stage_->world()));
    EXPECT_EQ(calls(password), 2U) << "it is back";
}

TEST_P(PasswordServers, SlapdWhoseCertificateNobodyKnowsIsNotAsked) {
    set_up(ldap_config("ldaps://localhost:1636", false), // not a name in its certificate
           [this](const lab::World& world) { return begin_slapd(world); });
    ASSERT_TRUE(stage_);
    EXPECT_EQ(calls(password), 0U);
    EXPECT_EQ(count("unavailable"), 2U);
    EXPECT_THAT(slapd_->process().errors(), Not(HasSubstr("BIND")));
}

TEST_P(PasswordServers, SlapdByItsSocket) {
    const auto socket = lab::scratch() / "slapd" / "ldapi";
    std::string uri = "ldapi://";
    for (const char c : socket.string()) {
        uri += c == '/' ? "%2F" : std::string(1, c);
    }
    set_up(ldap_config(uri, false), [this](const lab::World& world) { return begin_slapd(world); });
    ASSERT_TRUE(stage_);
    EXPECT_EQ(calls(password), 2U) << slapd_->process().last_words();
}

TEST_P(PasswordServers, FreeradiusVerifiesTheDigest) {
    for (const char* form : {"sterman", "rfc5090"}) {
        SCOPED_TRACE(form);
        set_up(radius_config(form, lab::Freeradius::secret), begin_freeradius());
        ASSERT_TRUE(stage_);
        EXPECT_EQ(calls(password), 2U) << freeradius_->process().last_words();
        EXPECT_EQ(count("admitted"), 2U);
        EXPECT_EQ(calls("a wrong one"), 0U);
        EXPECT_EQ(count("wrong"), 2U);
        freeradius_->process().signal(SIGKILL);
        ASSERT_TRUE(lab::eventually([&] { return !freeradius_->process().running(); }, 5s));
        EXPECT_EQ(calls(password), 0U);
        EXPECT_TRUE(lab::eventually([&] { return count("unavailable") == 2; }, 10s)) << count("unavailable");
        stage_.reset();
    }
}

TEST_P(PasswordServers, FreeradiusWithAnotherSecretIsNotBelieved) {
    set_up(radius_config("sterman", "another secret, as long"), begin_freeradius());
    ASSERT_TRUE(stage_);
    EXPECT_EQ(calls(password), 0U);
    EXPECT_EQ(count("admitted"), 0U);
    EXPECT_EQ(count("unavailable"), 2U);
}

TEST_P(PasswordServers, ANoThatComesLateIsCounted) {
    set_up(radius_config("sterman", lab::Freeradius::secret), begin_freeradius(true));
    ASSERT_TRUE(stage_);
    EXPECT_EQ(calls("a wrong one"), 0U);
    EXPECT_EQ(count("unavailable"), 2U);
    EXPECT_TRUE(lab::eventually([&] { return count("wrong") == 2; }, 5s)) << count("wrong");
}

} // namespace
} // namespace stem::demo
