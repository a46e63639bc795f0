// SPDX-License-Identifier: Apache-2.0
#include "sm/pki/authority.h"
#include "sm/pki/file.h"
#include "sm/pki/signature.h"
#include "sm/pki/trust.h"
#include "tests/unit/sm_fixture.h"

#include <gmock/gmock.h>

#include <sys/stat.h>

namespace stem::pki {
namespace {

using namespace std::chrono_literals;
using sm::error_of;
using sm::must;
using testing::HasSubstr;

mode_t mode_of(const std::filesystem::path& file) {
    struct stat status{};
    EXPECT_EQ(::stat(file.c_str(), &status), 0) << file;
    return status.st_mode & 07777U;
}

class Pki : public testing::Test {
  protected:
    Authority init() { return must(Authority::init(folder(), "Test", std::chrono::days(30), now())); }
    static TimePoint now() { return std::chrono::system_clock::now(); }
    [[nodiscard]] std::filesystem::path folder() const { return folder_ / "pki"; }
    [[nodiscard]] Trust trust() const { return must(Trust::load(folder() / "ca.crt", folder() / "ca.crl")); }
    [[nodiscard]] std::filesystem::path file(const char* name) const { return folder_ / name; }

  private:
    sm::Folder folder_;
};

TEST(PkiIdentity, UriHoldsRoleAndName) {
    const Identity identity{Role::firewall, "fw-1.example_x"};
    EXPECT_EQ(identity.uri(), "urn:stem:firewall:fw-1.example_x");
    EXPECT_EQ(identity_from_uri(identity.uri()), identity);
    for (const char* wrong :
         {"urn:stem:firewall:", "urn:stem:king:a", "urn:stem:firewall", "urn:stm:admin:a",
          "urn:stem:admin:a b", "urn:stem:admin:.a", "URN:stem:admin:a", "", "urn:stem:"}) {
        EXPECT_FALSE(identity_from_uri(wrong)) << wrong;
    }
    EXPECT_TRUE(check_identity_name(std::string(64, 'a')));
    EXPECT_FALSE(check_identity_name(std::string(65, 'a')));
    EXPECT_FALSE(check_identity_name("a/../b"));
    EXPECT_TRUE(check_identity_name("+4930123")) << "as a user may be called";
}

TEST_F(Pki, SecretsAreNobodyElses) {
    auto authority = init();
    const auto issued = must(authority.issue({Role::admin, "ann"}, {}, {}, now()));
    EXPECT_EQ(mode_of(folder()), 0700U);
    EXPECT_EQ(mode_of(folder() / "ca.key"), 0600U);
    EXPECT_EQ(mode_of(folder() / "ledger.json"), 0600U);
    EXPECT_EQ(mode_of(issued.key), 0600U);
    EXPECT_EQ(mode_of(issued.certificate), 0644U);
    EXPECT_TRUE(Key::read(issued.key));
    ASSERT_EQ(::chmod(issued.key.c_str(), 0640), 0);
    EXPECT_THAT(error_of(Key::read(issued.key)).message(), HasSubstr("chmod 600"));
}

TEST_F(Pki, CertificatesCarryIdentityAndPurpose) {
    auto authority = init();
    const auto trusted = trust();
    for (const Role role : {Role::firewall, Role::gateway, Role::terminal, Role::admin, Role::server}) {
        const Identity identity{role, "one"};
        const auto issued = must(authority.issue(
            identity,
            role == Role::server ? std::vector<std::string>{"sm.example.org", "192.0.2.9", "2001:db8::9"}
                                 : std::vector<std::string>{},
            {}, now()));
        const auto certificate = must(Certificate::read(issued.certificate));
        EXPECT_EQ(certificate.identity(), identity);
        EXPECT_EQ(certificate.serial(), issued.entry.serial);
        EXPECT_TRUE(certificate.belongs_to(must(Key::read(issued.key))));
        const Purpose purpose = role == Role::server ? Purpose::server : Purpose::client;
        const Purpose other = role == Role::server ? Purpose::client : Purpose::server;
        EXPECT_TRUE(trusted.verify(certificate, purpose)) << label_of(role);
        EXPECT_THAT(error_of(trusted.verify(certificate, other)).message(), HasSubstr("purpose"));
    }
}

TEST_F(Pki, RevokedIsNotBelieved) {
    auto authority = init();
    const Identity fw{Role::firewall, "fw1"};
    const auto former = must(Certificate::read(must(authority.issue(fw, {}, {}, now())).certificate));
    const auto fresh = must(Certificate::read(must(authority.renew(fw, {}, false, now())).certificate));
    EXPECT_TRUE(trust().verify(former, Purpose::client)) << "a renewed one stays valid";
    EXPECT_TRUE(trust().verify(fresh, Purpose::client));
    must(authority.revoke_serial(former.serial(), now()));
    EXPECT_THAT(error_of(trust().verify(former, Purpose::client)).message(), HasSubstr("revoked"));
    EXPECT_TRUE(trust().verify(fresh, Purpose::client));
    EXPECT_EQ(must(authority.revoke(fw, now())).size(), 1U);
    EXPECT_FALSE(trust().verify(fresh, Purpose::client));
    EXPECT_THAT(error_of(authority.revoke(fw, now())).message(), HasSubstr("firewall fw1"));
    EXPECT_FALSE(authority.revoke_serial(former.serial(), now())) << "twice";
    EXPECT_FALSE(authority.revoke_serial("00", now()));
}

TEST_F(Pki, RenewCanRevokeTheFormer) {
    auto authority = init();
    const Identity server{Role::server, "sm1"};
    const auto former =
        must(Certificate::read(must(authority.issue(server, {"192.0.2.9"}, {}, now())).certificate));
    const auto issued = must(authority.renew(server, {}, true, now()));
    EXPECT_EQ(issued.entry.hosts, std::vector<std::string>{"192.0.2.9"});
    EXPECT_FALSE(trust().verify(former, Purpose::server));
    EXPECT_TRUE(trust().verify(must(Certificate::read(issued.certificate)), Purpose::server));
}

TEST_F(Pki, LedgerOutlivesTheProcess) {
    {
        auto authority = init();
        must(authority.issue({Role::firewall, "fw1"}, {}, {}, now()));
        must(authority.issue({Role::firewall, "fw2"}, {}, {}, now()));
        must(authority.revoke({Role::firewall, "fw1"}, now()));
    }
    auto authority = must(Authority::open(folder()));
    ASSERT_EQ(authority.entries().size(), 2U);
    EXPECT_TRUE(authority.entries()[0].revoked_at);
    EXPECT_FALSE(authority.entries()[1].revoked_at);
    must(authority.revoke({Role::firewall, "fw2"}, now()));
    const auto list = must(RevocationList::from_pem(must(read_file(folder() / "ca.crl")), "ca.crl"));
    EXPECT_EQ(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(list.get())), 2);
}

TEST_F(Pki, RefusesWithWords) {
    EXPECT_THAT(error_of(Authority::open(folder())).message(), HasSubstr("stemctl pki init"));
    {
        auto authority = init();
        must(authority.issue({Role::admin, "ann"}, {}, {}, now()));
        EXPECT_THAT(error_of(authority.issue({Role::admin, "ann"}, {}, {}, now())).message(),
                    HasSubstr("renew"));
        EXPECT_THAT(error_of(authority.issue({Role::admin, "a n"}, {}, {}, now())).message(),
                    HasSubstr("'a n'"));
        EXPECT_THAT(error_of(authority.issue({Role::admin, "bob"}, {"h"}, {}, now())).message(),
                    HasSubstr("--host"));
        EXPECT_THAT(
            error_of(authority.issue({Role::server, "s"}, {"a,URI:urn:stem:admin:x"}, {}, now())).message(),
            HasSubstr("neither a host name"));
        EXPECT_THAT(error_of(authority.renew({Role::admin, "eve"}, {}, false, now())).message(),
                    HasSubstr("stemctl pki issue"));
    }
    EXPECT_THAT(error_of(Authority::init(folder(), "Again", std::chrono::days(1), now())).message(),
                HasSubstr("already"));
    must(write_file(folder() / "ledger.json", "{}", secret_mode));
    EXPECT_THAT(error_of(Authority::open(folder())).message(), HasSubstr("not a ledger"));
}

TEST_F(Pki, AnExpiredAuthorityIssuesNothing) {
    auto authority = must(Authority::init(folder(), "Old", std::chrono::days(1), now() - 48h));
    EXPECT_THAT(error_of(authority.issue({Role::admin, "ann"}, {}, {}, now())).message(),
                HasSubstr("expired"));
}

TEST_F(Pki, ForeignListsAndCertificatesAreRefused) {
    auto authority = init();
    auto other = must(Authority::init(file("other"), "Other", std::chrono::days(30), now()));
    EXPECT_THAT(error_of(Trust::load(folder() / "ca.crt", file("other") / "ca.crl")).message(),
                HasSubstr("not signed by"));
    const auto stranger =
        must(Certificate::read(must(other.issue({Role::admin, "ann"}, {}, {}, now())).certificate));
    EXPECT_FALSE(trust().verify(stranger, Purpose::client));
    EXPECT_TRUE(must(Trust::load(folder() / "ca.crt", {})).list_holds_until() == TimePoint::max());
    authority.set_lifetimes({.revocation_list = std::chrono::days(1)});
    must(authority.write_revocation_list(now() - 48h));
    EXPECT_THAT(error_of(Trust::load(folder() / "ca.crt", folder() / "ca.crl")).message(),
                HasSubstr("out of date"));
}

TEST_F(Pki, SignatureIsOfItsOctetsAndItsKey) {
    auto authority = init();
    const auto one = must(authority.issue({Role::server, "sm1"}, {}, {}, now()));
    const auto two = must(authority.issue({Role::server, "sm2"}, {}, {}, now()));
    const auto signature = must(sign("what was said", must(Key::read(one.key))));
    const auto signer = must(Certificate::read(one.certificate));
    EXPECT_TRUE(check_signature("what was said", signature, signer));
    EXPECT_FALSE(check_signature("what was sand", signature, signer));
    EXPECT_FALSE(check_signature("what was said", signature, must(Certificate::read(two.certificate))));
    for (const char* broken : {"", "AAAA", "====", "not base64!", "MEUCIQ=="}) {
        EXPECT_FALSE(check_signature("what was said", broken, signer)) << broken;
    }
    EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(Pki, FilesAreWrittenWholeOrNot) {
    must(write_file(file("a"), "one", secret_mode));
    must(write_file(file("a"), "two", public_mode));
    EXPECT_EQ(must(read_file(file("a"))), "two");
    EXPECT_EQ(mode_of(file("a")), 0644U);
    EXPECT_THAT(error_of(write_file(file("none") / "a", "x", secret_mode)).message(), HasSubstr("none/a"));
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(file("a").parent_path())) {
        ++files;
    }
    EXPECT_EQ(files, 1U) << "no temporary file stays";
}

} // namespace
} // namespace stem::pki
